"""The host's figures, from /proc and /sys. Whatever is missing there, or reads as something else, is None."""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

# A machine has hundreds of cores, and each of their files costs some microseconds.
_MOST_POLICIES = 8
_MOST_ZONES = 16
# All of these files are shorter, except for those whose beginning is enough.
_READ_BYTES = 4096
_KIB = 1024
# What a sensor may show; others are broken, or switched off.
_COLDEST_C, _HOTTEST_C = -40.0, 150.0
# In the first line of /proc/stat: user nice system idle iowait irq softirq steal.
_IDLE, _IOWAIT, _STEAL, _TICKS = 3, 4, 7, 8


@dataclass(frozen=True, slots=True)
class Ticks:
    """What the cores have done since the machine started, in units of the kernel."""

    total: int
    idle: int
    steal: int


@dataclass(frozen=True, slots=True)
class Levels:
    """What goes up and down: megahertz and bytes."""

    cpu_mhz: float | None = None
    memory_available_bytes: int | None = None
    swap_used_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Counters:
    """What only grows: the ticks of the cores, and microseconds of waiting."""

    ticks: Ticks | None = None
    stalled_cpu_us: int | None = None
    stalled_memory_us: int | None = None
    stalled_io_us: int | None = None


@dataclass(frozen=True, slots=True)
class Conditions:
    """What is worth one reading per run."""

    load: float | None = None
    temperature_c: float | None = None
    cpu_limit_mhz: float | None = None
    governor: str | None = None
    kernel: str | None = None
    boot_id: str | None = None
    # Of the machine, in seconds since the epoch, where there is no id.
    started: float | None = None


class Host:
    """The files of one machine below `root`, found once."""

    def __init__(self, root: Path = Path("/")) -> None:
        policies = _numbered(root / "sys/devices/system/cpu/cpufreq", "policy")[:_MOST_POLICIES]
        self._frequencies = [f"{policy}/scaling_cur_freq" for policy in policies]
        self._limits = [f"{policy}/scaling_max_freq" for policy in policies]
        self._governors = [f"{policy}/scaling_governor" for policy in policies]
        self._zones = [f"{zone}/temp" for zone in _numbered(root / "sys/class/thermal", "thermal_zone")[:_MOST_ZONES]]
        self._proc = str(root / "proc")

    def levels(self) -> Levels:
        """What may change within a run."""
        memory = _text(f"{self._proc}/meminfo")
        total, free = _bytes_in(memory, "SwapTotal"), _bytes_in(memory, "SwapFree")
        return Levels(
            cpu_mhz=_mean_mhz(self._frequencies),
            memory_available_bytes=_bytes_in(memory, "MemAvailable"),
            swap_used_bytes=None if total is None or free is None else max(0, total - free),
        )

    def counters(self) -> Counters:
        """What is read before and after a run."""
        return Counters(
            ticks=_ticks(_text(f"{self._proc}/stat")),
            stalled_cpu_us=_stalled_us(_text(f"{self._proc}/pressure/cpu")),
            stalled_memory_us=_stalled_us(_text(f"{self._proc}/pressure/memory")),
            stalled_io_us=_stalled_us(_text(f"{self._proc}/pressure/io")),
        )

    def conditions(self) -> Conditions:
        """What is read after a run."""
        governors = {_word(_text(path)) for path in self._governors}
        return Conditions(
            load=_number(_word(_text(f"{self._proc}/loadavg"))),
            temperature_c=_hottest(map(_text, self._zones)),
            cpu_limit_mhz=_mean_mhz(self._limits),
            governor=",".join(sorted(filter(None, governors))) or None,
            kernel=_word(_text(f"{self._proc}/sys/kernel/osrelease")),
            boot_id=_word(_text(f"{self._proc}/sys/kernel/random/boot_id")),
        )


def _numbered(folder: Path, name: str) -> list[Path]:
    """Its entries `name0`, `name1`, … in the order of their numbers."""
    try:
        numbers = [each.name.removeprefix(name) for each in folder.iterdir() if each.name.startswith(name)]
    except OSError:
        return []
    return [folder / f"{name}{each}" for each in sorted(filter(str.isdecimal, numbers), key=int)]


def _text(path: str) -> str:
    """The beginning of a file, empty where it can't be read."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except OSError:
        return ""
    try:
        return os.read(descriptor, _READ_BYTES).decode("ascii", "replace")
    except OSError:
        return ""
    finally:
        os.close(descriptor)


def _word(text: str) -> str | None:
    words = text.split(maxsplit=1)
    return words[0][:256] if words else None


def _number(word: str | None) -> float | None:
    try:
        return None if word is None else float(word)
    except ValueError:
        return None


def _whole(word: str | None) -> int | None:
    return int(word) if word is not None and word.isdecimal() else None


def _mean_mhz(paths: Sequence[str]) -> float | None:
    """The files have kilohertz."""
    known = [khz for khz in (_whole(_word(_text(path))) for path in paths) if khz]
    return round(fmean(known) / 1000, 1) if known else None


def _bytes_in(text: str, name: str) -> int | None:
    """Of a line `NAME:   123 kB` that is not the first."""
    kib = _whole(_word(text.partition(f"\n{name}:")[2]))
    return None if kib is None else kib * _KIB


def _ticks(text: str) -> Ticks | None:
    words = text.partition("\n")[0].split()
    figures = [_whole(word) for word in words[1 : _TICKS + 1]]
    known = [figure for figure in figures if figure is not None]
    if words[:1] != ["cpu"] or len(known) < _TICKS:
        return None
    return Ticks(sum(known), known[_IDLE] + known[_IOWAIT], known[_STEAL])


def _stalled_us(text: str) -> int | None:
    """Of `some avg10=0.00 avg60=0.00 avg300=0.00 total=123`."""
    line = text.partition("\n")[0]
    return _whole(line.rpartition("total=")[2]) if line.startswith("some ") else None


def _hottest(texts: Iterable[str]) -> float | None:
    """The files have thousandths of a degree."""
    known = [milli / 1000 for milli in (_number(_word(text)) for text in texts) if milli is not None]
    return max(filter(plausible, known), default=None)


def plausible(degrees: float) -> bool:
    """Whether a sensor that shows this is neither broken nor switched off."""
    return _COLDEST_C < degrees < _HOTTEST_C
