# The types of `known.py`.
cimport cython

cdef class _Known:
    cdef public object head
    cdef public bytes digits, before, behind

cdef class KnownHeads:
    cdef public Py_ssize_t end
    cdef public object _parse, _entries
    cdef public dict _known
    @cython.locals(
        end=Py_ssize_t, mark=Py_ssize_t, start=Py_ssize_t, stop=Py_ssize_t, key=bytes,
        digits=bytes, known=_Known,
    )
    cpdef object take(self, bytes data)
