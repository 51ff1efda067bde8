"""Parameters of an address, checked: what a form sends, or a person types."""

from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta

from probe.timestamps import NS_PER_S, utc
from probe.web.page import BadQueryError

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_LARGEST = 10**9
_LAST_SECOND = 2**33


def text(query: Mapping[str, str], name: str) -> str | None:
    """The value as it is, for a name may begin with a space; None where it is missing or empty."""
    return query.get(name) or None


def typed(query: Mapping[str, str], name: str) -> str | None:
    """The same of what a person types or pastes, without the spaces around it."""
    return (text(query, name) or "").strip() or None


def chosen(query: Mapping[str, str], name: str, known: Collection[str]) -> str | None:
    """One of the values that there are. Raises BadQueryError."""
    value = text(query, name)
    if value is not None and value not in known:
        raise BadQueryError(f"{name}: {value!r} is none of {', '.join(known) or 'none'}")
    return value


def number(query: Mapping[str, str], name: str) -> float | None:
    """A number, not negative. Raises BadQueryError."""
    value = typed(query, name)
    if value is None:
        return None
    try:
        found = float(value)
    except ValueError:
        found = -1.0
    if not 0 <= found <= _LARGEST:
        raise BadQueryError(f"{name}: {value!r} is not a number of milliseconds")
    return found


def moment(query: Mapping[str, str], name: str, now: int) -> int | None:
    """`24h`, `7d`, or a date or time as ISO 8601, UTC unless it has a zone; nanoseconds. Raises BadQueryError."""
    value = typed(query, name)
    if value is None:
        return None
    try:
        count, unit = value[:-1], value[-1:]
        if unit in _UNITS and count.replace(".", "", 1).isdecimal():
            ago = round(timedelta(**{_UNITS[unit]: float(count)}).total_seconds()) * NS_PER_S
            return max(0, now - ago)
        found = datetime.fromisoformat(value)
        return _checked(found if found.tzinfo else found.replace(tzinfo=UTC)) * NS_PER_S
    except (ValueError, OverflowError, OSError) as error:
        hint = "neither an age such as 24h or 7d nor a date such as 2026-11-30T14:00"
        raise BadQueryError(f"{name}: {value!r} is {hint}") from error


def _checked(found: datetime) -> int:
    """Of a year whose nanoseconds fit into a column."""
    seconds = int(found.timestamp())
    if not 0 <= seconds <= _LAST_SECOND:
        raise ValueError("not in this age")
    return seconds


def for_input(at: int | None) -> str:
    """A moment as an input of a date and time takes it; empty for None."""
    return "" if at is None else f"{utc(at):%Y-%m-%dT%H:%M:%S}"
