"""A process by its number, from /proc: its name without arguments, and when it started."""

import os
from pathlib import Path

_NAME_LENGTH = 64
# In /proc/N/stat behind the name, which may hold anything: ticks from the machine's start to the process's.
_STARTED = 19


def process(proc: Path, pid: int) -> tuple[str | None, float | None]:
    """Its name, and the seconds from the machine's start to its own; None for what is hidden from us."""
    name, fields = _text(proc / f"{pid}/comm").strip(), _text(proc / f"{pid}/stat").rpartition(")")[2].split()
    ticks = fields[_STARTED] if len(fields) > _STARTED else ""
    return name[:_NAME_LENGTH] or None, int(ticks) / os.sysconf("SC_CLK_TCK") if ticks.isdecimal() else None


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8", "replace")
    except OSError:
        return ""
