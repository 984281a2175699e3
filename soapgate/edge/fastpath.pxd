# The types of `fastpath.py`.
cimport cython
from soapgate.core.settled cimport Bound, Session, takes
from soapgate.core.shapes cimport Ids, Told
from soapgate.edge.courses cimport Course, Traffic
from soapgate.edge.kept cimport Kept
from soapgate.edge.known cimport Known, KnownHeads
from soapgate.edge.lines cimport DownstreamLine, Line, UpstreamLine, Way
from soapgate.edge.riding cimport Ride, ride
from soapgate.edge.splicing cimport Pipe

cdef class ShortWay(Way):
    cdef public object desk, seconds
    cdef public Pipe pipe
    cdef public dict trips
    cdef public Traffic traffic
    @cython.locals(heads=KnownHeads, known=Known, one=Ride)
    cpdef bint go(self, DownstreamLine downstream, bytes data, double began=*) except -1
    @cython.locals(
        bound=Bound, course=Course, data=bytes, end=Py_ssize_t, ids=Ids, left=Py_ssize_t, limit=double,
        more=bint, now=double, place=Kept, session=Session, size=Py_ssize_t, told=Told,
        upstream=UpstreamLine,
    )
    cdef bint _goes(self, Ride ride, DownstreamLine downstream, Known known) except -1
    @cython.locals(filled=Py_ssize_t)
    cdef bint _all_there(
        self, Ride ride, DownstreamLine downstream, Course course, Py_ssize_t left
    ) except -1
    cdef bytes _all_here(self, Ride ride)
    @cython.locals(session=Session)
    cdef Session _session(self, Ids ids, Course course)
    cdef object _turn(self, service)
