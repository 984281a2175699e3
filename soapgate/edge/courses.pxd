# The types of `courses.py`.
from soapgate.core.settled cimport Settled
from soapgate.core.shapes cimport Shapes
from soapgate.edge.durations cimport Durations

cdef class Trips:
    cdef public Durations durations
    cdef public Py_ssize_t pinned, unpinned, asked_found, asked_none, told_found, told_none

cdef class Course:
    cdef public object tables, said, service, action, watch, pool, found
    cdef public Py_ssize_t max_body
    cdef public bytes peer, scheme, traces
    cdef public Settled settled
    cdef public Shapes shapes, replies
    cdef public dict dialers
    cdef public Trips trips
