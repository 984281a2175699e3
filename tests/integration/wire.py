"""Raw HTTP/1.1 over sockets: the two peers of a gateway, as odd as a test wants them.

A library on either side would hide what is to be seen (who sent which byte, who closed what), so
messages are read here by the few rules that the tests rely on, and written as bytes. Every wait
has an end, `WAIT` seconds; nothing sleeps for a fixed time.
"""

from __future__ import annotations

import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field

WAIT = 30.0  # seconds until a test gives up: a loaded machine is slow, a broken gateway silent
LOOK = 0.02  # seconds between two looks
READ = 256 * 1024


class Ended(Exception):
    """The peer closed where more was wanted; the argument is what came before."""


def wait_for(look: Callable[[], object], what: str, seconds: float = WAIT) -> object:
    """What `look` returns, as soon as that is true; an AssertionError after `seconds`."""
    until = time.monotonic() + seconds
    while not (seen := look()):
        assert time.monotonic() < until, f"{what}: not within {seconds:g} s"
        time.sleep(LOOK)
    return seen


def settled(look: Callable[[], object], still: float = 0.4) -> object:
    """What `look` returns once that has not changed for `still` seconds."""
    until = time.monotonic() + WAIT
    seen, since = look(), time.monotonic()
    while time.monotonic() < since + still:
        assert time.monotonic() < until, "it never came to rest"
        time.sleep(LOOK)
        if (now := look()) != seen:
            seen, since = now, time.monotonic()
    return seen


@dataclass(slots=True)
class Message:
    """A request or a response. Names keep their case; `trailers` are those of a chunked body."""

    start: str
    fields: list[tuple[str, str]]
    body: bytes = b""
    trailers: list[tuple[str, str]] = field(default_factory=list)

    def all(self, name: str) -> list[str]:
        return [value for one, value in self.fields if one.lower() == name.lower()]

    def get(self, name: str) -> str:
        """The only value of a field, "" where there is none."""
        values = self.all(name)
        assert len(values) <= 1, f"{name} {len(values)} times"
        return values[0] if values else ""

    @property
    def status(self) -> int:
        return int(self.start.split()[1])

    @property
    def node(self) -> str:
        """Which backend answered."""
        return self.get("X-Node")


class Wire:
    """One connection, read through a buffer."""

    def __init__(self, sock: socket.socket) -> None:
        sock.settimeout(WAIT)
        self.sock = sock
        self.received = 0
        self._buffer = bytearray()

    def __enter__(self) -> Wire:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()

    def __del__(self) -> None:
        # of a test that failed: its failure is to be read, not a warning
        with suppress(AttributeError):  # it never connected
            self.sock.close()

    # Writing

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def half_close(self) -> None:
        """Say that nothing more will be sent."""
        self.sock.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        self.sock.close()

    def reset(self) -> None:
        """Close as a crashed program does."""
        with suppress(OSError):
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    # Reading

    def some(self) -> bytes:
        """What comes next; b"" at the end."""
        if self._buffer:
            data = bytes(self._buffer)
            self._buffer.clear()
            return data
        data = self.sock.recv(READ)
        self.received += len(data)
        return data

    def _more(self) -> None:
        data = self.sock.recv(READ)
        if not data:
            raise Ended(bytes(self._buffer))
        self.received += len(data)
        self._buffer += data

    def until(self, mark: bytes) -> bytes:
        """All up to `mark`, which is dropped."""
        while (at := self._buffer.find(mark)) < 0:
            self._more()
        data = bytes(self._buffer[:at])
        del self._buffer[: at + len(mark)]
        return data

    def exactly(self, size: int) -> bytes:
        return b"".join(self.pieces(size))

    def pieces(self, size: int) -> Iterator[bytes]:
        """`size` bytes, as they come."""
        while size:
            data = self.some()
            if not data:
                raise Ended(b"")
            if len(data) > size:
                self._buffer += data[size:]
                data = data[:size]
            size -= len(data)
            yield data

    def rest(self) -> bytes:
        """All until the peer closes; a reset is an end as well."""
        pieces = []
        with suppress(ConnectionError):
            while data := self.some():
                pieces.append(data)
        return b"".join(pieces)

    def peer_closed(self) -> bool:
        """Wait for the end of the connection; False when bytes come instead."""
        try:
            return not self.some()
        except ConnectionError:
            return True

    def head(self) -> Message:
        lines = self.until(b"\r\n\r\n").decode("latin-1").split("\r\n")
        return Message(lines[0], _fields(lines[1:]))

    def chunks(self, message: Message) -> Iterator[bytes]:
        """The pieces of a chunked body; its trailers go into `message`."""
        while size := int(self.until(b"\r\n").partition(b";")[0], 16):
            yield from self.pieces(size)
            assert self.exactly(2) == b"\r\n"
        while line := self.until(b"\r\n"):
            message.trailers += _fields([line.decode("latin-1")])

    def body(self, message: Message, *, method: str = "") -> Iterator[bytes]:
        """The pieces of a message's body; `method`: of the request that `message` answers."""
        if message.start.startswith("HTTP/"):
            if method == "HEAD" or message.status < 200 or message.status in (204, 304):
                return
            endless = True
        else:
            endless = False
        if message.get("Transfer-Encoding"):
            yield from self.chunks(message)
        elif length := message.get("Content-Length"):
            yield from self.pieces(int(length))
        elif endless:
            while data := self.some():
                yield data

    def message(self, *, method: str = "") -> Message:
        """A whole message."""
        message = self.head()
        message.body = b"".join(self.body(message, method=method))
        return message


