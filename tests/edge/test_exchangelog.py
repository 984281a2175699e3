"""The exchange log: its two forms, what cannot be forged, what never appears."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from soapgate.core.faults import RULES
from soapgate.core.pins import Pin
from soapgate.core.routing import WORDS, Identity, Route
from soapgate.core.scanned import Found
from soapgate.edge import exchangelog
from soapgate.edge.exchangelog import FIELDS, FLUSH_BYTES, ExchangeLog, ExchangeRecord

NOON = 1_700_000_000.25  # 2023-11-14T22:13:20.250Z


class Written:
    """A log that keeps what it wrote."""

    def __init__(self, form: exchangelog.Form = "text") -> None:
        self.pieces: list[bytes] = []
        self.log = ExchangeLog(self.pieces.append, form, lambda: NOON)

    def line(self, x: ExchangeRecord) -> str:
        self.log.record(x)
        self.log.flush()
        return self.pieces[-1].decode("ascii")


def pairs(line: str) -> dict[str, str]:
    """The fields of a text line, read as its documentation says they can be."""
    found = re.findall(r'([a-z_]+)=("(?:[^"\\]|\\.)*"|[^ "]+)(?: |\n)', line)
    assert " ".join(f"{name}={value}" for name, value in found) + "\n" == line
    return {n: json.loads(v) if v.startswith('"') else v for n, v in found}


KEY = bytes.fromhex("0123456789abcdef0123456789abcdef")
IDENTITY = Identity("wsrm", KEY, False, Pin("shop", "wsrm", "b1", b"", 1.0, 1.0), KEY)


def whole() -> ExchangeRecord:
    return ExchangeRecord.of(
        client="192.0.2.7",
        service="shop",
        method="POST",
        target=b"/shop/cart?id=secret",
        action="urn:example:AddItem",
        profile="wsrm",
        key=bytes.fromhex("0123456789abcdef0123456789abcdef"),
        route="pinned",
        reason="pin",
        backend="b1",
        status=200,
        read=700,
        sent=900,
        scan="found",
        reply_scan="none",
        started=10.0,
        decided=10.001,
        dialled=10.0015,
        connected=10.002,
        answered=10.0125,
        finished=10.02,
        tries=1,
        conflicts=2,
        learned=3,
        told=(
            Route("pinned", "bound", "b1", IDENTITY, 2, False),
            [Found("wsrm", "lookup", "SECRET", "Header/wsrm:Sequence/wsrm:Identifier")],
            (IDENTITY,),
        ),
    )


def test_a_text_line_has_every_field_in_order():
    assert Written().line(whole()) == (
        "time=2023-11-14T22:13:20.250Z client=192.0.2.7 service=shop method=POST path=/shop/cart"
        " action=urn:example:AddItem profile=wsrm key=01234567 route=pinned reason=pin backend=b1"
        " scan=found reply_scan=none sticky=HVPC status=200 in=700 out=900"
        " total=20.00 decide=1.00 queue=0.50 connect=0.50 head=10.50"
        " tries=1 conflicts=2 learned=3 left=no detail=-\n"
    )


def test_ids_that_the_code_is_made_from_are_in_no_line_and_no_repr():
    for form in ("text", "json"):
        assert "SECRET" not in Written(form).line(whole())
    assert "SECRET" not in repr(whole())


def test_a_json_line_is_one_object_with_the_same_fields():
    line = Written("json").line(whole())
    assert line.endswith("}\n")
    assert line.count("\n") == 1
    said = json.loads(line)
    assert list(said) == list(FIELDS)
    assert said["time"] == "2023-11-14T22:13:20.250Z"
    assert said["path"] == "/shop/cart"
    assert (said["key"], said["sticky"]) == ("01234567", "HVPC")
    assert (said["status"], said["in"], said["total"]) == (200, 700, 20.0)
    assert said["left"] is False
    assert said["detail"] is None


def test_the_empty_record_of_a_broken_exchange_can_be_written():
    x = ExchangeRecord.of(started=5.0, finished=5.5)
    text = pairs(Written().line(x))
    assert tuple(text) == FIELDS
    assert text["total"] == "500.00"
    assert {text[name] for name in ("service", "path", "key", "status", "decide")} == {"-"}
    said = json.loads(Written("json").line(x))
    assert said["service"] is said["key"] is said["status"] is said["head"] is None


def test_a_step_that_was_not_reached_has_no_time():
    x = whole()
    x.answered = 0.0
    text = pairs(Written().line(x))
    assert (text["connect"], text["head"], text["total"]) == ("0.50", "-", "20.00")


def test_a_client_that_left_is_flagged():
    x = whole()
    x.left = True
    assert pairs(Written().line(x))["left"] == "yes"
    assert json.loads(Written("json").line(x))["left"] is True


HOSTILE = [
    "a b",
    'a"b',
    "a\nroute=refused",
    "a\r\ntime=2020-01-01T00:00:00.000Z client=forged",
    "back\\slash",
    "tab\there",
    "nul\0",
    "delete\x7f",
    "next line\x85 and \u2028",
    "\u00e9t\u00e9",
    "\udc80 surrogate",
    "emoji \U0001f600",
    "key=value",
    "-",
    '","route":"refused',
]


@pytest.mark.parametrize("value", HOSTILE, ids=ascii)
@pytest.mark.parametrize("field", ["action", "method", "detail", "client"])
def test_a_value_of_a_message_cannot_forge_a_line(field: str, value: str):
    x = whole()
    setattr(x, field, value)
    for form in ("text", "json"):
        line = Written(form).line(x)
        assert line.count("\n") == 1
        assert all(" " <= char <= "~" for char in line[:-1])
        said = pairs(line) if form == "text" else json.loads(line)
        assert tuple(said) == FIELDS
        assert said[field] == value
        assert said["route"] == "pinned"


def test_any_octet_of_a_path_is_escaped():
    x = whole()
    x.target = b"/" + bytes(set(range(256)) - set(b"?;#%"))
    text = pairs(Written().line(x))
    assert text["path"] == x.target.decode("latin-1")
    assert text["route"] == "pinned"


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_session_id_in_the_target_and_a_whole_key_never_appear(form: exchangelog.Form):
    x = whole()
    x.target = b"/shop;sid=SECRET?sid=SECRET"
    line = Written(form).line(x)
    assert "SECRET" not in line
    assert x.key.hex()[:8] in line
    assert x.key.hex()[:9] not in line


def test_a_long_value_is_cut_and_says_so():
    x = whole()
    x.action = "u" * 5000
    assert pairs(Written().line(x))["action"] == "u" * exchangelog.TEXT_CHARS + "..."


def test_lines_are_kept_until_there_are_enough_of_them():
    written = Written()
    while not written.pieces:
        written.log.record(whole())
    (piece,) = written.pieces
    line = Written().line(whole())
    assert FLUSH_BYTES <= len(piece) < FLUSH_BYTES + len(line)
    assert piece.decode() == line * (len(piece) // len(line))


def test_flush_writes_what_is_there_once():
    written = Written()
    written.log.record(whole())
    assert written.pieces == []
    written.log.flush()
    written.log.flush()
    assert len(written.pieces) == 1


def test_form_none_writes_nothing():
    written = Written("none")
    written.log.record(whole())
    written.log.flush()
    assert written.pieces == []


def test_a_write_that_fails_costs_its_lines_and_no_exchange():
    def full(data: bytes) -> None:
        raise OSError(28, "No space left on device")

    log = ExchangeLog(full, "text", lambda: NOON)
    log.record(whole())
    log.record(whole())
    log.flush()
    assert log.lost == 2
    log.flush()
    assert log.lost == 2


def test_the_time_follows_the_clock():
    ticks = iter([NOON, NOON + 0.5, NOON + 60])
    pieces: list[bytes] = []
    log = ExchangeLog(pieces.append, "text", lambda: next(ticks))
    for _ in range(3):
        log.record(whole())
    log.flush()
    times = [line.split(b" ")[0] for line in pieces[0].splitlines()]
    assert times == [
        b"time=2023-11-14T22:13:20.250Z",
        b"time=2023-11-14T22:13:20.750Z",
        b"time=2023-11-14T22:14:20.250Z",
    ]


def test_seconds_is_from_start_to_finish():
    assert ExchangeRecord.of(started=2.0, finished=4.5).seconds == 2.5


OPERATIONS = (Path(__file__).parents[2] / "docs" / "operations.rst").read_text()


def test_operations_explain_every_field_of_a_line():
    table = OPERATIONS.split("The log line\n")[1].split("What each reason means")[0]
    explained = re.findall(r"^``(\w+)`` ", table, re.MULTILINE)
    assert explained == list(FIELDS)


def test_operations_explain_every_reason_with_its_status():
    part = OPERATIONS.split("What each reason means\n")[1].split("The admin API\n")[0]
    refused = re.findall(r"^    ``([\w-]+)`` +(\d+)", part, re.MULTILINE)
    assert {reason: int(status) for reason, status in refused} == {
        str(reason): rule.status for reason, rule in RULES.items()
    }
    for kind, words in WORDS.items():
        told = part.split(f"``{kind}``")[1].split("\n\n``")[0]
        assert re.findall(r"^    ``([\w-]+)`` ", told, re.MULTILINE) == list(words)
