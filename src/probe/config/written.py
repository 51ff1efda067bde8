"""Values as they are written, in a file, a variable or code: tables that may be JSON, and keys that have moved."""

import json
import math
from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from probe.config.errors import Key


class Variable(str):
    """Text from the environment: JSON where a table or a list belongs, and text elsewhere."""

    __slots__ = ()


class Moved(Struct, frozen=True):
    """A value that was written at another key than the one where it belongs today. Errors name the one it has."""

    key: Key
    value: Any


def decoded(value: Any) -> Any:
    """What belongs where a table or a list does. What is no JSON stays as it is: the check of all values reports it."""
    if isinstance(value, Variable):
        try:
            return json.loads(value)
        except (ValueError, RecursionError):
            return value
    return value


def table(value: Any) -> dict[str, Any] | None:
    """The value as a table; None where it is none."""
    found = decoded(value)
    return found if isinstance(found, dict) else None


def plain(value: Any) -> Any:
    """A value that goes on as JSON, whatever it is. Raises ValueError for what JSON does not have, such as a date."""
    if isinstance(value, Variable):
        found = decoded(value)
        return plain(found) if found is not value else str(value)
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, str | int) or (isinstance(value, float) and math.isfinite(value)):
        return value
    raise ValueError("should be what JSON has: text, a finite number, true, false, a list or a table")


def merged(low: Mapping[str, Any], high: Mapping[str, Any]) -> dict[str, Any]:
    """One table out of two: `high` wins. A key of `high` that has another case only is the one that `low` has."""
    spelt = {key.lower(): key for key in low}
    found = dict(low)
    for key, value in high.items():
        name = key if key in low else spelt.get(key, key)
        below, above = table(found.get(name)), table(value)
        found[name] = value if below is None or above is None else merged(below, above)
    return found
