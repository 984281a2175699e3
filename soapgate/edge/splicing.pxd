# The types of `splicing.py`.
cimport cython
from soapgate.edge._syscalls cimport splice
from soapgate.edge.lines cimport Line

cdef class Pipe:
    cdef int _reads, _writes
    cpdef Py_ssize_t fill(self, Line source, Py_ssize_t most) except? -2
    @cython.locals(moved=Py_ssize_t)
    cpdef object drain(self, Line target, Py_ssize_t octets)
    cpdef bytes take_back(self, Py_ssize_t octets)
