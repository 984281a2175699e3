"""Questions about octets, compiled: see `octets.py`, which answers the same."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.string cimport memcmp

cdef extern from *:
    """
    #include <string.h>
    typedef unsigned char sixteen_t __attribute__((vector_size(16)));

    /* Whether sixteen octets are all COMMON. */
    static inline int are_common(const unsigned char *octets) {
        sixteen_t all, others;
        unsigned long long halves[2];
        memcpy(&all, octets, 16);
        others = (sixteen_t)((all < 0x28) | (all > 0x7e) | (all == '<') | (all == ']'));
        memcpy(halves, &others, 16);
        return (halves[0] | halves[1]) == 0;
    }
    """
    bint are_common(const unsigned char *octets) nogil


cpdef bint stands(bytes data, bytes piece, Py_ssize_t start):
    cdef Py_ssize_t size = PyBytes_GET_SIZE(piece)
    return (
        0 <= start <= PyBytes_GET_SIZE(data) - size
        and memcmp(PyBytes_AS_STRING(data) + start, PyBytes_AS_STRING(piece), size) == 0
    )


cpdef Py_ssize_t run(bytes data, Py_ssize_t start, Py_ssize_t most, bytes allowed):
    cdef const unsigned char *octets = <const unsigned char *>PyBytes_AS_STRING(data)
    cdef const unsigned char *table = <const unsigned char *>PyBytes_AS_STRING(allowed)
    cdef Py_ssize_t stop = min(PyBytes_GET_SIZE(data), start + most)
    cdef Py_ssize_t block
    cdef bint common = table[256]
    while start < stop:
        if common and start + 16 <= stop and are_common(octets + start):
            start += 16
            continue
        block = min(start + 16, stop)
        while start < block:
            if not table[octets[start]]:
                return start
            start += 1
    return start
