/* A writer that moves a stats segment under its readers as fast as it can; compiled and run by test_torn.py.

   The layout is VPP's (src/vlib/stats/shared.h). Whatever is done under the lock is a function of the epoch that ends
   it, so that a reader can tell from the epoch it got what every sum has to be:

   - `generation` (simple): every element of every thread is the epoch.
   - `grown` (simple): the same, but thread t has 1 + (7 * epoch + 13 * t) % LENGTH elements, or none if that is 1.
   - `blink` (simple, LENGTH elements of one thread): there with the epoch as its value, unless 3 divides the epoch.
   - `counted` (combined): between two epochs one thread counts (1, 100) once on every index; nothing else changes it.

   Every vector moves each time, the directory every 16th time, and what they leave behind is overwritten at once.
   Prints the descriptor of the segment and ends when stdin is closed. */
#define _GNU_SOURCE
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { SIZE = 1 << 20, THREADS = 4, LENGTH = 64, ENTRY = 144, ENTRIES = 40, BLOCK = 8192, BLOCKS = SIZE / BLOCK };
enum { EMPTY = 5, SIMPLE = 2, COMBINED = 3 };
enum { GENERATION = 3, GROWN = 17, COUNTED = 18, BLINK = 39 };  /* their places in the directory */

static const uint64_t base = 0x7e5700000000;
static uint8_t *map;
static uint8_t used[BLOCKS];
static uint32_t chance = 1;

static volatile uint64_t *word(uint64_t at) { return (uint64_t *)(map + at); }

static void pause_for(uint32_t loops)
{
    for (volatile uint32_t i = 0; i < loops; i++)
        ;
}

static uint32_t random_below(uint32_t n)
{
    chance ^= chance << 13, chance ^= chance >> 17, chance ^= chance << 5;
    return chance % n;
}

/* The offset of the first element of a new vector, in a block of its own. */
static uint64_t take(uint32_t length)
{
    uint32_t block = 1 + random_below(BLOCKS - 1);
    while (used[block])
        block = 1 + (block + 1) % (BLOCKS - 1);
    used[block] = 1;
    *(volatile uint32_t *)(map + block * BLOCK + 56) = length;
    return block * BLOCK + 64;
}

static void give(uint64_t at)
{
    used[at / BLOCK] = 0;
    memset(map + at / BLOCK * BLOCK, 0xee, BLOCK);
}

static uint64_t directory(void) { return *word(32) - base; }
static volatile uint64_t *value(int entry) { return word(directory() + entry * ENTRY + 8); }

static void name(int entry, uint32_t kind, const char *name)
{
    uint8_t *at = map + directory() + entry * ENTRY;
    *(volatile uint32_t *)at = kind;
    memset(at + 16, 0, 128);
    strcpy((char *)at + 16, name);
}

/* New vectors for a counter, filled by `fill`, in the place of the old ones. */
static void move(int entry, uint32_t threads, void (*fill)(uint32_t thread, uint64_t old, uint64_t *at, uint64_t epoch),
                 uint64_t epoch)
{
    uint64_t old = *value(entry) ? *value(entry) - base : 0, pointers = take(threads);
    for (uint32_t thread = 0; thread < threads; thread++) {
        uint64_t before = old && *word(old + 8 * thread) ? *word(old + 8 * thread) - base : 0, at = 0;
        fill(thread, before, &at, epoch);
        *word(pointers + 8 * thread) = at ? base + at : 0;
        if (before)
            give(before);
    }
    *value(entry) = base + pointers;
    if (old)
        give(old);
}

static void fill_all(uint32_t thread, uint64_t old, uint64_t *at, uint64_t epoch)
{
    (void)thread, (void)old;
    *at = take(LENGTH);
    for (int i = 0; i < LENGTH; i++)
        *word(*at + 8 * i) = epoch;
}

static void fill_some(uint32_t thread, uint64_t old, uint64_t *at, uint64_t epoch)
{
    uint32_t length = 1 + (7 * epoch + 13 * thread) % LENGTH;
    (void)old;
    if (length == 1)
        return;
    *at = take(length);
    for (uint32_t i = 0; i < length; i++)
        *word(*at + 8 * i) = epoch;
}

static void copy(uint32_t thread, uint64_t old, uint64_t *at, uint64_t epoch)
{
    (void)thread, (void)epoch;
    *at = take(LENGTH);
    memset(map + *at, 0, 16 * LENGTH);
    if (old)
        memcpy(map + *at, map + old, 16 * LENGTH);
}

static void move_directory(void)
{
    uint64_t old = directory(), at = take(ENTRIES);
    memcpy(map + at, map + old, ENTRIES * ENTRY);
    *word(32) = base + at;
    give(old);
}

static void lock(void) { __atomic_store_n(word(24), 1, __ATOMIC_SEQ_CST); }

static void unlock(uint64_t epoch)
{
    __atomic_store_n(word(16), epoch, __ATOMIC_SEQ_CST);
    __atomic_store_n(word(24), 0, __ATOMIC_SEQ_CST);
}

static void move_all(uint64_t epoch)
{
    lock();
    if (epoch % 16 == 0)
        move_directory();
    move(GENERATION, THREADS, fill_all, epoch);
    move(GROWN, THREADS, fill_some, epoch);
    move(COUNTED, THREADS, copy, epoch);
    move(BLINK, 1, fill_all, epoch);
    name(BLINK, epoch % 3 ? SIMPLE : EMPTY, epoch % 3 ? "blink" : "");
    unlock(epoch);
}

static void count(uint64_t epoch)
{
    uint64_t vector = *word(*value(COUNTED) - base + 8 * (epoch % THREADS)) - base;
    for (int i = 0; i < LENGTH; i++) {
        *word(vector + 16 * i) += 1;
        *word(vector + 16 * i + 8) += 100;
    }
}

int main(void)
{
    int fd = memfd_create("torn", 0);
    struct pollfd in = {.fd = 0, .events = POLLIN};
    if (fd < 0 || ftruncate(fd, SIZE))
        return 1;
    map = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (map == MAP_FAILED)
        return 1;
    used[0] = 1;
    *word(0) = 2, *word(8) = base, *word(16) = 1;
    *word(32) = base + take(ENTRIES);
    for (int i = 0; i < ENTRIES; i++) {
        char filler[16];
        snprintf(filler, sizeof filler, "/filler/%d", i);
        name(i, SIMPLE, filler);
    }
    name(GENERATION, SIMPLE, "generation");
    name(GROWN, SIMPLE, "grown");
    name(COUNTED, COMBINED, "/counted");
    move_all(2);
    printf("%d\n", fd);
    fflush(stdout);
    for (uint64_t epoch = 3; poll(&in, 1, 0) == 0;)
        for (uint32_t burst = 1 + random_below(8); burst; burst--, epoch++) {
            move_all(epoch);
            pause_for(random_below(2000));  /* else no reader ever gets through; it is cut short often enough */
            count(epoch);
            pause_for(random_below(20000));
        }
    return 0;
}
