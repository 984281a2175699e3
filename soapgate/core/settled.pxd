# The types of `settled.py`.
cimport cython
from soapgate.core.keys cimport Keys
from soapgate.core.pool cimport Member

cdef class _Id:
    cdef public object identity, pin
    cdef public str profile
    cdef public bytes key
    cdef public bint bindable
    cdef public double fresh_until

cdef class Session:
    cdef public list ids
    cdef public object found, of, route
    cdef public tuple identities
    cdef public Settled settled
    cdef public str backend

cdef class Settled:
    cdef object _glance, _names
    cdef Keys _keys
    cdef str _scope
    cdef double _recent, _max_age
    @cython.locals(bindable=bint, ids=dict, key=bytes, profile=str)
    cpdef Session session(self, found)
    cdef bytes _key(self, profile, text)
    @cython.locals(one=_Id)
    cpdef object route(self, Session session, double now)
    cdef bint _holds(self, _Id one, double now) except -1
    cdef bint _leads(self, _Id one, alias, double now) except -1
    cdef double _fresh_until(self, pin) except? -1

@cython.locals(member=Member, members=dict)
cpdef bint takes(pool, str name) except -1

cpdef object route(identities)
