# The types of `fastpath.py`.
cimport cython
from soapgate.core.pool cimport Member
from soapgate.core.settled cimport route as settled_route
from soapgate.edge.courses cimport Course, Trips
from soapgate.edge.kept cimport Kept
from soapgate.edge.known cimport KnownHeads
from soapgate.edge.lines cimport DownstreamLine, UpstreamLine

cdef class ShortWay:
    cdef public object desk, seconds
    cdef public bint logs
    cdef public dict trips
    cdef public Py_ssize_t went, came, read, sent, upstream_read, upstream_sent
    @cython.locals(known=KnownHeads, end=Py_ssize_t, ride=Ride)
    cpdef bint go(self, DownstreamLine downstream, bytes data, double began=*)
    @cython.locals(course=Course, size=Py_ssize_t, notes=dict, now=double, upstream=UpstreamLine, place=Kept)
    cdef bint _goes(
        self, Ride ride, DownstreamLine downstream, head, bytes data, Py_ssize_t end
    ) except -1
    cdef object _turn(self, service)

cdef class Ride:
    cdef public bint answered, short_of, tried
    cdef public bytes data
    cdef public object found, head, identities, route, scanned, turn
    cdef public Kept place
    cdef public DownstreamLine downstream
    cdef public UpstreamLine upstream
    cdef public Course course
    cdef public Py_ssize_t end, learned, written
    cdef public double decided, started
    cdef public ShortWay way
    cpdef bint answer(self, bytes data)
    @cython.locals(
        known=KnownHeads, end=Py_ssize_t, size=Py_ssize_t, course=Course, calm=tuple, way=ShortWay,
        trips=Trips, body=Py_ssize_t, forward=bytes, now=double, downstream=DownstreamLine,
        upstream=UpstreamLine, place=Kept, member=Member,
    )
    cdef bint _answers(self, bytes data) except -1
    cdef bint _echoes(self, shown) except -1
