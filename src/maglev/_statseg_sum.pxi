# The work that one try of _statseg_read.pxi is for: find names, follow them to their vectors, sum those over the threads;
# copy the directory. Knows nothing of Python. Included by _statseg.pyx.

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport realloc
from libc.string cimport memcmp, memcpy, memset

cdef enum:
    KIND_ILLEGAL = 0
    KIND_SCALAR = 1
    KIND_SIMPLE = 2
    KIND_COMBINED = 3
    KIND_EMPTY = 5
    KIND_SYMLINK = 6
    KIND_GAUGE = 9

    MAX_THREADS = 4096      # VPP has a thread per CPU; a larger number would make one read take for ever
    GROUP = 4               # threads summed at once: indexes and sums go through the registers once for all of them
    AHEAD = 8               # scattered elements prefetched; docs/benchmarks.md says what both bring

    MISSING = -1

cdef struct Request:
    const char *name        # without its leading slash, and without any NUL
    size_t length
    bint slash
    int64_t entry           # where it was last found; looked up again unless it is still there in this spelling
    uint64_t value          # of a scalar, or the length of the longest vector
    bint whole              # no indexes: the elements from 0 on, as many as `out` has room for
    Py_buffer indexes
    Py_buffer out

cdef struct Place:          # a counter's vectors
    const uint64_t *threads
    uint64_t thread_count
    uint64_t words          # of one element
    uint64_t column         # of a symlink, which is a vector of one element; else ALL

cdef struct Batch:
    Request *requests
    size_t count

cdef struct Copy:
    uint8_t *entries
    uint64_t count

cdef struct Group:          # vectors of a few threads, those missing of length 0
    const uint64_t *sources[GROUP]
    uint64_t lengths[GROUP]
    uint64_t shortest

cdef uint64_t ALL = <uint64_t>-1


cdef bint matches(const uint8_t *entry, const Request *request, bint *same_spelling) noexcept nogil:
    cdef const char *name = <const char *>entry + AT_NAME
    cdef size_t size = NAME_SIZE
    cdef uint32_t kind = load_u32(entry)
    same_spelling[0] = (name[0] == b"/") == request.slash
    if name[0] == b"/":
        name += 1
        size -= 1
    return (kind != KIND_ILLEGAL and kind != KIND_EMPTY and request.length < size and name[request.length] == 0
            and memcmp(name, request.name, request.length) == 0)


cdef void resolve(View *view, Request *request) noexcept nogil:
    """Find the entry of that name, preferring the very spelling.

    One found before costs a look at its place. One that was not found is looked for each time, as VPP adds symlinks
    without moving the epoch.
    """
    cdef uint64_t i
    cdef bint same_spelling
    if (request.entry >= 0 and <uint64_t>request.entry < view.count
            and matches(view.entries + request.entry * ENTRY_SIZE, request, &same_spelling) and same_spelling):
        return
    request.entry = MISSING
    if request.length == 0:
        return
    for i in range(view.count):
        if not matches(view.entries + i * ENTRY_SIZE, request, &same_spelling):
            continue
        if same_spelling or request.entry == MISSING:
            request.entry = i
        if same_spelling:
            return


cdef void add_simple(const Group *group, const uint64_t *indexes, uint64_t *out, size_t count) noexcept nogil:
    cdef size_t i
    cdef int k
    cdef uint64_t at
    for i in range(count):
        at = load_u64(&indexes[i])      # once: the caller's buffer may change under us
        if at < group.shortest:
            out[i] += group.sources[0][at] + group.sources[1][at] + group.sources[2][at] + group.sources[3][at]
            continue
        for k in range(GROUP):
            if at < group.lengths[k]:
                out[i] += group.sources[k][at]


cdef void add_combined(const Group *group, const uint64_t *indexes, uint64_t *out, size_t count) noexcept nogil:
    cdef size_t i
    cdef int k
    cdef uint64_t at
    cdef const uint64_t *a = group.sources[0]
    cdef const uint64_t *b = group.sources[1]
    cdef const uint64_t *c = group.sources[2]
    cdef const uint64_t *d = group.sources[3]
    for i in range(count):
        if i + AHEAD < count:
            at = 2 * load_u64(&indexes[i + AHEAD])
            prefetch(&a[at])
            prefetch(&b[at])
            prefetch(&c[at])
            prefetch(&d[at])
        at = load_u64(&indexes[i])
        if at < group.shortest:
            out[2 * i] += a[2 * at] + b[2 * at] + c[2 * at] + d[2 * at]
            out[2 * i + 1] += a[2 * at + 1] + b[2 * at + 1] + c[2 * at + 1] + d[2 * at + 1]
            continue
        for k in range(GROUP):
            if at < group.lengths[k]:
                out[2 * i] += group.sources[k][2 * at]
                out[2 * i + 1] += group.sources[k][2 * at + 1]


cdef void add_all(const uint64_t *source, uint64_t *out, size_t words) noexcept nogil:
    cdef size_t i
    for i in range(words):
        out[i] += source[i]     # a plain load, so that the compiler may take several elements at once


