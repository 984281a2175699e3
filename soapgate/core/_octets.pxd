# What other compiled modules call of `_octets.pyx` directly.
cpdef bint stands(bytes data, bytes piece, Py_ssize_t start)
cpdef Py_ssize_t run(bytes data, Py_ssize_t start, Py_ssize_t most, bytes allowed)
