# The types of `keys.py`.
cdef class Keys:
    cdef object _secret
    cdef dict _started
    cpdef bytes key(self, str scope, str profile, str session_id)