def _fields(lines: list[str]) -> list[tuple[str, str]]:
    return [(name, value.strip()) for name, _, value in (line.partition(":") for line in lines)]


class Client(Wire):
    """A connection to a gateway: to a port of 127.0.0.1 or to the path of a socket."""

    def __init__(
        self, to: int | str, *, tls: ssl.SSLContext | None = None, window: int = 0
    ) -> None:
        """`window`: bytes that the kernel may hold for a reader who does not read."""
        sock = socket.socket(socket.AF_UNIX if isinstance(to, str) else socket.AF_INET)
        sock.settimeout(WAIT)
        try:
            if window:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, window)
            sock.connect(to if isinstance(to, str) else ("127.0.0.1", to))
            if tls is not None:
                sock = tls.wrap_socket(sock, server_hostname="localhost")
        except BaseException:
            sock.close()
            raise
        super().__init__(sock)

    def ask(self, request: bytes) -> Message:
        """Send a request and read its final response."""
        self.send(request)
        method = request.partition(b" ")[0].decode()
        while (reply := self.message(method=method)).status < 200:
            pass
        return reply


def ask(to: int | str, request: bytes) -> Message:
    """One request on a connection of its own."""
    with Client(to) as client:
        return client.ask(request)


class Backend:
    """A server on a free port. `serve(wire)` is the whole life of one connection, in a thread of
    its own; left out, requests are answered one by one with what `reply(request)` returns.

    `requests` are those that were read whole, `heard` counts the bytes of all connections and
    `served` the connections on which something was said: a probe only connects.
    """

    def __init__(
        self,
        name: str = "b1",
        *,
        reply: Callable[[Message], bytes] | None = None,
        serve: Callable[[Wire], None] | None = None,
        port: int = 0,
        tls: ssl.SSLContext | None = None,
        window: int = 0,
    ) -> None:
        self.name = name
        self.requests: list[Message] = []
        self.wires: list[Wire] = []
        self.failed: list[BaseException] = []
        self._reply = reply or (lambda request: ok(b"<ok/>", ("X-Node", name)))
        self._serve = serve or self._answer
        self._tls = tls
        self._threads: list[threading.Thread] = []
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if window:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, window)
        self._socket.bind(("127.0.0.1", port))
        self._socket.listen(512)
        self.port: int = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"

    @property
    def heard(self) -> int:
        return sum(wire.received for wire in self.wires)

    @property
    def served(self) -> int:
        return sum(wire.received > 0 for wire in self.wires)

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._socket.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._connected, args=(sock,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _connected(self, sock: socket.socket) -> None:
        wire: Wire | None = None
        try:
            if self._tls is not None:
                sock.settimeout(WAIT)
                sock = self._tls.wrap_socket(sock, server_side=True)
            wire = Wire(sock)
            self.wires.append(wire)
            self._serve(wire)
        except (Ended, OSError):
            pass  # the gateway closed, or the test did
        except BaseException as error:
            self.failed.append(error)
        finally:
            sock.close()

    def _answer(self, wire: Wire) -> None:
        while True:
            request = wire.message()
            self.requests.append(request)
            wire.send(self._reply(request))

    def stop(self) -> None:
        """Close everything, as a killed process does."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join(WAIT)
        for wire in self.wires:
            with suppress(OSError):
                wire.sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(WAIT)

    def again(self) -> Backend:
        """The same server, started anew on its port."""
        return Backend(self.name, reply=self._reply, port=self.port, tls=self._tls)


# Messages


def lines(start: str, fields: tuple[tuple[str, str], ...]) -> bytes:
    """A head."""
    return "".join(
        [start, "\r\n", *(f"{name}: {value}\r\n" for name, value in fields), "\r\n"]
    ).encode("latin-1")


def ok(body: bytes = b"", *fields: tuple[str, str], status: str = "200 OK") -> bytes:
    """A response with a Content-Length."""
    length = ("Content-Length", str(len(body)))
    return lines(f"HTTP/1.1 {status}", (("Content-Type", "text/xml"), length, *fields)) + body


def post(body: bytes = b"", *fields: tuple[str, str], path: str = "/shop") -> bytes:
    """A SOAP request with a Content-Length."""
    length = ("Content-Length", str(len(body)))
    usual = (("Host", "shop.example"), ("Content-Type", "text/xml; charset=utf-8"), length)
    return lines(f"POST {path} HTTP/1.1", (*usual, *fields)) + body


def start_of(*fields: tuple[str, str], method: str = "POST", path: str = "/data") -> bytes:
    """The head of a request that is not SOAP."""
    usual = (("Host", "shop.example"), ("Content-Type", "application/octet-stream"))
    return lines(f"{method} {path} HTTP/1.1", (*usual, *fields))


def chunked(*pieces: bytes, trailers: bytes = b"") -> bytes:
    """A body in chunks."""
    sizes = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
    return sizes + b"0\r\n" + trailers + b"\r\n"


SOAP11 = "http://schemas.xmlsoap.org/soap/envelope/"
SOAP12 = "http://www.w3.org/2003/05/soap-envelope"


def envelope(
    header: str = "", body: str = "<s:items/>", *, soap: str = SOAP11, padding: int = 0
) -> bytes:
    """An envelope of the shop; `padding` characters make its body longer."""
    head = f"<e:Header>{header}</e:Header>" if header else ""
    fill = f"<s:fill>{'x' * padding}</s:fill>" if padding else ""
    return (
        f'<e:Envelope xmlns:e="{soap}" xmlns:s="urn:example:shop">{head}'
        f"<e:Body>{body}{fill}</e:Body></e:Envelope>"
    ).encode()


def session(identity: str) -> str:
    """The header block with an id that a backend issued."""
    return f'<s:Session id="{identity}"/>'


def client_made(identity: str) -> str:
    """The header block with an id that the client made up."""
    return f'<s:Client id="{identity}"/>'


def shop(name: str) -> Callable[[Message], bytes]:
    """How a shop answers: its name in X-Node, and a new session for a login."""
    issued = iter(range(1, 1_000_000))

    def reply(request: Message) -> bytes:
        header = session(f"{name}-secret-{next(issued)}") if b"<s:login/>" in request.body else ""
        return ok(envelope(header, "<s:done/>"), ("X-Node", name))

    return reply


def issued_id(reply: Message) -> str:
    """The session id in a shop's answer to a login."""
    assert reply.status == 200
    return reply.body.decode().partition('<s:Session id="')[2].partition('"')[0]


def slow(begun: threading.Event, go: threading.Event) -> Callable[[Wire], None]:
    """A backend's connection that answers when it is told to."""

    def serve(wire: Wire) -> None:
        while True:
            wire.message()
            begun.set()
            assert go.wait(WAIT)
            wire.send(ok(b"x" * 1_000_000))

    return serve
