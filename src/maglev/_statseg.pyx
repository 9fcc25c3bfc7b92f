# cython: language_level=3
"""Reads counters out of VPP's stats segment, safely; knows nothing of load balancing.

How a read goes (VPP src/vlib/stats/stats.c is the writer): note the epoch once in_progress is 0; copy numbers out,
checking every address, count and width before following it; look at in_progress and epoch again. Whatever was met,
figure or fault, counts only if both stood still, else the read starts over. VPP counts without moving the epoch, and
lengthens a vector in place without moving it either, so every word that decides what to follow is loaded exactly once.

Below `with nogil` there is no Python object; the shared memory is only ever read. The one way left to die is a file
that is shrunk between our fstat and the load (SIGBUS); VPP seals its segment against shrinking, unless it sits on
huge pages.
"""

import threading

cimport cython
from cpython.buffer cimport (PyBUF_CONTIG_RO, PyBUF_FORMAT, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer)
from cpython.exc cimport PyErr_SetFromErrno
from cpython.mem cimport PyMem_Calloc, PyMem_Free
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free, realloc
from libc.string cimport memcmp, memcpy, memset
from posix.mman cimport MAP_FAILED, munmap
from posix.stat cimport fstat, struct_stat
from posix.time cimport CLOCK_MONOTONIC, clock_gettime, nanosleep, timespec
from posix.unistd cimport close

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

SCALAR = 1
SIMPLE = 2
COMBINED = 3
GAUGE = 9

_KINDS = {0: "illegal entry", 1: "scalar", 2: "simple counter", 3: "combined counter", 4: "vector of names",
          5: "empty entry", 6: "symlink", 7: "histogram", 8: "ring buffer", 9: "gauge"}

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

    KIND_ILLEGAL = 0
    KIND_SCALAR = 1
    KIND_SIMPLE = 2
    KIND_COMBINED = 3
    KIND_EMPTY = 5
    KIND_SYMLINK = 6
    KIND_GAUGE = 9

    MAX_THREADS = 4096      # VPP has a thread per CPU; a larger number would make one read take for ever
    PAUSE_NS = 20_000
    GROUP = 4               # threads summed at once: indexes and sums go through the registers once for all of them
    AHEAD = 32              # scattered elements prefetched; docs/benchmarks.md says what both bring

    MISSING = -1

cdef enum Code:
    OK, RACED, GONE, NO_MEMORY, BAD_VERSION, BAD_ADDRESS, BAD_COUNT, BAD_LINK, WRONG_KIND, WRONG_ROOM


class SegmentError(Exception):
    """Base of what reading a segment can end in."""


class Raced(SegmentError):
    """The writer never stood still for long enough; try again later."""


class Corrupt(SegmentError):
    """The segment breaks its own rules; what and where is in the message. Do not try again on this map."""


class Gone(SegmentError):
    """The segment was closed here, or its file was shrunk."""


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


@cython.final
cdef class Counter:
    """A name, and where it was last found; see the stub."""

    cdef readonly str name
    cdef bytes raw              # without its leading slash; empty for a name that cannot be one, which is never found
    cdef bint slash
    cdef int64_t entry

    def __cinit__(self, str name not None):
        raw = name.encode("utf-8", "surrogateescape")
        self.name = name
        self.slash = raw.startswith(b"/")
        self.raw = b"" if b"\0" in raw else raw[self.slash:]
        self.entry = MISSING

    def __repr__(self):
        return f"Counter({self.name!r})"

    cdef void ask(self, Request *request) noexcept:
        """Fill in the name, which lives as long as this object."""
        request.name, request.length = self.raw, len(self.raw)
        request.slash, request.entry = self.slash, self.entry


