# The types of `lines.py`.
cimport cython
from soapgate.edge._syscalls cimport send, send_parts
from soapgate.edge.known cimport KnownHeads

cdef class Line:
    cdef public bytes buffer
    cdef public double deadline
    cdef public object detour, exchange, flow, transport
    cdef public int fd
    cdef public Py_ssize_t most
    cdef public bint plain, waits
    cpdef bint free(self) except -1
    @cython.locals(sent=Py_ssize_t)
    cpdef send(self, bytes data)
    @cython.locals(first=Py_ssize_t, second=Py_ssize_t, size=Py_ssize_t, sent=Py_ssize_t)
    cpdef Py_ssize_t send_parts(
        self, bytes one, bytes two, bytes data, Py_ssize_t start, bint more
    ) except -1
    cdef heard(self, bytes data)

cdef class Way:
    cpdef bint go(self, DownstreamLine downstream, bytes data, double began=*) except -1

cdef class Rider:
    cpdef bint answer(self, bytes data) except -1

cdef class Doorway:
    cdef public KnownHeads known
    cdef public Way short
    cdef public bint closing
    cdef public double idle_seconds, exchange_seconds

cdef class DownstreamLine(Line):
    cdef public bytes peer_bytes, scheme
    cdef public double ends
    cdef public Py_ssize_t first
    cdef public Doorway front
    cdef public bint input_ended
    cdef public str peer, state
    @cython.locals(short=Way)
    cdef heard(self, bytes data)

cdef class UpstreamLine(Line):
    cdef public object member
    cdef public bint lost, reused
    @cython.locals(rider=Rider)
    cdef heard(self, bytes data)
