# The types of `settled.py`.
cimport cython

cdef class Settled:
    cdef object _glance, _names
    cdef double _recent, _max_age
    cpdef object ids(self, found, double now)
    cdef object _identity(self, profile, bytes key, bint bindable, double now)
    @cython.locals(until=double)
    cdef bint _fresh(self, pin, double now) except -1

cpdef object route(identities, pool)
