"""The directory of a store: its key, its locks, its state, and a machine that died over it."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from soapgate.core.errors import StoreError
from soapgate.core.pins import Pin
from soapgate.stores import lmdb_directory
from soapgate.stores.lmdb import LmdbStore
from soapgate.stores.lmdb_directory import SECRET_BYTES, Directory, boot_id

A = b"a" * 16


@pytest.fixture
def directory(tmp_path):
    directory = Directory(tmp_path / "pins")
    yield directory
    directory.leave()


def mode(path):
    return path.stat().st_mode & 0o777


def fill(path, run, pins=3000):
    """A store with pins in it, closed."""
    store = LmdbStore(path)
    for number in range(pins):
        pin = Pin("shop", "wsrm", "b1", b"", 1.0, 1.0 + number)
        run(store.bind(number.to_bytes(16, "big"), pin))
    store.close()


def crash(path, boot="another-boot"):
    """Leave a store as a machine does that dies while it is open."""
    (path / "state").write_text(f"dirty {boot}\n")


# the directory


def test_a_directory_is_made_for_this_user_only(tmp_path):
    Directory(tmp_path / "var" / "pins").leave()
    assert mode(tmp_path / "var" / "pins") == 0o700


@pytest.mark.parametrize("below", ["", "/below"], ids=["a file", "below a file"])
def test_a_path_that_cannot_be_a_directory_is_an_error_with_a_way_out(tmp_path, below):
    (tmp_path / "file").touch()
    path = f"{tmp_path / 'file'}{below}"
    with pytest.raises(StoreError, match=f"{path}: .*give a directory"):
        LmdbStore(path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_directory_that_may_not_be_written_is_an_error_with_a_way_out(tmp_path):
    (tmp_path / "pins").mkdir(mode=0o500)
    with pytest.raises(StoreError, match="give a directory"):
        LmdbStore(tmp_path / "pins")


# the secret


def test_a_secret_is_made_once_and_read_by_its_user_only(directory):
    secret = directory.secret()
    assert len(secret) == SECRET_BYTES
    assert directory.secret() == secret
    assert mode(directory.path / "key") == 0o600
    assert directory.notes == []


def test_everything_in_the_directory_is_its_users_only(tmp_path, run):
    fill(tmp_path / "pins", run, 1)
    assert {mode(file) for file in (tmp_path / "pins").iterdir()} == {0o600}


@pytest.mark.parametrize("size", [0, 31, 33])
def test_a_key_of_the_wrong_size_is_an_error_that_names_the_file_and_the_way_out(directory, size):
    (directory.path / "key").write_bytes(bytes(size))
    with pytest.raises(StoreError, match=rf"{directory.path}/key has {size} bytes.* put the right"):
        directory.secret()


def test_a_key_that_is_no_file_is_an_error_that_names_it(directory):
    (directory.path / "key").mkdir()
    with pytest.raises(StoreError, match=f"{directory.path}/key cannot be used"):
        directory.secret()


def test_a_key_that_others_may_read_is_noted(directory):
    directory.secret()
    (directory.path / "key").chmod(0o640)
    directory.secret()
    (note,) = directory.notes
    assert "has mode 640: make it 600" in note


def test_a_key_that_is_gone_is_made_anew_and_noted(tmp_path, run):
    fill(tmp_path / "pins", run)
    (tmp_path / "pins" / "key").unlink()
    store = LmdbStore(tmp_path / "pins")
    (note,) = store.notes
    assert "earlier pins are not found again" in note
    store.close()


def test_a_key_left_half_made_is_not_in_the_way(directory):
    (directory.path / "key-new").write_bytes(b"half")
    assert len(directory.secret()) == SECRET_BYTES
    assert not (directory.path / "key-new").exists()


# the state


def test_a_store_is_dirty_while_it_is_open_and_clean_after(tmp_path):
    store = LmdbStore(tmp_path / "pins")
    assert (tmp_path / "pins" / "state").read_text() == f"dirty {boot_id()}\n"
    store.close()
    assert (tmp_path / "pins" / "state").read_text() == f"clean {boot_id()}\n"


def test_it_stays_dirty_until_the_last_user_closes_it(tmp_path):
    path = tmp_path / "pins"
    program = (
        f"import sys; from soapgate.stores.lmdb import LmdbStore\nLmdbStore({str(path)!r}).close()"
    )
    store = LmdbStore(path)
    subprocess.run([sys.executable, "-c", program], check=True)
    assert (path / "state").read_text().startswith("dirty")
    store.close()
    assert (path / "state").read_text().startswith("clean")


@pytest.mark.parametrize(
    ("state", "torn"),
    [
        (f"dirty {boot_id()}\n", False),
        ("dirty another\n", True),
        ("dirty \n", True),
        ("clean another\n", False),
        ("\xff\xfe", True),
        (None, True),
    ],
    ids=["this boot", "another boot", "no boot", "clean", "garbage", "none"],
)
def test_a_file_is_torn_if_another_boot_left_it_dirty(directory, state, torn):
    directory.data.write_bytes(b"data")
    if state is not None:
        (directory.path / "state").write_bytes(state.encode("latin-1"))
    assert directory.torn() is torn


def test_without_a_boot_id_every_dirty_file_is_torn(directory, monkeypatch):
    monkeypatch.setattr(lmdb_directory, "BOOT_ID", directory.path / "nothing")
    directory.data.write_bytes(b"data")
    directory.mark("dirty")
    assert directory.torn()
    directory.mark("clean")
    assert not directory.torn()


def test_no_data_is_not_torn(directory):
    directory.mark("dirty")
    assert not directory.torn()


# users


def test_who_is_alone_is_told_so(tmp_path, directory):
    other = Directory(tmp_path / "pins")
    assert directory.alone()
    other.join()
    assert not directory.alone()
    other.part()
    assert directory.alone()
    other.join()
    other.leave()
    assert directory.alone()


# a machine that died


def test_a_sound_file_of_another_boot_is_kept_with_a_note(tmp_path, run):
    fill(tmp_path / "pins", run)
    crash(tmp_path / "pins")
    store = LmdbStore(tmp_path / "pins")
    (note,) = store.notes
    assert "was checked and is sound" in note
    assert run(store.count()) == 3000
    assert sorted(file.name for file in (tmp_path / "pins").iterdir()) == [
        "data.mdb",
        "guard",
        "key",
        "lock.mdb",
        "marks",
        "state",
        "users",
    ]
    store.close()


@pytest.mark.parametrize("page", [2, 3, 5, 20])
@pytest.mark.parametrize("junk", [b"\0", b"\xff", b"soap"], ids=["zeros", "ones", "text"])
def test_a_torn_file_is_set_aside_and_never_a_reason_not_to_start(tmp_path, run, page, junk):
    path = tmp_path / "pins"
    fill(path, run)
    spoiled = bytearray((path / "data.mdb").read_bytes())
    # from one page to the end of the used ones: whatever the roots are, something below is lost
    for start in range(page * 4096, 100 * 4096, 4096):
        spoiled[start : start + 4096] = junk * (4096 // len(junk))
    (path / "data.mdb").write_bytes(spoiled)
    crash(path)
    store = LmdbStore(path)
    (aside,) = path.glob("broken-*.mdb")
    (note,) = store.notes
    assert aside.name in note
    assert aside.read_bytes() == spoiled
    assert run(store.count()) == 0
    assert run(store.bind(A, Pin("shop", "wsrm", "b1", b"", 1.0, 1.0))).backend == "b1"
    store.close()
    again = LmdbStore(path)
    assert again.notes == ()
    assert run(again.count()) == 1
    again.close()


def test_a_file_that_kills_its_reader_is_set_aside(tmp_path, run, monkeypatch):
    fill(tmp_path / "pins", run)
    crash(tmp_path / "pins")
    monkeypatch.setattr(
        subprocess, "run", lambda command, **_: subprocess.CompletedProcess(command, -11, b"", b"")
    )
    store = LmdbStore(tmp_path / "pins")
    assert "signal 11" in store.notes[0]
    assert run(store.count()) == 0
    store.close()


def test_a_child_that_cannot_be_started_is_not_a_reason_not_to_start(tmp_path, run, monkeypatch):
    fill(tmp_path / "pins", run)
    crash(tmp_path / "pins")
    monkeypatch.setattr(sys, "executable", str(tmp_path / "no-python"))
    store = LmdbStore(tmp_path / "pins")
    assert "no child" in store.notes[0]
    store.close()


@pytest.mark.parametrize("state", ["clean", "dirty"])
def test_a_file_of_this_boot_is_not_read_through_before_it_is_used(
    tmp_path, run, monkeypatch, state
):
    fill(tmp_path / "pins", run)
    if state == "dirty":
        crash(tmp_path / "pins", boot_id())
    monkeypatch.setattr(Directory, "mend", lambda _: pytest.fail("it was mended"))
    store = LmdbStore(tmp_path / "pins")
    assert run(store.count()) == 3000
    store.close()


def test_files_set_aside_in_one_second_do_not_replace_each_other(directory, monkeypatch):
    monkeypatch.setattr(lmdb_directory.time, "gmtime", lambda: (2024, 1, 2, 3, 4, 5, 0, 0, 0))
    for content in (b"first", b"second"):
        directory.data.write_bytes(content)
        directory.set_aside("a test")
    found = {file.name: file.read_bytes() for file in directory.path.glob("broken-*")}
    assert found == {
        "broken-20240102T030405Z.mdb": b"first",
        "broken-20240102T030405Z-2.mdb": b"second",
    }


def set_aside_at(directory, monkeypatch, *seconds):
    """Sets a file aside at each of these seconds; what is left is told by content."""
    for number, second in enumerate(seconds, 1):
        monkeypatch.setattr(
            lmdb_directory.time, "gmtime", lambda s=second: (2024, 1, 2, 3, 4, s, 0, 0, 0)
        )
        directory.data.write_bytes(b"%d" % number)
        directory.set_aside("a test")
    left = [file for file in directory.path.glob("broken-*") if file.is_file()]
    return sorted(int(file.read_bytes()) for file in left)


def test_of_the_files_set_aside_the_newest_are_kept_and_the_note_names_those_removed(
    directory, monkeypatch
):
    assert set_aside_at(directory, monkeypatch, 1, 2, 3) == [1, 2, 3]
    assert not any("removed were" in note for note in directory.notes)
    # the second of a second is newer than the first, and the tenth newer than the second
    assert set_aside_at(directory, monkeypatch, *[4] * 12) == [10, 11, 12]
    assert directory.notes[3].endswith("; removed were the older broken-20240102T030401Z.mdb")


def test_the_file_just_set_aside_is_kept_when_the_clock_went_back(directory, monkeypatch):
    assert set_aside_at(directory, monkeypatch, 7, 8, 9, 1) == [2, 3, 4]


def test_what_somebody_else_named_is_not_removed(directory, monkeypatch):
    for name in ("broken-by-me.mdb", "broken-20240102T030400Z.mdb.gz", "key"):
        (directory.path / name).write_bytes(b"0")
    assert set_aside_at(directory, monkeypatch, 1, 2, 3, 4) == [0, 0, 2, 3, 4]
    assert (directory.path / "key").exists()


def test_a_broken_file_that_cannot_be_removed_is_no_reason_not_to_start(directory, monkeypatch):
    (directory.path / "broken-20230102T030400Z.mdb").mkdir()
    assert set_aside_at(directory, monkeypatch, 1, 2, 3) == [1, 2, 3]
    assert not any("removed were" in note for note in directory.notes)


# room


def test_room_is_allocated_for_good(directory):
    directory.data.touch()
    assert directory.allocate(0, 2**20)
    assert directory.size() == 2**20
    assert directory.data.stat().st_blocks * 512 >= 2**20


def test_no_room_is_said(directory, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    directory.data.touch()
    assert not directory.allocate(0, 2**20)


def test_without_data_the_size_is_0(directory):
    assert directory.size() == 0
