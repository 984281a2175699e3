# The types of `durations.py`.
cimport cython

cdef class Durations:
    cdef public list counts
    cdef public double total
    @cython.locals(bound=double, place=Py_ssize_t)
    cpdef add(self, double seconds)
