# The types of `durations.py`.
cimport cython

cdef class Durations:
    cdef public list counts
    cdef public double total
    cpdef add(self, double seconds)
