"""Figures in words, as pages have them: with a space before the unit, and a dash for what is missing."""

from collections.abc import Callable, Mapping
from typing import Any

from probe.timestamps import NS_PER_S, utc

MISSING = "\N{EN DASH}"
_MS_PER_S = 1000
# From so many milliseconds on, seconds read better.
_LONG_MS = 10_000
_UNITS = ((86_400, "day"), (3600, "hour"), (60, "minute"), (1, "second"))


def milliseconds(value: float | None) -> str:
    """Such as 358 ms, 0.4 ms or 12.3 s."""
    if value is None:
        return MISSING
    if value >= _LONG_MS:
        return f"{value / _MS_PER_S:.1f} s"
    return f"{bare(value)} ms"


def bare(value: float | None) -> str:
    """The same without a unit, always in milliseconds."""
    if value is None:
        return MISSING
    digits = 1 if 0 < abs(value) < 10 else 0  # noqa: PLR2004 - one digit says too little there
    return f"{round(value, digits) + 0.0:.{digits}f}"


def figure(value: float | None, digits: int = 1) -> str:
    return MISSING if value is None else f"{round(value, digits) + 0.0:.{digits}f}"


def percent(share: float | None) -> str:
    """A share of 1; never a round 100 % or 0 % where it is not all or nothing."""
    if share is None:
        return MISSING
    rounded = f"{100 * share:.1f}"
    if rounded == "100.0" and share < 1:
        rounded = "99.9"
    if rounded == "0.0" and share > 0:
        rounded = "0.1"
    return f"{rounded} %".replace(".0 %", " %")


def moment(at: int) -> str:
    """Such as 2026-11-30 02:27:34 UTC."""
    return f"{utc(at):%Y-%m-%d %H:%M:%S} UTC"


def ago(at: int, now: int) -> str:
    """Such as `3 minutes ago`, in the largest unit that there is one of."""
    passed = (now - at) // NS_PER_S
    if passed < 0:
        return "in the future, by this machine's clock"
    for length, unit in _UNITS:
        if passed >= length:
            count = passed // length
            return f"{count} {unit}{'' if count == 1 else 's'} ago"
    return "just now"


FILTERS: Mapping[str, Callable[..., Any]] = {
    "ms": milliseconds, "bare": bare, "figure": figure, "percent": percent, "moment": moment,
}  # fmt: skip
