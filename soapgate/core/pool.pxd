# The types of `pool.py`.
cdef class Member:
    cdef public str name, seen_at
    cdef public object _admin, _backend, _changed, _filled, _health
    cdef public Py_ssize_t _inflight, _limit, _streak, _waiting, _weight
    cdef public bint _up, accepts_pinned, full, ready
    cdef public double load
    cpdef bint mark(self, bint ok) except? -1
    cpdef bint enter(self) except? -1
    cpdef leave(self)
    cpdef _count(self, Py_ssize_t inflight)
