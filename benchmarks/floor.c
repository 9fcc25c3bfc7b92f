/* The physical floor of a sample: load one word of every cache line it needs, once, in the simplest loop. */
#include <stddef.h>
#include <stdint.h>

uint64_t touch(const uint8_t *map, const uint64_t *offsets, size_t count)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += *(const uint64_t *)(map + offsets[i]);
    return sum;
}