@cython.final
cdef class Segment:
    """One mapped stats segment; see the stub for what each call promises."""

    cdef View view
    cdef int fd
    cdef object lock            # held throughout a read, so that close waits for it

    def __cinit__(self, int fd, int max_tries=64, double max_wait_s=0.05):
        cdef struct_stat status
        cdef void *at
        cdef int seals
        self.fd = -1
        self.lock = threading.Lock()
        if max_tries < 1 or not 0 <= max_wait_s <= 3600:
            raise ValueError("a read needs at least one try, and may wait for 0 to 3600 seconds")
        if fstat(fd, &status):
            PyErr_SetFromErrno(OSError)
        if status.st_size < HEADER_SIZE:
            raise Corrupt(f"a file of {status.st_size} bytes is no stats segment: its header alone has {HEADER_SIZE}")
        self.fd = fcntl(fd, F_DUPFD_CLOEXEC, 0)
        if self.fd < 0:
            PyErr_SetFromErrno(OSError)
        at = map_file(self.fd, status.st_size)
        if at == MAP_FAILED:
            PyErr_SetFromErrno(OSError)
        seals = fcntl(self.fd, F_GET_SEALS)
        self.view.map, self.view.size = <const uint8_t *>at, status.st_size
        self.view.shrinkable = -1 if seals >= 0 and seals & F_SEAL_SHRINK else self.fd
        self.view.max_tries, self.view.max_wait_s = max_tries, max_wait_s
        if load_u64(self.view.map) != VERSION:
            raise Corrupt(f"version {load_u64(self.view.map)} of the layout, expected {VERSION}")

    def __dealloc__(self):
        self.unmap()

    def close(self):
        """Unmap; later calls raise Gone. Waits for a read on another thread. Closing twice is fine."""
        with self.lock:
            self.unmap()

    @property
    def epoch(self):
        """The present epoch of the directory."""
        with self.lock:
            self.check_open()
            if not is_whole(&self.view):
                raise self.problem([])
            return load_acquire(self.view.map + AT_EPOCH)

    def names(self):
        """Every entry of the directory with its type."""
        cdef Copy copy
        copy.entries, copy.count = NULL, 0
        try:
            with self.lock:
                self.check_open()
                with nogil:
                    read(&self.view, copy_directory, &copy)
                if self.view.code != OK:
                    raise self.problem([])
            return _names(&copy)
        finally:
            free(copy.entries)

    def scalar(self, Counter counter not None):
        """The value of a scalar or gauge."""
        cdef Request request
        self.read_one(counter, read_scalar, &request)
        if request.entry == MISSING:
            raise KeyError(counter.name)
        return request.value

    def length(self, Counter counter not None):
        """How many elements the longest thread of a counter has."""
        cdef Request request
        self.read_one(counter, measure, &request)
        return request.value

    def sum(self, requests):
        """Sum counters over all threads, all requests under one epoch; returns that epoch."""
        cdef list own = list(requests)      # nobody else can lengthen this one
        cdef list counters = []
        cdef Counter counter
        cdef Batch batch
        cdef size_t i
        batch.count = len(own)
        batch.requests = <Request *>PyMem_Calloc(batch.count + 1, sizeof(Request))
        if batch.requests == NULL:
            raise MemoryError
        try:
            for i, (counter, indexes, out) in enumerate(own):
                counters.append(counter)
                _take_buffers(&batch.requests[i], counter, indexes, out)
            with self.lock:
                self.check_open()
                for i in range(batch.count):
                    counter = counters[i]
                    counter.ask(&batch.requests[i])
                with nogil:
                    read(&self.view, sum_batch, &batch)
                for i in range(batch.count):
                    counter = counters[i]
                    counter.entry = batch.requests[i].entry
                if self.view.code != OK:
                    raise self.problem(counters)
                return self.view.epoch
        finally:
            for i in range(batch.count):
                PyBuffer_Release(&batch.requests[i].indexes)
                PyBuffer_Release(&batch.requests[i].out)
            PyMem_Free(batch.requests)

    cdef int read_one(self, Counter counter, Work work, Request *request) except -1:
        memset(request, 0, sizeof(Request))
        with self.lock:
            self.check_open()
            counter.ask(request)
            with nogil:
                read(&self.view, work, request)
            counter.entry = request.entry
            if self.view.code != OK:
                raise self.problem([counter])
        return 0

    cdef int check_open(self) except -1:
        if self.view.map == NULL:
            raise Gone("the segment was closed")
        return 0

    cdef void unmap(self) noexcept:
        if self.view.map != NULL:
            munmap(<void *>self.view.map, self.view.size)
            self.view.map = NULL
        if self.fd >= 0:
            close(self.fd)
            self.fd = -1

    cdef object problem(self, list counters):
        """What the last read ended in, as an exception."""
        cdef View *view = &self.view
        what, seen = view.what.decode(), view.seen
        if view.request < <size_t>len(counters):
            what = f"{counters[view.request].name!r}: {what}"
        size = f"a segment of {view.size:#x} bytes at {view.base:#x}"
        if view.code == RACED:
            return Raced(f"{what} {seen}; try again later")
        if view.code == GONE:
            return Gone(f"{what} {seen} bytes; connect again")
        if view.code == WRONG_KIND:
            return ValueError(f"{what} expected, found type {seen} ({_KINDS.get(seen, 'unknown')})")
        if view.code == WRONG_ROOM:
            return ValueError(f"{what} has to have room for {seen} numbers")
        if view.code == BAD_ADDRESS:
            return Corrupt(f"{what} at address {seen:#x}, outside {size} or not aligned")
        if view.code == BAD_COUNT:
            return Corrupt(f"{what} with {seen} elements, too many for {size}")
        if view.code == BAD_LINK:
            return Corrupt(f"{what} to entry {seen}, beyond the {view.count} of the directory")
        if view.code == BAD_VERSION:
            return Corrupt(f"version {seen} of the layout, expected {VERSION}")
        return MemoryError()


