"""The system calls of the data path, compiled: see `syscalls.py`, which does the same."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.exc cimport PyErr_CheckSignals
from libc.errno cimport EAGAIN, EINTR, errno
from libc.stdint cimport uint32_t
from libc.string cimport memcpy, memset

from soapgate.edge.lines cimport Line

from twisted.internet.main import CONNECTION_DONE


cdef extern from "sys/socket.h" nogil:
    ssize_t c_recv "recv" (int, void *, size_t, int)
    ssize_t c_send "send" (int, const void *, size_t, int)
    ssize_t c_sendmsg "sendmsg" (int, const msghdr *, int)
    struct iovec:
        void *iov_base
        size_t iov_len
    struct msghdr:
        iovec *msg_iov
        size_t msg_iovlen
    int MSG_PEEK, MSG_DONTWAIT, MSG_NOSIGNAL, MSG_MORE

cdef extern from *:
    """
    #ifndef _GNU_SOURCE
    #define _GNU_SOURCE
    #endif
    #include <fcntl.h>
    """
    ssize_t c_splice "splice" (int, void *, int, void *, size_t, unsigned int) nogil
    unsigned int SPLICE_F_MOVE, SPLICE_F_NONBLOCK

cdef extern from "sys/epoll.h" nogil:
    ctypedef union epoll_data_t:
        int fd
    struct epoll_event:
        uint32_t events
        epoll_data_t data
    int epoll_wait(int, epoll_event *, int, int)
    uint32_t EPOLLIN

cdef enum:
    EVENTS = 256
    OCTETS = 64 * 1024  # as long as the longest read that is asked for (`lines.READ`)
    TOGETHER = 2 * 1024  # octets up to which a copy costs less than a call with three buffers

# One reactor runs in a process, and in one thread, and what was read is copied at once.
cdef char _octets[OCTETS]


cpdef bint alive(int fd):
    cdef char one
    return fd >= 0 and c_recv(fd, &one, 1, MSG_PEEK | MSG_DONTWAIT) < 0 and errno == EAGAIN


cpdef Py_ssize_t send(int fd, bytes data):
    cdef ssize_t sent = c_send(
        fd, PyBytes_AS_STRING(data), PyBytes_GET_SIZE(data), MSG_DONTWAIT | MSG_NOSIGNAL
    )
    return max(sent, 0)


cpdef Py_ssize_t send_parts(int fd, bytes one, bytes two, bytes data, Py_ssize_t start, bint more):
    cdef int flags = MSG_DONTWAIT | MSG_NOSIGNAL | (MSG_MORE if more else 0)
    cdef Py_ssize_t first = PyBytes_GET_SIZE(one)
    cdef Py_ssize_t second = PyBytes_GET_SIZE(two)
    cdef Py_ssize_t third = PyBytes_GET_SIZE(data) - start
    cdef iovec parts[3]
    cdef msghdr message
    if first + second + third <= TOGETHER:
        memcpy(_octets, PyBytes_AS_STRING(one), first)
        memcpy(_octets + first, PyBytes_AS_STRING(two), second)
        memcpy(_octets + first + second, PyBytes_AS_STRING(data) + start, third)
        return max(c_send(fd, _octets, first + second + third, flags), 0)
    memset(&message, 0, sizeof(message))
    parts[0].iov_base = PyBytes_AS_STRING(one)
    parts[0].iov_len = first
    parts[1].iov_base = PyBytes_AS_STRING(two)
    parts[1].iov_len = second
    parts[2].iov_base = PyBytes_AS_STRING(data) + start
    parts[2].iov_len = third
    message.msg_iov = parts
    message.msg_iovlen = 3
    return max(c_sendmsg(fd, &message, flags), 0)


cpdef Py_ssize_t splice(int source, int target, Py_ssize_t most):
    return c_splice(source, NULL, target, NULL, most, SPLICE_F_MOVE | SPLICE_F_NONBLOCK)


def turn(reactor, timeout, log) -> None:
    cdef int poller = reactor._poller.fileno()
    cdef dict selectables = reactor._selectables
    cdef dict lines = reactor.lines
    cdef int most = min(EVENTS, max(1, len(selectables)))
    # up to the next millisecond: sooner would be too early, and asked again at once
    cdef int wait = -1 if timeout is None else <int>(<double>timeout * 1000 + 0.999)
    cdef int count, number, fd
    cdef uint32_t event
    cdef epoll_event events[EVENTS]  # of this call: what is served may run another turn (`iterate`)
    with nogil:
        count = epoll_wait(poller, events, most, wait)
    if count < 0:
        if errno != EINTR:
            raise OSError(errno, "epoll_wait")
        PyErr_CheckSignals()
        return
    for number in range(count):
        fd = events[number].data.fd
        event = events[number].events
        selectable = selectables.get(fd)
        if selectable is None:
            continue
        line = lines.get(fd) if event == EPOLLIN else None
        if line is None:
            reactor._doReadOrWrite(selectable, fd, event)
            continue
        try:
            why = _read(<Line>line, selectable)
        except Exception as error:
            log.failure("reading from {selectable}", selectable=selectable)
            why = error
        if why:
            reactor._disconnectSelectable(selectable, why, True)


cdef object _read(Line line, transport):
    cdef ssize_t got
    if line.detour is not None:
        return line.detour.read()
    got = c_recv(line.fd, _octets, min(<ssize_t>OCTETS, line.most), MSG_DONTWAIT)
    if got < 0:
        return transport.doRead()
    if got == 0:
        return CONNECTION_DONE
    line.heard(PyBytes_FromStringAndSize(_octets, got))
    return None
