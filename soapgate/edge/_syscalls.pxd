# What other compiled modules call of `_syscalls.pyx` directly.
cpdef bint alive(int fd)
cpdef Py_ssize_t send(int fd, bytes data)
cpdef Py_ssize_t send_parts(int fd, bytes one, bytes two, bytes data, Py_ssize_t start, bint more)
cpdef Py_ssize_t splice(int source, int target, Py_ssize_t most)
