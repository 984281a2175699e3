# The types of `lmdb_glance.py`.
cimport cython
from libc.stdint cimport uint64_t

from soapgate.core.room cimport Room

cdef class _Seen:
    cdef uint64_t at
    cdef object pin

cdef class Glance:
    cdef object _begin, _decode, _mend, _table
    cdef dict _seen
    cdef const uint64_t[::1] _marks
    cdef Room _room
    @cython.locals(at=uint64_t, seen=_Seen)
    cpdef object look(self, bytes key)
