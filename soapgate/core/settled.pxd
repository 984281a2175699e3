# The types of `settled.py`.
cimport cython
from soapgate.core.keys cimport Keys

cdef class Settled:
    cdef object _glance, _names
    cdef Keys _keys
    cdef str _scope
    cdef double _recent, _max_age
    @cython.locals(keys=Keys, key=bytes)
    cpdef object ids(self, found, double now)
    cdef object _identity(self, profile, bytes key, bint bindable, double now)
    @cython.locals(until=double)
    cdef bint _fresh(self, pin, double now) except -1

cpdef object route(identities, pool)
