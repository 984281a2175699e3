# The types of `known.py`.
cimport cython

cdef class _Known:
    cdef public object head
    cdef public bytes digits, first, rest, before, behind
    @cython.locals(start=Py_ssize_t, stop=Py_ssize_t, digits=bytes)
    cpdef Py_ssize_t fit(self, bytes data) except -1

cdef class KnownHeads:
    cdef public Py_ssize_t end
    cdef public object _parse, _entries
    cdef public dict _known
    cdef _Known _latest
    @cython.locals(known=_Known, end=Py_ssize_t)
    cpdef object take(self, bytes data)
