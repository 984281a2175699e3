# The types of `kept.py`.
cimport cython
from soapgate.core.pool cimport Member
from soapgate.edge._syscalls cimport alive
from soapgate.edge.known cimport KnownHeads
from soapgate.edge.lines cimport UpstreamLine

cdef class Kept:
    cdef public bint closed
    cdef public double keep_seconds, response_seconds
    cdef public list idle
    cdef public KnownHeads known
    cdef public Member member
    cdef public object seconds, waiting
    @cython.locals(connection=UpstreamLine)
    cpdef UpstreamLine take(self)
    cpdef keep(self, UpstreamLine connection, double now)
    cpdef leave(self)
