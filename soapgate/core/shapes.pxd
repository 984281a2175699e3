# The types of `shapes.py`.
cimport cython
from soapgate.core.markup cimport Mould

cdef class _Shape:
    cdef public Mould mould
    cdef public object segments, soap, message_id
    cdef public tuple ids, latest
    cdef public dict looks

cdef class Shapes:
    cdef public Py_ssize_t hits, misses
    cdef public object watch
    cdef public object _consulted, _limits
    cdef public dict _known, _last, _sightings
    cdef public Py_ssize_t _count, _barren, _credit
    @cython.locals(shape=_Shape, tag=Py_ssize_t)
    cpdef object scan(self, bytes data, str action, Py_ssize_t start=*)
    @cython.locals(
        end=Py_ssize_t, stop=Py_ssize_t, most=Py_ssize_t, found=list, groups=list, text=str,
        look=bytes,
    )
    cdef object _cut(self, _Shape shape, tuple matched, bytes data, Py_ssize_t start)
