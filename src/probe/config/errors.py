"""What is wrong with a configuration, in its user's words instead of the validator's."""

import json
import reprlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pydantic import ValidationError

Key = tuple[str | int, ...]

_WRONG = {
    "extra_forbidden": "unknown key",
    "model_type": "should be a table",
    "dict_type": "should be a table",
    "list_type": 'should be a list, such as ["one", "two"]',
    "too_short": "should not be empty",
    "string_too_short": "should not be empty",
    "string_type": "should be text",
    "string_unicode": "should be Unicode text",
    "float_type": "should be a number",
    "float_parsing": "should be a number",
    "int_type": "should be a whole number",
    "int_parsing": "should be a whole number",
    "int_from_float": "should be a whole number",
    "bool_type": "should be true or false",
    "bool_parsing": "should be true or false",
}
_VALUE_SAYS_NO_MORE = ("value_error", "extra_forbidden", "broken_reference")
# Values below these keys are not to be shown.
_SECRET_KEYS = {"headers"}


@dataclass(frozen=True, slots=True)
class Problem:
    """One error: `wrong` says what is allowed there, or what is wrong where no single value is."""

    key: Key
    wrong: str
    value: Any = None
    shown: bool = False

    def __str__(self) -> str:
        return f"{self.wrong} (got {reprlib.repr(self.value)})" if self.shown else self.wrong


def problems_of(error: "ValidationError") -> list[Problem]:
    """Each error; secrets are left out."""
    problems = []
    for each in error.errors():
        key = tuple(part for part in each["loc"] if part != "[key]")
        wrong = _WRONG.get(each["type"]) or each["msg"].removeprefix("Value error, ").removeprefix("Input ")
        secret = not _SECRET_KEYS.isdisjoint(key)
        shown = not secret and each["type"] not in _VALUE_SAYS_NO_MORE
        problems.append(Problem(key, wrong, None if secret else each["input"], shown))
    return problems


def explain(error: "ValidationError") -> list[tuple[Key, str]]:
    """Each error's key, and what is wrong there in one line."""
    return [(each.key, str(each)) for each in problems_of(error)]


def dotted(key: Key) -> str:
    """Write a key as TOML has it, items of a list by their number."""
    return ".".join(_quoted(str(part)) for part in key)


def _quoted(part: str) -> str:
    return part if part.replace("-", "").replace("_", "").isalnum() else json.dumps(part)
