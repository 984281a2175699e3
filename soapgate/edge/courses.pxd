# The types of `courses.py`.
from soapgate.core.settled cimport Settled
from soapgate.core.shapes cimport Ids, Shapes
from soapgate.edge.durations cimport Durations

cdef class Traffic:
    cdef public object desk, seconds
    cdef public bint logs
    cdef public Py_ssize_t went, came, read, sent, upstream_read, upstream_sent

cdef class Trips:
    cdef public Durations durations
    cdef public Py_ssize_t pinned, unpinned, asked_found, asked_none, told_found, told_none

cdef class Course:
    cdef public object found, pool, said, service, tables, watch
    cdef public str action
    cdef public bint expects, keeps, stays
    cdef public Py_ssize_t max_body
    cdef public bytes last_hop, peer, scheme, traces
    cdef public Settled settled
    cdef public Ids ids
    cdef public Shapes shapes, replies
    cdef public dict dialers
    cdef public Trips trips