cdef bint locate(View *view, Request *request, Place *place) noexcept nogil:
    """Follow the request's name to its vectors; no threads when there is no such name or it has no data yet."""
    cdef const uint8_t *entry
    cdef uint64_t address
    cdef uint32_t kind, target
    place.thread_count, place.words, place.column = 0, 1, ALL
    resolve(view, request)
    if request.entry == MISSING:
        return True
    entry = view.entries + request.entry * ENTRY_SIZE
    kind = load_u32(entry)
    if kind == KIND_SYMLINK:
        target = load_u32(entry + AT_VALUE)
        place.column = load_u32(entry + AT_VALUE + 4)
        if target >= view.count:
            return fail(view, BAD_LINK, b"symlink", target)
        entry = view.entries + <uint64_t>target * ENTRY_SIZE
        kind = load_u32(entry)
        if kind == KIND_EMPTY:      # VPP removes counters, and forgets who points to them
            return True
    if kind == KIND_COMBINED:
        place.words = 2
    elif kind != KIND_SIMPLE:
        return fail(view, WRONG_KIND, b"counter", kind)
    address = load_u64(entry + AT_VALUE)
    if address == 0:
        return True
    place.threads = <const uint64_t *>vector(view, address, 8, b"vector of threads", &place.thread_count)
    if place.threads == NULL:
        return False
    if place.thread_count > MAX_THREADS:
        return fail(view, BAD_COUNT, b"vector of threads", place.thread_count)
    return True


cdef bint vector_of(
    View *view, const Place *place, uint64_t thread, const uint64_t **source, uint64_t *length
) noexcept nogil:
    """One thread's elements, `length` of them: none where there is no vector."""
    cdef uint64_t address = load_u64(&place.threads[thread])
    source[0], length[0] = NULL, 0
    if address == 0:
        return True
    source[0] = <const uint64_t *>vector(view, address, 8 * place.words, b"vector of one thread", length)
    if source[0] == NULL:
        return False
    if place.column != ALL:
        if place.column < length[0]:
            source[0] += place.column * place.words
            length[0] = 1
        else:
            length[0] = 0
    return True


cdef bint sum_one(View *view, Request *request) noexcept nogil:
    cdef Place place
    cdef Group group
    cdef int k
    cdef const uint64_t *source
    cdef uint64_t thread, length
    cdef const uint64_t *indexes = <const uint64_t *>request.indexes.buf
    cdef uint64_t *out = <uint64_t *>request.out.buf
    cdef size_t room = request.out.len // 8
    cdef size_t count = room if request.whole else request.indexes.len // 8
    if room:
        memset(out, 0, room * 8)
    if not locate(view, request, &place):
        return False
    if request.entry == MISSING:
        return True
    if request.whole:
        count //= place.words
    if room != count * place.words:
        return fail(view, WRONG_ROOM, b"out", (count + request.whole) * place.words)
    if request.whole:
        for thread in range(place.thread_count):
            if not vector_of(view, &place, thread, &source, &length):
                return False
            add_all(source, out, (length if length < count else count) * place.words)
        return True
    thread = 0
    while thread < place.thread_count:
        group.shortest = ALL
        for k in range(GROUP):
            group.sources[k], group.lengths[k] = NULL, 0
            if thread < place.thread_count and not vector_of(view, &place, thread, &group.sources[k], &group.lengths[k]):
                return False
            if group.sources[k] == NULL:
                group.sources[k] = <const uint64_t *>view.map       # never read, but prefetched from
            if group.lengths[k] < group.shortest:
                group.shortest = group.lengths[k]
            thread += 1
        if place.words == 1:
            add_simple(&group, indexes, out, count)
        else:
            add_combined(&group, indexes, out, count)
    return True


cdef bint measure(View *view, void *job) noexcept nogil:
    cdef Request *request = <Request *>job
    cdef Place place
    cdef const uint64_t *source
    cdef uint64_t thread, length
    view.request, request.value = 0, 0
    if not locate(view, request, &place):
        return False
    for thread in range(place.thread_count):
        if not vector_of(view, &place, thread, &source, &length):
            return False
        if length > request.value:
            request.value = length
    return True


cdef bint sum_batch(View *view, void *job) noexcept nogil:
    cdef Batch *batch = <Batch *>job
    cdef size_t i
    for i in range(batch.count):
        view.request = i
        if not sum_one(view, &batch.requests[i]):
            return False
    return True


cdef bint read_scalar(View *view, void *job) noexcept nogil:
    cdef Request *request = <Request *>job
    cdef const uint8_t *entry
    cdef uint32_t kind
    view.request = 0
    resolve(view, request)
    if request.entry == MISSING:
        return True
    entry = view.entries + request.entry * ENTRY_SIZE
    kind = load_u32(entry)
    if kind != KIND_SCALAR and kind != KIND_GAUGE:
        return fail(view, WRONG_KIND, b"scalar", kind)
    request.value = load_u64(entry + AT_VALUE)
    return True


cdef bint copy_directory(View *view, void *job) noexcept nogil:
    cdef Copy *copy = <Copy *>job
    cdef void *room = realloc(copy.entries, (view.count + 1) * ENTRY_SIZE)
    if room == NULL:
        return fail(view, NO_MEMORY, b"directory", view.count)
    copy.entries, copy.count = <uint8_t *>room, view.count
    memcpy(copy.entries, view.entries, view.count * ENTRY_SIZE)
    return True
