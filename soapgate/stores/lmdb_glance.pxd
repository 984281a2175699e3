# The types of `lmdb_glance.py`.
from soapgate.core.room cimport Room

cdef class Glance:
    cdef object _begin, _decode, _mend, _table
    cdef dict _pins
    cdef Room _room
