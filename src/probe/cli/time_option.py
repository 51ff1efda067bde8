"""Time on the command line: a moment, so long ago or a date, and how long something lasts."""

import re
from datetime import datetime, timedelta
from typing import Any

import click

_AGO = re.compile(r"(\d+(?:\.\d+)?)(s|m|h|d|w)")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


class Moment(click.ParamType[int]):
    """`24h`, `7d`, or an ISO 8601 date or time (local unless it says otherwise); nanoseconds since the epoch."""

    name = "moment"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        now = datetime.now().astimezone()
        try:
            ago = _AGO.fullmatch(value)
            if ago is not None:
                moment = now - timedelta(**{_UNITS[ago[2]]: float(ago[1])})
            else:
                moment = datetime.fromisoformat(value).astimezone()
            return int(moment.timestamp()) * 10**9
        except (ValueError, OverflowError, OSError):
            self.fail(f"{value!r} is neither an age such as 24h or 7d nor a date such as 2026-11-30T14:00", param, ctx)


class Duration(click.ParamType[float]):
    """`90s`, `5m`, `2h`; seconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if isinstance(value, float):
            return value
        found = _AGO.fullmatch(value)
        try:
            seconds = timedelta(**{_UNITS[found[2]]: float(found[1])}).total_seconds() if found is not None else 0.0
        except OverflowError:
            seconds = 0.0
        if not seconds:
            self.fail(f"{value!r} is no duration such as 90s, 5m or 2h", param, ctx)
        return seconds


# One for each of two sides; None is no limit.
Moments = tuple[int | None, int | None]


class MomentPair(click.ParamType[Moments]):
    """A moment for both sides, or `A..B` for one each; either may be left out."""

    name = "moments"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Moments:
        if isinstance(value, tuple):
            return value
        one, apart, other = value.partition("..")
        first = MOMENT.convert(one, param, ctx) if one or not apart else None
        second = first if not apart else MOMENT.convert(other, param, ctx) if other else None
        return first, second


MOMENT = Moment()
MOMENTS = MomentPair()
DURATION = Duration()
