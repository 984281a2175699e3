# The types of `settled.py`.
cimport cython
from soapgate.core.keys cimport Keys
from soapgate.core.pool cimport Member

cdef class _Id:
    cdef public object pin
    cdef public tuple held
    cdef public str profile
    cdef public bytes alias, key
    cdef public bint bindable
    cdef public double fresh_until

cdef _Id _id(profile, bytes key, bint bindable)

cdef class Bound:
    cdef public str backend
    cdef public list _held, _ids
    cdef public tuple _told
    @cython.locals(one=_Id)
    cpdef tuple told(self)

@cython.locals(bound=Bound, held=list, one=_Id)
cdef Bound _bound(list ids)

cdef class Session:
    cdef public Bound bound
    cdef public list ids
    cdef public object found, of
    cdef public Settled settled

cdef class Settled:
    cdef object _glance, _names
    cdef Keys _keys
    cdef str _scope
    cdef double _recent, _max_age
    @cython.locals(bindable=bint, ids=dict, key=bytes, profile=str, session=Session)
    cpdef Session session(self, found)
    cdef bytes _key(self, profile, text)
    @cython.locals(before=tuple, one=_Id)
    cpdef Bound bound(self, Session session, double now)
    cdef bint _holds(self, _Id one, double now) except -1
    @cython.locals(key=bytes)
    cdef bint _leads(self, _Id one, alias, double now) except -1
    @cython.locals(created=double, ends=double, until=double, used=double)
    cdef double _fresh_until(self, pin) except? -1

@cython.locals(member=Member, members=dict)
cpdef bint takes(pool, str name) except -1
