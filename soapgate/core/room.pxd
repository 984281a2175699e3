# The types of `room.py`.
cdef class Room:
    cdef Py_ssize_t _came, _ends, _most
    cdef object _forget
    cpdef bint takes(self) except -1
