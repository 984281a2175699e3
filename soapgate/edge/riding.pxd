# The types of `riding.py`.
cimport cython
from soapgate.core.pool cimport Member
from soapgate.core.settled cimport Bound
from soapgate.core.shapes cimport Ids, Told
from soapgate.edge.courses cimport Course, Traffic, Trips
from soapgate.edge.kept cimport Kept
from soapgate.edge.known cimport Known, KnownHeads
from soapgate.edge.lines cimport Doorway, DownstreamLine, Line, Rider, UpstreamLine

cdef class Ride(Rider):
    cdef public bint answered, short_of, tried
    cdef public bytes data, digits
    cdef public object found, turn
    cdef public Bound bound
    cdef public Course course
    cdef public DownstreamLine downstream
    cdef public Kept place
    cdef public Known known
    cdef public Told told
    cdef public UpstreamLine upstream
    cdef public Traffic traffic
    cdef public Py_ssize_t end, held, learned, read, written
    cdef public double decided, started
    cpdef bint answer(self, bytes data) except -1
    @cython.locals(
        course=Course, downstream=DownstreamLine, end=Py_ssize_t, forward=bytes, front=Doorway,
        heads=KnownHeads, known=Known, member=Member, now=double, place=Kept, sent=Py_ssize_t,
        shown=Ids, size=Py_ssize_t, told=Told, trips=Trips, traffic=Traffic, upstream=UpstreamLine,
    )
    cdef bint _answers(self, bytes data) except -1
    cdef bint _echoes(self, Ids shown) except -1

@cython.locals(one=Ride)
cpdef Ride ride(bytes data, Py_ssize_t end, Known known, double began)
