# The types of `kept.py`.
cimport cython
from soapgate.core.pool cimport Member
from soapgate.edge.known cimport KnownHeads
from soapgate.edge.lines cimport UpstreamLine

cdef class Kept:
    cdef public bint closed
    cdef public list idle
    cdef public KnownHeads known
    cdef public Member member
    cdef public object limits, metrics, seconds, times, waiting
    @cython.locals(connection=UpstreamLine)
    cpdef object take(self)
    cpdef put(self, UpstreamLine connection)
    cpdef leave(self)
