"""Errors in a configuration: the place, and a message for the person who wrote it."""

import json
import reprlib
from collections.abc import Iterable
from typing import Any

from msgspec import Struct

from probe import urls

Key = tuple[str | int, ...]

# Values below these keys are not to be shown.
_SECRET_KEYS = {"headers"}
_HIDDEN = "…"


class Problem(Struct, frozen=True):
    """One error: `wrong` says what is allowed there, or what is wrong where no single value is.

    `value` is what was found, without secrets; `shown` says whether the error's line has it too.
    """

    key: Key
    wrong: str
    value: Any = None
    shown: bool = False

    def __str__(self) -> str:
        return f"{self.wrong} (got {reprlib.repr(self.value)})" if self.shown else self.wrong


class ConfigError(Exception):
    """What is wrong with the configuration, a line for each error: where, and what. `problems` has them one by one."""

    def __init__(self, found: Iterable[tuple[str, Problem]]) -> None:
        lines = [(f"{where}: {problem}", problem) for where, problem in found]
        super().__init__("\n".join(line for line, _ in lines))
        self.problems = tuple(problem for _, problem in lines)

    @classmethod
    def of(cls, problems: Iterable[Problem]) -> "ConfigError":
        """Where they are is their key alone: values that came from no file."""
        return cls((dotted(each.key), each) for each in problems)


def problem(key: Key, wrong: str, value: Any, *, shown: bool = False) -> Problem:
    """An error about this value, which is left out where it is a secret."""
    if not _SECRET_KEYS.isdisjoint(key):
        return Problem(key, wrong)
    return Problem(key, wrong, _without_secrets(value), shown)


def dotted(key: Key) -> str:
    """Write a key in TOML's syntax, items of a list by their number."""
    return ".".join(_quoted(str(part)) for part in key)


def _quoted(part: str) -> str:
    return part if part.replace("-", "").replace("_", "").isalnum() else json.dumps(part)


def _without_secrets(value: Any) -> Any:
    """The value with each secret in it left out: a table that stands at the wrong place may have some."""
    if isinstance(value, dict):
        return {key: _HIDDEN if key in _SECRET_KEYS else _without_secrets(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_secrets(item) for item in value]
    if isinstance(value, str):
        # Such as a table in JSON that can't be read because a bracket is missing.
        return _HIDDEN if any(key in value.lower() for key in _SECRET_KEYS) else urls.shown_wrong(value)
    return value
