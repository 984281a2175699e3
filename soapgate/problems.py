"""Sentences about a configuration: what stands where, and what is allowed there instead.

Every defect becomes one line, `FILE: [service.shop] lost = "nice": allowed are "strict",
"redispatch"`, so that a person finds the place by reading and a script by splitting. The models
of `soapgate.config` say what is right; this file only says it aloud. It holds too what a file may
ask for later and not yet: refused in words, never ignored.
"""

from __future__ import annotations

import difflib
import json
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence

from pydantic import BaseModel
from pydantic_core import ErrorDetails, ValidationError

from soapgate.core.errors import ConfigError

Place = tuple[str | int, ...]  # the keys from the file's top to the value

_BARE = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)
_WHERE = re.compile(r"(?P<what>.*?) \(at (?P<place>line \d+, column \d+|end of document)\)$", re.S)
_USER = re.compile(r"//[^/\s\"]*@")  # a name and password in a URL stay out of sentences
_SHOWN = 72  # characters of a value that a sentence repeats

SECRETS = ("token", "password", "secret")  # keys whose value no sentence repeats

# a table and a key that mean something, but not in this version; "*" is any name
LATER: dict[tuple[str, ...], str] = {
    ("gateway", "token"): "the admin side answers on loopback only, without a token",
    ("pool", "*", "health", "path"): "health is a TCP connect",
    ("pool", "*", "health", "soap"): "health is a TCP connect",
    ("pool", "*", "health", "expect"): "health is a TCP connect",
}

_TYPES = {
    "string_type": "allowed is a string",
    "int_type": "allowed is a whole number",
    "int_from_float": "allowed is a whole number",
    "float_type": "allowed is a number",
    "bool_type": "allowed are true, false",
    "tuple_type": "allowed is a list",
    "list_type": "allowed is a list",
    "dict_type": "allowed is a table",
    "model_type": "allowed is a table",
}


class Problems:
    """The defects of one file, in the order they were found. `name` is how the user calls it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.lines: list[str] = []

    def say(self, path: Place, sentence: str, *values: object) -> None:
        """One defect of what stands at `path`; `values` (one or none) is what stands there."""
        shown = "".join(f" = {show(value)}" for value in values)
        self.lines.append(f"{self.name}: {place(path)}{shown}: {sentence}")

    def add(self, path: Place, error: ValidationError, model: type[BaseModel]) -> None:
        """Every defect that pydantic found in the table at `path`, which is read as `model`."""
        for detail in error.errors(include_url=False):
            where = path + tuple(part for part in detail["loc"] if part != "function-before")
            self._add_one(where, detail, model, len(path))

    def _add_one(
        self, where: Place, detail: ErrorDetails, model: type[BaseModel], depth: int
    ) -> None:
        kind = detail["type"]
        if kind == "missing":
            self.say(where, "is missing")
        elif kind == "extra_forbidden":
            value = () if where[-1] in SECRETS else (detail["input"],)
            self.say(where, unknown_key(where, keys_at(model, where[depth:-1])), *value)
        else:
            self.say(where, _sentence(kind, detail), detail["input"])

    def raise_any(self) -> None:
        """ConfigError with all that was said, if anything was."""
        if self.lines:
            raise ConfigError(self.lines)


def not_toml(name: str, error: tomllib.TOMLDecodeError) -> ConfigError:
    """A file that is no TOML: where, and what the parser saw."""
    found = _WHERE.match(str(error))
    if found is None:
        return ConfigError([f"{name}: not TOML: {_one_line(str(error))}"])
    return ConfigError([f"{name}: {found['place']}: not TOML: {_one_line(found['what'])}"])


def place(path: Place) -> str:
    """`[service.shop] lost`, `[pool.shop] backend[0].url`: a path as one finds it in the file."""
    named = 2 if path[0] in ("pool", "service", "profile") else 1
    table, rest = path[:named], path[named:]
    text = "[" + ".".join(_key(part) for part in table) + "]"
    inner = ""
    for part in rest:
        inner += f"[{part}]" if isinstance(part, int) else f".{_key(part)}"
    return f"{text} {inner.removeprefix('.')}" if inner else text


def show(value: object) -> str:
    """A value about as TOML writes it, on one line, shortened."""
    text = _USER.sub("//...@", _literal(value))
    return text if len(text) <= _SHOWN else text[: _SHOWN - 3] + "..."


def among(words: Iterable[str]) -> str:
    """`"strict", "redispatch"`: the values one may write."""
    return ", ".join(json.dumps(word, ensure_ascii=False) for word in words)


def unknown_key(path: Place, allowed: Sequence[str]) -> str:
    """Why a key cannot stand there: a feature to come, a slip of the pen, or simply unknown."""
    later = _later(path)
    if later is not None:
        return f"not yet: {later}"
    near = difflib.get_close_matches(str(path[-1]), allowed, n=1)
    return "unknown key; " + (f'did you mean "{near[0]}"?' if near else _allowed(allowed))


def unknown_table(name: str, allowed: Sequence[str]) -> str:
    """Why a table cannot stand at the top of the file."""
    near = difflib.get_close_matches(name, allowed, n=1)
    guess = f"did you mean [{near[0]}]?" if near else "allowed are " + ", ".join(allowed)
    return f"unknown table; {guess}"


def unknown_name(what: str, name: str, known: Iterable[str]) -> str:
    """Why a reference leads nowhere: `what` is pool, profile, ..."""
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=1)
    if near:
        return f'unknown {what}; did you mean "{near[0]}"?'
    return f"unknown {what}; " + (f"allowed are {among(names)}" if names else "there is none")


def keys_at(model: type[BaseModel], inner: Place) -> list[str]:
    """The keys of the table at `inner` below a model: through fields that are models or lists."""
    found: type[BaseModel] = model
    for part in inner:
        if isinstance(part, str):
            found = _model_in(found.model_fields[part].annotation) or found
    return list(found.model_fields)


def _model_in(annotation: object) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for part in getattr(annotation, "__args__", ()):
        found = _model_in(part)
        if found is not None:
            return found
    return None


def _later(path: Place) -> str | None:
    for known, sentence in LATER.items():
        if len(known) == len(path) and all(
            wanted in ("*", part) for wanted, part in zip(known, path, strict=True)
        ):
            return sentence
    return None


def _allowed(keys: Sequence[str]) -> str:
    return f"allowed are {', '.join(keys)}"


def _sentence(kind: str, detail: ErrorDetails) -> str:
    context = detail.get("ctx", {})
    if kind == "value_error":
        return str(context["error"])
    if kind == "literal_error":
        words = re.findall(r"'([^']*)'", str(context["expected"]))
        return f"allowed {'are' if len(words) > 1 else 'is'} {among(words)}"
    if kind == "greater_than_equal":
        return f"allowed is {context['ge']} or more"
    if kind == "less_than_equal":
        return f"allowed is {context['le']} or less"
    return _TYPES.get(kind, _one_line(detail["msg"]))


def _key(part: str | int) -> str:
    text = str(part)
    return text if _BARE.fullmatch(text) else json.dumps(text, ensure_ascii=False)


def _literal(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, Mapping):
        inner = ", ".join(f"{_key(key)} = {_literal(item)}" for key, item in value.items())
        return f"{{ {inner} }}" if inner else "{}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_literal(item) for item in value) + "]"
    return _one_line(str(value))


def _one_line(text: str) -> str:
    return " ".join(text.split())