cdef int _take_buffers(Request *request, Counter counter, object indexes, object out) except -1:
    if counter is None:
        raise ValueError("a request begins with a Counter, not None")
    _take_buffer(&request.out, out, PyBUF_CONTIG_RO | PyBUF_WRITABLE, f"{counter.name!r}: out")
    request.whole = indexes is None
    if request.whole:
        return 0
    _take_buffer(&request.indexes, indexes, PyBUF_CONTIG_RO, f"{counter.name!r}: indexes")
    if request.out.len != request.indexes.len and request.out.len != 2 * request.indexes.len:
        raise ValueError(
            f"{counter.name!r}: out holds {request.out.len // 8} numbers for {request.indexes.len // 8} indexes"
        )
    return 0


cdef int _take_buffer(Py_buffer *buffer, object source, int flags, str what) except -1:
    try:
        PyObject_GetBuffer(source, buffer, flags | PyBUF_FORMAT)
    except BufferError as error:
        raise ValueError(f"{what} must be contiguous (and writable, if out): {error}") from error
    if (buffer.ndim != 1 or buffer.itemsize != 8 or buffer.format == NULL or <bytes>buffer.format not in (b"Q", b"L")
            or buffer.len and <size_t>buffer.buf % 8):
        raise ValueError(f"{what} must hold aligned unsigned 64-bit numbers in one dimension, as array('Q') does")
    return 0


cdef dict _names(Copy *copy):
    cdef dict found = {}
    cdef uint64_t i
    cdef uint32_t kind
    for i in range(copy.count):
        kind = load_u32(copy.entries + i * ENTRY_SIZE)
        if kind == KIND_ILLEGAL or kind == KIND_EMPTY:
            continue
        name, end, _ = (<const char *>copy.entries + i * ENTRY_SIZE + AT_NAME)[:NAME_SIZE].partition(b"\0")
        if not end:
            raise Corrupt(f"directory: the name of entry {i} has no end")
        found[name.decode("utf-8", "surrogateescape")] = kind
    return found
