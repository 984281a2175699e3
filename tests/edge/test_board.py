"""What workers see of each other: places, queues, turns and bells."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from soapgate.edge.board import CLIENTS, ROWS, Bells, Board, make_board, size


@pytest.fixture
def fd() -> Iterator[int]:
    """A board of three workers; record locks are one process's, so these views don't exclude."""
    made = make_board(3)
    yield made
    os.close(made)


@pytest.fixture
def boards(fd: int) -> list[Board]:
    return [Board(fd, 3, number) for number in range(3)]


def test_a_count_is_seen_by_all_at_once(fd: int, boards: list[Board]) -> None:
    boards[0].row(7).counts[0] = 2
    boards[2].row(7).counts[2] = 3
    assert [board.row(7).inflight for board in (*boards, Board(fd, 3))] == [5, 5, 5, 5]
    assert boards[1].row(6).inflight == boards[1].row(8).inflight == 0


def test_rows_do_not_touch(boards: list[Board]) -> None:
    for number in (0, 1, 2, ROWS - 1):
        row = boards[1].row(number)
        row.counts[1] = 1
        row.wait(number + 1)
    for number in (0, 1, 2, ROWS - 1):
        row = boards[0].row(number)
        assert (row.inflight, row.waiting, list(row.turns)) == (1, number + 1, [0, 1, 0])


@pytest.mark.parametrize("number", [-1, ROWS])
def test_there_is_an_end_to_the_rows(boards: list[Board], number: int) -> None:
    with pytest.raises(ValueError, match=f"no row {number}"):
        boards[0].row(number)


def test_a_board_takes_no_more_memory_than_it_says(fd: int) -> None:
    assert os.fstat(fd).st_size == size(3) == ROWS * 4 * 16


def test_places_are_taken_up_to_the_limit_of_all(boards: list[Board]) -> None:
    rows = [board.row(1) for board in boards]
    assert [row.take(2) for row in rows] == [True, True, False]
    rows[0].counts[0] -= 1
    assert rows[2].take(2)
    assert list(rows[0].counts) == [0, 1, 1]


def test_a_newcomer_does_not_overtake_who_waits_elsewhere(boards: list[Board]) -> None:
    one, other, _ = (board.row(1) for board in boards)
    other.wait(1)
    assert not one.take(5)
    other.wait(0)
    assert one.take(5)


def test_who_waits_takes_turns_across_workers(boards: list[Board]) -> None:
    rows = [board.row(1) for board in boards]
    for row in rows:
        assert row.take_turn(0) is False
    rows[1].wait(2)
    rows[0].wait(1)
    rows[2].wait(1)
    came = []
    for _ in range(4):
        (admitted,) = [n for n, row in enumerate(rows) if row.take_turn(len(came) + 1)]
        came.append(admitted)
        rows[admitted].wait(rows[admitted].waits[admitted] - 1)
    assert came == [1, 0, 2, 1]


def test_without_a_place_it_is_nobodys_turn(boards: list[Board]) -> None:
    row = boards[0].row(1)
    row.wait(1)
    assert not row.take_turn(0)
    assert row.take_turn(1)


def test_those_are_rung_who_wait_while_there_is_a_place(boards: list[Board]) -> None:
    rows = [board.row(1) for board in boards]
    assert rows[0].others(1) == []
    rows[1].wait(1)
    rows[0].wait(1)
    assert rows[0].others(1) == [1]
    assert rows[2].others(1) == [0, 1]
    rows[2].counts[2] = 1
    assert rows[2].others(1) == []


def test_a_worker_that_is_gone_is_wiped_and_nobody_else(fd: int, boards: list[Board]) -> None:
    for board in boards:
        row = board.row(ROWS - 1)
        row.counts[row.mine] = 4
        row.wait(2)
    Board(fd, 3).wipe(1)
    row = boards[0].row(ROWS - 1)
    assert list(row.counts) == [4, 0, 4]
    assert list(row.waits) == [2, 0, 2]


def test_a_row_is_free_when_nobody_has_it_and_no_exchange_counts_on_it(boards: list[Board]) -> None:
    board = boards[0]
    board.row(2).counts[0] = 1  # of a backend that a reload took
    assert board.free_row({1, 3}) == 4
    board.row(2).counts[0] = 0
    assert board.free_row({1, 3}) == 2
    assert board.free_row(range(1, ROWS)) == CLIENTS


def test_a_bell_is_heard_once_by_the_worker_that_is_rung() -> None:
    bells = Bells.make(2)
    bells.ring([1, 1])
    assert not bells.heard(0)
    assert bells.heard(1)
    assert not bells.heard(1)
    bells.close()
    assert bells.fds == []
