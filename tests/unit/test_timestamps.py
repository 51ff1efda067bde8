"""Nanoseconds since the epoch, in other units."""

from datetime import UTC, datetime

from probe.timestamps import NS_PER_DAY, NS_PER_MS, NS_PER_S, epoch_seconds, local, milliseconds, utc

# A float holds no nanoseconds of this size.
AT = 1_790_000_000_123_456_789


def test_units_are_exact() -> None:
    assert (NS_PER_MS, NS_PER_S, NS_PER_DAY) == (10**6, 10**9, 24 * 3600 * 10**9)
    assert all(isinstance(each, int) for each in (NS_PER_MS, NS_PER_S, NS_PER_DAY))
    assert milliseconds(1_500_000) == 1.5


def test_seconds_are_the_nearest_that_a_float_can_hold() -> None:
    at = next(at for at in range(AT, AT + 10_000) if at / 1e9 != at / 10**9)
    assert epoch_seconds(at) == float(f"{at // NS_PER_S}.{at % NS_PER_S:09}") != at / 1e9


def test_utc_and_local_are_the_same_moment() -> None:
    assert utc(AT) == local(AT) == datetime(2026, 9, 21, 14, 13, 20, 123457, UTC)
    assert utc(AT).tzinfo is UTC and local(AT).utcoffset() is not None
