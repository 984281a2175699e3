# The types of `markup.py`.
cimport cython

cdef class Mould:
    cdef bytes _first
    cdef list _rest
    @cython.locals(
        literal=bytes, at=Py_ssize_t, stop=Py_ssize_t, value=bytes, values=list, ends=bytes,
        allowed=bytes,
    )
    cpdef tuple fit(self, bytes data, Py_ssize_t start)
