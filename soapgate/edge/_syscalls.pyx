"""The system calls of the data path, compiled: see `syscalls.py`, which does the same."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.exc cimport PyErr_CheckSignals
from libc.errno cimport EAGAIN, EINTR, errno
from libc.stdint cimport uint32_t
from libc.string cimport memset

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
    int MSG_PEEK, MSG_DONTWAIT, MSG_NOSIGNAL

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
    OCTETS = 256 * 1024  # as long as the longest read that is asked for (`flow.LONG_READ`)

# One reactor runs in a process, and in one thread, and what was read is copied at once.
cdef char _octets[OCTETS]


def alive(peer) -> bool:
    cdef char one
    cdef int fd = peer.fileno()
    return fd >= 0 and c_recv(fd, &one, 1, MSG_PEEK | MSG_DONTWAIT) < 0 and errno == EAGAIN


def send(peer, bytes data) -> int:
    cdef ssize_t sent = c_send(
        peer.fileno(), PyBytes_AS_STRING(data), PyBytes_GET_SIZE(data), MSG_DONTWAIT | MSG_NOSIGNAL
    )
    return max(sent, 0)


def send_two(peer, bytes head, bytes data, Py_ssize_t start) -> int:
    cdef iovec parts[2]
    cdef msghdr message
    memset(&message, 0, sizeof(message))
    parts[0].iov_base = PyBytes_AS_STRING(head)
    parts[0].iov_len = PyBytes_GET_SIZE(head)
    parts[1].iov_base = PyBytes_AS_STRING(data) + start
    parts[1].iov_len = PyBytes_GET_SIZE(data) - start
    message.msg_iov = parts
    message.msg_iovlen = 2
    return max(c_sendmsg(peer.fileno(), &message, MSG_DONTWAIT | MSG_NOSIGNAL), 0)


def turn(reactor, timeout, tuple plain, log) -> None:
    cdef int poller = reactor._poller.fileno()
    cdef dict selectables = reactor._selectables
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
        if event == EPOLLIN and type(selectable) in plain:
            try:
                why = _read(selectable, fd)
            except Exception as error:
                log.failure("reading from {selectable}", selectable=selectable)
                why = error
            if why:
                reactor._disconnectSelectable(selectable, why, True)
        else:
            reactor._doReadOrWrite(selectable, fd, event)


cdef object _read(transport, int fd):
    cdef ssize_t got
    if "doRead" in transport.__dict__:
        return transport.doRead()
    got = c_recv(fd, _octets, min(OCTETS, <ssize_t>transport.bufferSize), MSG_DONTWAIT)
    if got < 0:
        return transport.doRead()
    if got == 0:
        return CONNECTION_DONE
    transport.protocol.dataReceived(PyBytes_FromStringAndSize(_octets, got))
    return None
