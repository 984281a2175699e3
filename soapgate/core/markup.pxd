# The types of `markup.py`.
cimport cython

cdef class _Gap:
    cdef bytes allowed, behind, ends, last
    cdef bint wanted
    @cython.locals(last=bytes, stop=Py_ssize_t, value=bytes)
    cdef Py_ssize_t close(self, bytes data, Py_ssize_t at) except -2

cdef class Mould:
    cdef bytes _first
    cdef list _gaps
    @cython.locals(at=Py_ssize_t, stop=Py_ssize_t, values=list, gap=_Gap)
    cpdef tuple fit(self, bytes data, Py_ssize_t start)
