"""A process by its number, from /proc: its name without arguments, and when it started."""

import os
from pathlib import Path

_NAME_LENGTH = 64
# In /proc/N/stat behind the name, which may hold anything: ticks from the machine's start to the process's.
_STARTED = 19


def process(proc: Path, pid: int, booted_at: float | None) -> tuple[str | None, float | None]:
    """Its name and its start in whole seconds since the epoch; None for what is hidden from us."""
    name, fields = _text(proc / f"{pid}/comm").strip(), _text(proc / f"{pid}/stat").rpartition(")")[2].split()
    ticks = fields[_STARTED] if len(fields) > _STARTED else ""
    known = booted_at is not None and ticks.isdecimal()
    started = round(booted_at + int(ticks) / os.sysconf("SC_CLK_TCK")) if known and booted_at is not None else None
    return name[:_NAME_LENGTH] or None, None if started is None else float(started)


def booted(proc: Path) -> float | None:
    """When the machine started, in seconds since the epoch."""
    for line in _text(proc / "stat").splitlines():
        name, _, rest = line.partition(" ")
        if name == "btime" and rest.strip().isdecimal():
            return float(rest)
    return None


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8", "replace")
    except OSError:
        return ""
