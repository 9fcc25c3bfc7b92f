# cython: language_level=3, cdivision=True
"""Reads counters out of VPP's stats segment, safely; knows nothing of load balancing.

The Python face: names, buffers and errors in and out. What it rests on is free of Python and included: _statseg_read.pxi
reads under the epoch rule, _statseg_sum.pxi finds counters and sums them.
"""

import threading

cimport cython
from cpython.buffer cimport (PyBUF_CONTIG_RO, PyBUF_FORMAT, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer)
from cpython.exc cimport PyErr_SetFromErrno
from cpython.mem cimport PyMem_Calloc, PyMem_Free
from libc.stdlib cimport free
from posix.mman cimport MAP_FAILED, munmap
from posix.unistd cimport close

include "_statseg_read.pxi"
include "_statseg_sum.pxi"

SCALAR = 1
SIMPLE = 2
COMBINED = 3
GAUGE = 9

_KINDS = {0: "illegal entry", 1: "scalar", 2: "simple counter", 3: "combined counter", 4: "vector of names",
          5: "empty entry", 6: "symlink", 7: "histogram", 8: "ring buffer", 9: "gauge"}


class SegmentError(Exception):
    """Base of what reading a segment can end in."""


class Raced(SegmentError):
    """The writer never stood still for long enough; try again later."""


class Corrupt(SegmentError):
    """The segment breaks its own rules; what and where is in the message. Do not try again on this map."""


class Gone(SegmentError):
    """The segment was closed here, or its file was shrunk."""


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
