"""Frozen values and JSON: dataclasses both ways, by their types. Standard library only, and no value of its own."""

import collections.abc
import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

_Reader = Callable[[Any], Any]
# Most of what is written: of a record's frames of audio alone there are thousands.
_AS_IT_IS = frozenset((str, int, float, bool, NoneType))


def plain(value: Any) -> Any:
    """Return it as what JSON has.

    A field whose metadata says `json: False` is left out; where that is a function, it makes what is stored.
    """
    kind = type(value)
    if kind in _AS_IT_IS:
        return value
    if dataclasses.is_dataclass(kind):
        return {name: plain(_made(made, getattr(value, name))) for name, made in _stored(kind)}
    if isinstance(value, tuple):
        return [plain(item) for item in value]
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    return value


def typed(kind: Any, value: Any) -> Any:
    """Build `kind` (a dataclass, mapping, tuple, union, literal or plain type) from parsed JSON.

    Raises ValueError, TypeError or KeyError where it is not one.
    """
    return _reader(kind)(value)


@functools.cache
def _reader(kind: Any) -> _Reader:
    """What builds it. A history is read record by record, so what a type consists of is found out once."""
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        return functools.partial(_object, kind)
    if kind is Any:
        return _anything
    origin, kinds = get_origin(kind), get_args(kind)
    if origin is collections.abc.Mapping:
        return functools.partial(_mapping, *map(_reader, kinds))
    if origin is tuple and kinds[-1] is Ellipsis:
        return functools.partial(_many, _reader(kinds[0]))
    if origin is tuple:
        return functools.partial(_few, kinds)
    if origin in (Union, UnionType):  # typing's own where a Literal is in it
        return functools.partial(_optional, _reader(next(each for each in kinds if each is not NoneType)))
    if origin is Literal:
        return functools.partial(_one_of, kinds)
    return _number if kind is float else functools.partial(_checked, kind)


@functools.cache
def _fields(kind: type) -> Mapping[str, _Reader]:
    return {name: _reader(each) for name, each in get_type_hints(kind).items()}


def _object(kind: type, value: Any) -> Any:
    readers = _fields(kind)
    return kind(**{name: readers[name](item) for name, item in _checked(dict, value).items()})


def _mapping(key: _Reader, item: _Reader, value: Any) -> Mapping[Any, Any]:
    return {key(each): item(one) for each, one in _checked(dict, value).items()}


def _many(item: _Reader, value: Any) -> tuple[Any, ...]:
    return tuple(map(item, _checked(list, value)))


def _few(kinds: tuple[Any, ...], value: Any) -> tuple[Any, ...]:
    # As a frame of audio has its time and its size: of these there are thousands.
    if type(value) is list and (*map(type, value),) == kinds:
        return tuple(value)
    return tuple(_reader(one)(item) for one, item in zip(kinds, _checked(list, value), strict=True))


def _optional(inner: _Reader, value: Any) -> Any:
    return None if value is None else inner(value)


def _one_of(known: tuple[Any, ...], value: Any) -> Any:
    if value not in known:
        raise ValueError(f"none of {', '.join(known)}")
    return value


def _number(value: Any) -> float:
    return float(_checked((int, float), value))


def _anything(value: Any) -> Any:
    return value


@functools.cache
def _stored(kind: type) -> Sequence[tuple[str, Callable[[Any], Any] | None]]:
    """The names of the fields that are stored, each with what makes it of the value where that is not the value."""
    known = ((field.name, field.metadata.get("json", True)) for field in dataclasses.fields(kind))
    return [(name, made if callable(made) else None) for name, made in known if made]


def _made(make: Callable[[Any], Any] | None, value: Any) -> Any:
    return value if make is None else make(value)


def _checked(kind: Any, value: Any) -> Any:
    if type(value) is kind:
        return value
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise ValueError(f"{type(value).__name__} where {kind} belongs")
    return value
