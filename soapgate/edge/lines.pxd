# The types of `lines.py`.
cdef class DownstreamLine:
    cdef public bytes buffer, peer_bytes, scheme
    cdef public double deadline, ends
    cdef public object exchange, flow, front, transport
    cdef public bint input_ended
    cdef public str peer, state

cdef class UpstreamLine:
    cdef public bytes buffer
    cdef public double deadline
    cdef public object exchange, flow, member, transport
    cdef public bint lost, reused
