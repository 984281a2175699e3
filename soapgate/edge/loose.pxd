# The types of `loose.py`.
cimport cython
from soapgate.core.markup cimport Mould
from soapgate.edge.known cimport Known

cdef class Loose(Known):
    cdef object _parse
    cdef Py_ssize_t _length, _most
    cdef Mould _mould
    cdef list _pieces
    cdef tuple _values
    @cython.locals(digits=bytes, end=Py_ssize_t, raw=bytes, values=tuple)
    cdef Py_ssize_t fit(self, bytes data) except -1
    @cython.locals(number=Py_ssize_t, parts=list)
    cdef bytes _filled(self, tuple values)
    cpdef object head(self, bytes digits)
    cpdef object exact(self, bytes data, Py_ssize_t end, bytes digits)

cdef class LooseHeads:
    cdef public Py_ssize_t end
    cdef object _parse, _reads
    cdef Py_ssize_t _most
    cdef list _loose
    cdef dict _seen
    @cython.locals(end=Py_ssize_t, one=Loose)
    cpdef Loose find(self, bytes data)
    @cython.locals(one=Loose)
    cpdef object learn(self, bytes raw, head)
    cpdef bytes _skeleton(self, bytes line)
