"""Timestamps: whole nanoseconds since the epoch, and their conversion. Reads no clock."""

from datetime import UTC, datetime

NS_PER_MS = 1_000_000
NS_PER_S = 1_000_000_000
NS_PER_HOUR = 3600 * NS_PER_S
NS_PER_DAY = 24 * NS_PER_HOUR
# A time that never comes. Times stay integers: as floats, nanoseconds since the epoch are 256 apart.
NEVER = 2**63


def of_run_id(run_id: str) -> int | None:
    """The moment in a run's id, such as 20260102T030405Z-0a1b2c, to the second; None where it has none."""
    try:
        moment = datetime.strptime(run_id.partition("-")[0], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        return None
    return round(moment.timestamp()) * NS_PER_S


def milliseconds(ns: float) -> float:
    """A length of time in nanoseconds, as milliseconds."""
    return ns / NS_PER_MS


def epoch_seconds(at: int) -> float:
    """A timestamp, as seconds since the epoch."""
    # By an integer: 1e9 would round the nanoseconds to a float first.
    return at / NS_PER_S


def utc(at: int) -> datetime:
    """A timestamp as a date and time of day in UTC, to the microsecond."""
    return datetime.fromtimestamp(epoch_seconds(at), UTC)


def local(at: int) -> datetime:
    """A timestamp as a date and time of day where this machine is, to the microsecond."""
    return datetime.fromtimestamp(epoch_seconds(at)).astimezone()
