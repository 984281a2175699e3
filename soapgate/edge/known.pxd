# The types of `known.py`.
cimport cython
from soapgate.core._octets cimport stands

cdef class Known:
    cdef bytes _before, _behind, _first, _of, _rest, _tail
    cdef object _head
    cdef public bint as_came, calm, readable
    cdef public bytes digits, forward
    cdef public object course, watch
    cdef public Py_ssize_t size
    @cython.locals(at=Py_ssize_t)
    cdef Py_ssize_t fit(self, bytes data) except -1
    @cython.locals(stop=Py_ssize_t, digits=bytes)
    cdef Py_ssize_t _resize(self, bytes data, Py_ssize_t start) except -1
    cpdef object head(self, bytes digits)
    cpdef object exact(self, bytes data, Py_ssize_t end, bytes digits)

cdef class KnownHeads:
    cdef public Py_ssize_t end
    cdef public object _parse, _loose, _room
    cdef public dict _known
    cdef Known _latest
    @cython.locals(known=Known, end=Py_ssize_t)
    cpdef Known find(self, bytes data)
