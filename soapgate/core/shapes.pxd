# The types of `shapes.py`.
cimport cython
from soapgate.core._octets cimport stands
from soapgate.core.markup cimport Mould
from soapgate.core.room cimport Room

cdef class Ids:
    cdef public tuple found
    cdef public object session

cpdef Ids ids_of(tuple found)

cdef class Told:
    cdef public Ids ids
    cdef object _bare
    cdef Py_ssize_t _read
    cdef _Shape _shape
    cdef tuple _values

cdef class _Cut:
    cdef public str before, behind
    cdef public Py_ssize_t group

cdef class _Shape:
    cdef public Mould mould
    cdef public object message_id, said, segments
    cdef public bytes latest
    cdef public dict known, looks
    cdef public tuple asked, ids

cdef class Shapes:
    cdef public Py_ssize_t hits, misses
    cdef public object watch
    cdef public object _consulted, _limits
    cdef public dict _known, _last, _sightings
    cdef public Py_ssize_t _barren, _count, _credit, _header_bytes
    cdef public Room _room
    @cython.locals(last=_Shape, shape=_Shape, tag=Py_ssize_t, told=Told)
    cpdef Told tell(self, bytes data, str action, Py_ssize_t start=*)
    @cython.locals(
        asked=tuple, end=Py_ssize_t, ids=Ids, key=tuple, look=bytes, stop=Py_ssize_t,
        told=Told, values=tuple,
    )
    cdef Told _cut(self, _Shape shape, bytes data, Py_ssize_t start)
    @cython.locals(cut=_Cut, found=list, most=Py_ssize_t, text=str)
    cdef Ids _ids(self, _Shape shape, tuple values)

@cython.locals(raw=bytes, text=str)
cdef str _text(_Cut cut, tuple values)
