# The types of `lmdb_glance.py`.
cdef class Glance:
    cdef object _begin, _decode, _mend, _table
    cdef dict _pins
