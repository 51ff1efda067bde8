"""What is wrong with a configuration, in its user's words instead of the validator's."""

import json
import reprlib
from typing import TYPE_CHECKING

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
_VALUE_SAYS_NO_MORE = ("value_error", "extra_forbidden")


def explain(error: "ValidationError") -> list[tuple[Key, str]]:
    """Each error's key, and what is wrong there in one line."""
    lines = []
    for each in error.errors():
        key = tuple(part for part in each["loc"] if part != "[key]")
        wrong = _WRONG.get(each["type"]) or each["msg"].removeprefix("Value error, ").removeprefix("Input ")
        got = "" if each["type"] in _VALUE_SAYS_NO_MORE else f" (got {reprlib.repr(each['input'])})"
        lines.append((key, wrong + got))
    return lines


def dotted(key: Key) -> str:
    """Write a key as TOML has it, items of a list by their number."""
    return ".".join(_quoted(str(part)) for part in key)


def _quoted(part: str) -> str:
    return part if part.replace("-", "").replace("_", "").isalnum() else json.dumps(part)
