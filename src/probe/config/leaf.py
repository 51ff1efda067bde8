"""Checks one value against its type: text, a number, one of a few words."""

import math
import operator
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, get_args, get_origin

import msgspec
from msgspec import Meta

T = TypeVar("T")

_PLAIN = {
    str: "should be text",
    int: "should be a whole number",
    float: "should be a number",
    bool: "should be true or false",
    Path: "should be a path",
}
# Beside true and false, 1 and 0, which msgspec reads itself.
_TRUTH = {"yes": True, "on": True, "y": True, "t": True, "no": False, "off": False, "n": False, "f": False}
_BOUNDS: tuple[tuple[str, Callable[[Any, Any], bool], str], ...] = (
    ("gt", operator.gt, "greater than"),
    ("ge", operator.ge, "greater than or equal to"),
    ("lt", operator.lt, "less than"),
    ("le", operator.le, "less than or equal to"),
)


class WrongValueError(Exception):
    """What is allowed there, to be followed by the value."""


class Secret:
    """Text that is shown nowhere: only the code that sends it calls `reveal`."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return "Secret(…)"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._text == other._text

    def __hash__(self) -> int:
        return hash(self._text)

    def reveal(self) -> str:
        return self._text


def leaf(kind: Any, metas: list[Meta], value: Any) -> Any:
    """The value as its type; text that spells a number or a truth is one. Raises WrongValueError, or ValueError."""
    if kind is Secret:
        return value if isinstance(value, Secret) else Secret(leaf(str, metas, value))
    if get_origin(kind) is Literal:
        return _word(get_args(kind), value)
    found = _plain(kind, value)
    if isinstance(found, float) and not math.isfinite(found):
        raise WrongValueError("should be a finite number")
    try:
        return msgspec.convert(found, Annotated[(kind, *metas)]) if metas else found
    except msgspec.ValidationError as error:
        bounded(metas, found)
        raise WrongValueError(str(error)) from error


def bounded(metas: list[Meta], value: T) -> T:
    """The value, where it keeps the bounds. Raises WrongValueError in words for a person."""
    for meta in metas:
        for name, holds, words in _BOUNDS:
            bound = getattr(meta, name)
            if bound is not None and not holds(value, bound):
                raise WrongValueError(f"should be {words} {bound}")
        if meta.min_length and not value:
            raise WrongValueError("should not be empty")
    return value


def _word(allowed: tuple[str, ...], value: Any) -> str:
    if isinstance(value, str) and value in allowed:
        return str(value)
    *others, last = (repr(word) for word in allowed)
    raise WrongValueError(f"should be {', '.join(others)} or {last}" if others else f"should be {last}")


def _plain(kind: Any, value: Any) -> Any:
    if isinstance(value, bool) and kind is not bool:
        raise ValueError("should not be true or false")
    if isinstance(value, str):
        value = _unicode(value)
        if kind is Path and "\0" in value:
            raise WrongValueError(_PLAIN[Path])
        if kind in (str, Path):
            return kind(value)
        value = _TRUTH.get(value.lower(), value) if kind is bool else value.strip().replace("_", "")
    try:
        return msgspec.convert(value, kind, strict=False)
    except msgspec.ValidationError as error:
        raise WrongValueError(_PLAIN.get(kind, str(error))) from error


def _unicode(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise WrongValueError("should be Unicode text") from error
    # A variable is a text of its own kind.
    return str(text)
