# One try at reading the map under the epoch rule, and how it is repeated; knows nothing of counters, nor of Python.
# Included by _statseg.pyx, so that the compiler of C sees one unit.
#
# How a read goes (VPP src/vlib/stats/stats.c is the writer): note the epoch once in_progress is 0; copy numbers out,
# checking every address, count and width before following it; look at in_progress and epoch again. Whatever was met,
# figure or fault, counts only if both stood still, else the read starts over. VPP counts without moving the epoch, and
# lengthens a vector in place without moving it either, so every word that decides what to follow is loaded exactly once.
#
# The shared memory is only ever read. The one way left to die is a file that is shrunk between our fstat and the load
# (SIGBUS); VPP seals its segment against shrinking, unless it sits on huge pages.

from libc.stdint cimport uint8_t, uint32_t, uint64_t
from posix.stat cimport fstat, struct_stat
from posix.time cimport CLOCK_MONOTONIC, clock_gettime, nanosleep, timespec

cdef extern from *:
    """
    #include <fcntl.h>
    #include <stdint.h>
    #ifndef F_GET_SEALS
    #define F_GET_SEALS 1034
    #endif
    #ifndef F_SEAL_SHRINK
    #define F_SEAL_SHRINK 2
    #endif
    #define LOAD(type, p, order) __atomic_load_n((const type *)(p), order)
    static inline uint64_t load_acquire(const void *p) { return LOAD(uint64_t, p, __ATOMIC_ACQUIRE); }
    static inline uint64_t load_u64(const void *p) { return LOAD(uint64_t, p, __ATOMIC_RELAXED); }
    static inline uint32_t load_u32(const void *p) { return LOAD(uint32_t, p, __ATOMIC_RELAXED); }
    static inline void fence_acquire(void) { __atomic_thread_fence(__ATOMIC_ACQUIRE); }
    static inline void prefetch(const void *p) { __builtin_prefetch(p); }

    /* What `make sanitize` builds has a page behind the map that nobody may touch. */
    #include <sys/mman.h>
    static inline void *map_file(int fd, size_t size) {
        void *at = NULL;
        int flags = MAP_SHARED;
    #ifdef __SANITIZE_ADDRESS__
        at = mmap(NULL, (size + 8191) / 4096 * 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        flags |= MAP_FIXED;
    #endif
        return mmap(at, size, PROT_READ, flags, fd, 0);
    }
    """
    uint64_t load_acquire(const void *) noexcept nogil
    uint64_t load_u64(const void *) noexcept nogil
    uint32_t load_u32(const void *) noexcept nogil
    void fence_acquire() noexcept nogil
    void prefetch(const void *) noexcept nogil
    void *map_file(int, size_t) noexcept nogil
    int fcntl(int, int, ...) noexcept nogil
    int F_DUPFD_CLOEXEC, F_GET_SEALS, F_SEAL_SHRINK

cdef enum:
    VERSION = 2
    AT_BASE = 8
    AT_EPOCH = 16
    AT_IN_PROGRESS = 24
    AT_DIRECTORY = 32
    HEADER_SIZE = 40

    ENTRY_SIZE = 144
    AT_VALUE = 8
    AT_NAME = 16
    NAME_SIZE = 128

    PAUSE_NS = 20_000

cdef enum Code:
    OK, RACED, GONE, NO_MEMORY, BAD_VERSION, BAD_ADDRESS, BAD_COUNT, BAD_LINK, WRONG_KIND, WRONG_ROOM


cdef struct View:           # the map as seen by one try, and what was wrong with it
    const uint8_t *map
    uint64_t size
    int shrinkable          # the descriptor to ask, or -1 when the file is sealed
    int max_tries
    double max_wait_s
    uint64_t base
    uint64_t epoch
    uint64_t directory      # as an address
    const uint8_t *entries
    uint64_t count
    Code code
    const char *what
    uint64_t seen
    size_t request          # the one being served, or NONE

cdef size_t NONE = <size_t>-1

ctypedef bint (*Work)(View *, void *) noexcept nogil


cdef inline bint fail(View *view, Code code, const char *what, uint64_t seen) noexcept nogil:
    view.code, view.what, view.seen = code, what, seen
    return False


cdef const uint8_t *vector(
    View *view, uint64_t address, uint64_t width, const char *what, uint64_t *count
) noexcept nogil:
    """The first element and the count of the vector at VPP's `address`, or NULL when it is not wholly inside."""
    cdef uint64_t offset = address - view.base      # wraps to something huge below the base
    if offset < HEADER_SIZE + 8 or offset > view.size or offset % 8:
        fail(view, BAD_ADDRESS, what, address)
        return NULL
    count[0] = load_u32(view.map + offset - 8)
    if count[0] > (view.size - offset) // width:
        fail(view, BAD_COUNT, what, count[0])
        return NULL
    return view.map + offset


cdef double now_s() noexcept nogil:
    cdef timespec now
    clock_gettime(CLOCK_MONOTONIC, &now)
    return now.tv_sec + now.tv_nsec * 1e-9


cdef bint is_whole(View *view) noexcept nogil:
    cdef struct_stat status
    if view.shrinkable < 0 or (fstat(view.shrinkable, &status) == 0 and <uint64_t>status.st_size >= view.size):
        return True
    return fail(view, GONE, b"the file was shrunk below", view.size)


cdef bint settle(View *view, double deadline) noexcept nogil:
    """Wait until the writer is out and note the epoch."""
    cdef timespec pause
    pause.tv_sec, pause.tv_nsec = 0, PAUSE_NS
    if not is_whole(view):
        return False
    while True:
        view.epoch = load_acquire(view.map + AT_EPOCH)
        if load_acquire(view.map + AT_IN_PROGRESS) == 0:
            return True
        if now_s() >= deadline:
            return fail(view, RACED, b"in_progress never went to 0, at", view.epoch)
        nanosleep(&pause, NULL)


cdef bint enter(View *view) noexcept nogil:
    """Find the directory."""
    cdef uint64_t version = load_u64(view.map)
    view.directory = load_u64(view.map + AT_DIRECTORY)
    if version != VERSION:
        return fail(view, BAD_VERSION, b"version", version)
    view.base = load_u64(view.map + AT_BASE)
    view.entries = vector(view, view.directory, ENTRY_SIZE, b"directory", &view.count)
    return view.entries != NULL


cdef bint stood_still(View *view) noexcept nogil:
    fence_acquire()
    # In this order: VPP moves the epoch before it clears in_progress.
    if load_acquire(view.map + AT_IN_PROGRESS) or load_acquire(view.map + AT_EPOCH) != view.epoch:
        return False
    # VPP adds symlinks without the lock, and the directory may move for it.
    return load_u64(view.map + AT_DIRECTORY) == view.directory


cdef void read(View *view, Work work, void *job) noexcept nogil:
    """Do `work` until the writer stood still throughout; the outcome is in view.code."""
    cdef double deadline = now_s() + view.max_wait_s
    for _ in range(view.max_tries):
        view.code, view.request = OK, NONE
        if not settle(view, deadline):
            return
        if enter(view):
            work(view, job)
        if stood_still(view):
            return
        if now_s() >= deadline:
            break
    view.request = NONE
    fail(view, RACED, b"the epoch kept moving, now", load_acquire(view.map + AT_EPOCH))
