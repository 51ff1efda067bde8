"""Frozen values and JSON: dataclasses both ways, by their types. Standard library only, and no value of its own."""

import collections.abc
import dataclasses
import functools
from collections.abc import Mapping
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints


def plain(value: Any) -> Any:
    """Return it as what JSON has.

    A field whose metadata says `json: False` is left out; where that is a function, it makes what is stored.
    """
    if dataclasses.is_dataclass(value):
        return {
            f.name: _stored(f, getattr(value, f.name))
            for f in dataclasses.fields(value)
            if f.metadata.get("json", True)
        }
    if isinstance(value, tuple):
        return [plain(item) for item in value]
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    return value


def typed(kind: Any, value: Any) -> Any:
    """Build `kind` (a dataclass, mapping, tuple, union, literal or plain type) from parsed JSON.

    Raises ValueError, TypeError or KeyError where it is not one.
    """
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        hints = _hints(kind)
        return kind(**{name: typed(hints[name], item) for name, item in _checked(dict, value).items()})
    if kind is Any:
        return value
    if get_origin(kind) is collections.abc.Mapping:
        keys, values = get_args(kind)
        return {typed(keys, key): typed(values, item) for key, item in _checked(dict, value).items()}
    if get_origin(kind) is tuple:
        kinds, items = get_args(kind), _checked(list, value)
        each = [kinds[0]] * len(items) if kinds[-1] is Ellipsis else kinds
        return tuple(typed(one, item) for one, item in zip(each, items, strict=True))
    if get_origin(kind) in (Union, UnionType):  # typing's own where a Literal is in it
        inner = [each for each in get_args(kind) if each is not NoneType]
        return None if value is None else typed(inner[0], value)
    if get_origin(kind) is Literal:
        if value not in get_args(kind):
            raise ValueError(f"none of {', '.join(get_args(kind))}")
        return value
    return float(_checked((int, float), value)) if kind is float else _checked(kind, value)


_hints = functools.cache(get_type_hints)


def _stored(field: "dataclasses.Field[Any]", value: Any) -> Any:
    made = field.metadata.get("json")
    return plain(made(value) if callable(made) else value)


def _checked(kind: Any, value: Any) -> Any:
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise ValueError(f"{type(value).__name__} where {kind} belongs")
    return value
