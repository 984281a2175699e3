"""A text cut in every way: what reads pieces must come to the same however they are cut.

each_way(lambda pieces: scan(pieces), data)  # whole, byte by byte and at every split: one answer
"""

from __future__ import annotations

PLACES = 400  # of a long text that is cut in two


def singly(data):
    """Byte by byte."""
    return [data[at : at + 1] for at in range(len(data))]


def cut(data, sizes):
    """Pieces of these sizes, and the rest."""
    pieces = []
    for size in sizes:
        pieces.append(data[:size])
        data = data[size:]
    return [*pieces, data]


def each_way(read, data):
    """What `read` makes of the pieces: of the whole, of single bytes, and of two pieces, cut at
    every place (of a long text at some `PLACES`)."""
    whole = read([data])
    assert read(singly(data)) == whole
    for at in range(1, len(data), max(1, len(data) // PLACES)):
        assert read([data[:at], data[at:]]) == whole, at
    return whole
