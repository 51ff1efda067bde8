"""Reads tables as the types of the sections: every error at once, each with its key and what is allowed there.

A type is a Section or another msgspec Struct, `dict[str, …]`, `list[…]`, a Literal, `str`, `int`, `float`, `bool`,
`Path` or `Secret`, each `| None` too, or `Any` for any JSON value. Its `Annotated` holds msgspec's `Meta` (bounds,
description), and functions that return the value that is meant or raise ValueError with what is wrong.
"""

from collections.abc import Callable, Collection, Mapping
from functools import partial
from types import NoneType, UnionType
from typing import Annotated, Any, Self, TypeVar, Union, get_args, get_origin

from msgspec import NODEFAULT, Meta, Struct
from msgspec.structs import FieldInfo, fields

from probe.config.errors import ConfigError, Key, Problem, problem
from probe.config.leaf import WrongValueError, bounded, leaf
from probe.config.written import Moved, decoded, merged, plain, table
from probe.text import nearest

# Stands for a value that is wrong and whose problem has been noted.
WRONG: Any = object()


class Section(Struct, frozen=True, kw_only=True):
    """A table of the configuration. Its constructor checks nothing; `of` does."""

    @classmethod
    def of(cls, **values: Any) -> Self:
        """The section with these values, checked as those of a file are. Raises ConfigError."""
        found: list[Problem] = []
        section: Self = read(cls, values, (), found)
        if found:
            raise ConfigError.of(found)
        return section

    @classmethod
    def read(cls, value: Any, key: Key, found: list[Problem]) -> Any:
        """The section, or WRONG with the problems added to `found`. Raises ValueError for what is wrong with it all."""
        section = read_struct(cls, value, key, found)
        if section is not WRONG and (wrong := section.contradiction(table(value) or {})):
            raise ValueError(wrong)
        return section

    @classmethod
    def as_today(cls, values: dict[str, Any], key: Key, found: list[Problem]) -> dict[str, Any]:  # noqa: ARG003
        """The values at the keys where they belong today; what can't be moved is added to `found`."""
        return values

    def contradiction(self, given: Collection[str]) -> str | None:  # noqa: ARG002 - for the sections that have some
        """What is wrong between keys that are right in themselves; `given` are those that were written."""
        return None

    def differences(self) -> dict[str, Any]:
        """What has to be written to get this section: everything that is not the default."""
        return differences(self)


S = TypeVar("S", bound=Section)


def override(section: S, values: Mapping[str, Any]) -> S:
    """The section with every value that is not None replaced, checked again. Raises ConfigError."""
    found: list[Problem] = []
    given = section.as_today({key: value for key, value in values.items() if value is not None}, (), found)
    replaced: S = read(type(section), merged(section.differences(), given), (), found)
    if found:
        raise ConfigError.of(found)
    return replaced


def differences(struct: Struct) -> dict[str, Any]:
    """The fields that have another value than their default, as tables and values."""
    found = {each.name: (getattr(struct, each.name), _default(each)) for each in fields(struct)}
    return {
        name: value.differences() if isinstance(value, Section) else value
        for name, (value, default) in found.items()
        if value != default
    }


def read(hint: Any, value: Any, key: Key, found: list[Problem]) -> Any:
    """The value as this type, or WRONG with the problems added to `found`."""
    if isinstance(value, Moved):
        key, value = value.key, value.value
    kind, metas, checks = _parts(hint)
    if get_origin(kind) in (dict, list) or _is_struct(kind):
        value = decoded(value)
    try:
        got = _read(kind, metas, value, key, found)
        for check in checks:
            got = got if got is WRONG or got is None else check(got)
    except WrongValueError as error:
        found.append(problem(key, str(error), value, shown=True))
        return WRONG
    except ValueError as error:
        found.append(problem(key, str(error), value))
        return WRONG
    return got


def read_struct(
    kind: type[Struct],
    value: Any,
    key: Key,
    found: list[Problem],
    unknown: str = "unknown key",
    beside: Collection[str] = (),
) -> Any:
    """A table as this Struct, or WRONG with the problems added to `found`; `unknown` is said of a key that it lacks.

    `beside` are keys that the table may have, and somebody else reads: one of them may be meant.
    """
    given = as_table(value)
    known = {each.name: each for each in fields(kind)}
    values = {name: read(each.type, given[name], (*key, name), found) for name, each in known.items() if name in given}
    missing = [name for name, each in known.items() if name not in given and _default(each) is NODEFAULT]
    found += (problem((*key, name), "is missing", None) for name in missing)
    strange = [name for name in given if name not in known]
    for name in strange:
        written = given[name] if isinstance(given[name], Moved) else Moved((*key, name), given[name])
        meant = nearest(name, (*known, *beside))
        # Without its value: a key that nobody knows may be a token's, or headers written in another way.
        found.append(Problem(written.key, f"{unknown}; did you mean {meant}?" if meant else unknown))
    return WRONG if missing or strange or any(each is WRONG for each in values.values()) else kind(**values)


def _default(field: FieldInfo) -> Any:
    return field.default if field.default_factory is NODEFAULT else field.default_factory()


def _parts(hint: Any) -> tuple[Any, list[Meta], list[Callable[[Any], Any]]]:
    """The type itself, and what its annotations say."""
    if get_origin(hint) is not Annotated:
        return hint, [], []
    kind, *notes = get_args(hint)
    return kind, [note for note in notes if isinstance(note, Meta)], [note for note in notes if callable(note)]


def _is_struct(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Struct)


def _read(kind: Any, metas: list[Meta], value: Any, key: Key, found: list[Problem]) -> Any:
    if get_origin(kind) in (UnionType, Union):
        (kind,) = (each for each in get_args(kind) if each is not NoneType)
        return None if value is None else read(kind, value, key, found)
    if kind is Any:
        return plain(value)
    if get_origin(kind) is dict:
        return _read_dict(kind, metas, value, key, found)
    if get_origin(kind) is list:
        return _read_list(kind, metas, value, key, found)
    if _is_struct(kind):
        reader = kind.read if issubclass(kind, Section) else partial(read_struct, kind)
        return reader(value, key, found)
    return leaf(kind, metas, value)


def _read_dict(kind: Any, metas: list[Meta], value: Any, key: Key, found: list[Problem]) -> Any:
    names, kinds = get_args(kind)
    given = bounded(metas, as_table(value))
    # A wrong name is reported at its value's place.
    pairs = [
        (read(names, name, (*key, name), found), read(kinds, item, (*key, name), found)) for name, item in given.items()
    ]
    return WRONG if any(part is WRONG for pair in pairs for part in pair) else dict(pairs)


def _read_list(kind: Any, metas: list[Meta], value: Any, key: Key, found: list[Problem]) -> Any:
    if not isinstance(value, list):
        raise WrongValueError('should be a list, such as ["one", "two"]')
    items = [read(get_args(kind)[0], item, (*key, number), found) for number, item in enumerate(bounded(metas, value))]
    return WRONG if any(item is WRONG for item in items) else items


def as_table(value: Any) -> dict[str, Any]:
    """The value as a table. Raises WrongValueError."""
    given = table(value)
    if given is None:
        raise WrongValueError("should be a table")
    return given
