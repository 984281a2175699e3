# The types of `markup.py`.
cimport cython
from soapgate.core._octets cimport run, stands

cdef class _Gap:
    cdef bytes allowed, behind, last
    @cython.locals(last=bytes, raw=cython.p_char, stop=Py_ssize_t)
    cdef Py_ssize_t close(self, bytes data, Py_ssize_t at) except -2

cdef class Mould:
    cdef bytes _first
    cdef list _gaps, _wanted
    @cython.locals(at=Py_ssize_t, stop=Py_ssize_t, gap=_Gap)
    cpdef Py_ssize_t fit(self, bytes data, Py_ssize_t start) except -2
    @cython.locals(gap=_Gap, one=_Gap, wanted=list)
    cpdef tuple values(self)
