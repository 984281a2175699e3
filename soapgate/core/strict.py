"""lxml as soapgate uses it on bytes from strangers: strict, deaf to the network, and bounded.

The one rule: what a message says must not outlive the message. lxml keeps every element name,
attribute name, prefix and namespace it ever saw in a dictionary of the *thread*, for good (up to
lxml 6; from 7 on the dictionary belongs to the parser). A stranger who invents names fills it:
memory grows without end, and after some hundred megabytes every parse in that thread fails. So
the thread's own dictionary only takes names until a budget is spent - far more than the names of
any set of services - and from then on a thread made for it parses, which is left for another one
when its dictionary has had its fill, too: slower (some 30 us), correct, and for ever bounded.

Dropped: counting names before the parse (costs more than the parse), and taking lxml's
dictionary out of the thread state (crashes).

Refused here: nothing. Entities stay unexpanded and no DTD is loaded, but a DOCTYPE must be
caught by the caller, before the parse. Comments and processing instructions leave no node, so
the text around them is one text.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any

from lxml import etree

# Bytes of messages that brought a name nobody had brought before. One message of 4 KiB in a
# session's first exchange is what an honest service spends on each of its operations.
NOVEL_BYTES = 8 * 1024 * 1024

_OPTIONS: dict[str, Any] = {
    "encoding": "utf-8",  # told, so that the XML declaration does not matter (RFC 7303 3.)
    "resolve_entities": False,
    "no_network": True,
    "load_dtd": False,
    "huge_tree": False,
    "remove_comments": True,
    "remove_pis": True,
}
# Counts the entries of the calling thread's dictionary; always 0 would mean
# that there is no such dictionary, and then there is nothing to bound.
_count_names: Callable[[], int] = etree.memory_debugger.dict_size


class _Names(threading.local):
    """What one thread has let into its dictionary."""

    def __init__(self) -> None:
        self.parser = etree.XMLParser(**_OPTIONS)
        self.count = _count_names()
        self.novel_bytes = 0
        self.apart: _Apart | None = None  # who parses when this thread has had its fill


_names = _Names()


def parse(data: bytes) -> etree._Element:
    """The root of a whole, well-formed UTF-8 document.

    Raises etree.XMLSyntaxError. Safe in any thread; the tree may be read in any thread.
    """
    names = _names
    if names.novel_bytes <= NOVEL_BYTES:
        return _parse_here(data)
    if names.apart is None or names.apart.full:
        names.apart = _Apart()
    return names.apart.parse(data)


def _parse_here(data: bytes) -> etree._Element:
    names = _names
    try:
        return etree.fromstring(data, names.parser)
    finally:
        count = _count_names()
        if count != names.count:
            names.count = count
            names.novel_bytes += len(data)


# a document, its root or what was wrong with it, whether the thread has had its fill
_Told = tuple[bytes, etree._Element | Exception, bool]


class _Apart:
    """A thread that parses for another, one document at a time, until it is dropped."""

    def __init__(self) -> None:
        self.full = False
        self._asked: SimpleQueue[bytes | None] = SimpleQueue()
        self._told: SimpleQueue[_Told] = SimpleQueue()
        queues = (self._asked, self._told)
        threading.Thread(target=_serve, args=queues, name="soapgate-names", daemon=True).start()

    def parse(self, data: bytes) -> etree._Element:
        """As the function of that name."""
        self._asked.put(data)
        of, told, self.full = self._told.get()
        while of is not data:  # whoever asked before was interrupted and took no answer
            of, told, self.full = self._told.get()
        if isinstance(told, Exception):
            raise told
        return told

    def __del__(self) -> None:
        self._asked.put(None)


def _serve(asked: SimpleQueue[bytes | None], told: SimpleQueue[_Told]) -> None:
    while (data := asked.get()) is not None:
        answer: etree._Element | Exception
        try:
            answer = _parse_here(data)
        except Exception as error:
            answer = error
        told.put((data, answer, _names.novel_bytes > NOVEL_BYTES))
        del data, answer  # a tree belongs to whoever asked for it
