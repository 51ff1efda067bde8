"""What changed from run to run, except for latencies: another model, a new driver, a clock cap. A pure function.

What is not known of a run is what it was before. What may come and go within a run, such as a clock cap, is a change
once it has held for some runs; it is dated by the first of them.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, get_args

from probe.blame import NAMES
from probe.drift.circumstances import Circumstances
from probe.machine.state import SAME_START_S, THROTTLED, WORDS, ClockReason
from probe.plan import Role

Kind = Literal[
    "model", "voice", "settings", "driver", "kernel", "reboot", "clock_cap", "clock_setting", "cpu_setting",
    "gpu_process", "server_restart",
]  # fmt: skip
# After these the detector itself begins another baseline.
OF_SERVING: tuple[Kind, ...] = ("model", "voice", "settings")


@dataclass(frozen=True, slots=True)
class Event:
    """One change. `at` is the start of the first run after it, in nanoseconds since the epoch; `what` describes it."""

    at: int
    kind: Kind
    what: str
    run_id: str


@dataclass(frozen=True, slots=True)
class _Fact:
    """The value that is compared, None if unknown; and the text of a change, None if it is not reported."""

    of: Callable[[Circumstances], Any]
    text: Callable[[Any, Any], str | None]
    # So many runs in a row must have the new value.
    settled: int = 1


class Follower:
    """The changes of one series, whose runs are added in their order."""

    def __init__(self) -> None:
        self._known: dict[_Fact, Any] = {}
        # New values that are not settled yet: the value, its first run, and in how many runs it was seen.
        self._coming: dict[_Fact, tuple[Any, Circumstances, int]] = {}

    def add(self, run: Circumstances) -> Iterator[Event]:
        """The changes that this run makes certain."""
        for kind, facts in FACTS.items():
            found = [each for fact in facts for each in self._compared(fact, fact.of(run), run)]
            if found:
                # One change: the driver may show a process that was started again, and so may the server itself.
                first = found[0][0]
                yield Event(first.started, kind, "; ".join(words for _, words in found), first.run_id)

    def _compared(self, fact: _Fact, value: Any, run: Circumstances) -> Iterator[tuple[Circumstances, str]]:
        """The first run after a change that is certain now, and the change in words."""
        if value is None:
            return
        known = self._known.get(fact)
        if known is None or known == value:
            self._known[fact] = value
            self._coming.pop(fact, None)
            return
        coming, first, runs = self._coming.get(fact, (value, run, 0))
        if coming != value:
            first, runs = run, 0
        self._coming[fact] = value, first, runs + 1
        if runs + 1 >= fact.settled:
            del self._coming[fact]
            self._known[fact] = value
            if (what := fact.text(known, value)) is not None:
                yield first, what


def events(runs: Iterable[Circumstances]) -> list[Event]:
    """The changes of one series, the oldest first."""
    follower = Follower()
    found = [event for run in runs for event in follower.add(run)]
    return sorted(found, key=lambda event: event.at)


def _went(name: str) -> Callable[[str, str], str]:
    return lambda before, after: f"{name} {before} → {after}"


def _boot(run: Circumstances) -> str | float | None:
    """Which start of the machine: its id, or when it was."""
    return None if run.machine is None else run.machine.host.boot_id or run.machine.host.started


def _boot_text(before: str | float, after: str | float) -> str | None:
    """A machine that has no id of its start computes the time from its clocks, which move that by some seconds."""
    if isinstance(before, str) or isinstance(after, str):
        return "reboot" if isinstance(before, str) and isinstance(after, str) else None
    return "reboot" if abs(after - before) > SAME_START_S else None


def _reasons(run: Circumstances) -> tuple[ClockReason, ...] | None:
    """All that lowered a clock of some GPU."""
    known = [gpu.reasons for gpu in run.machine.gpus if gpu.reasons is not None] if run.machine else []
    return tuple(each for each in WORDS if any(each in reasons for reasons in known)) if known else None


def _caps(run: Circumstances) -> tuple[ClockReason, ...] | None:
    found = _reasons(run)
    return None if found is None else tuple(each for each in found if each in THROTTLED)


def _settings(run: Circumstances) -> tuple[ClockReason, ...] | None:
    found = _reasons(run)
    return None if found is None else tuple(each for each in found if each not in THROTTLED)


def _setting_text(before: tuple[ClockReason, ...], after: tuple[ClockReason, ...]) -> str:
    return f"what limits the GPU's clocks by a setting: {_named(before)} → {_named(after)}"


def _named(reasons: tuple[ClockReason, ...]) -> str:
    return ", ".join(WORDS[each] for each in reasons) or "nothing"


def _cpu(run: Circumstances) -> str | None:
    """The governor, and what it allows, to a tenth of a gigahertz."""
    host = run.machine.host if run.machine else None
    if host is None or host.governor is None:
        return None
    return host.governor if host.cpu_limit_mhz is None else f"{host.governor} up to {host.cpu_limit_mhz / 1000:.1f} GHz"


def _cap_text(before: tuple[ClockReason, ...], after: tuple[ClockReason, ...]) -> str:
    came = ", ".join(WORDS[each] for each in after if each not in before)
    went = ", ".join(WORDS[each] for each in before if each not in after)
    parts = (came and f"GPU clocks capped: {came}", went and f"GPU clocks no longer capped: {went}")
    return "; ".join(part for part in parts if part)


def _processes(run: Circumstances) -> frozenset[str] | None:
    shown = [gpu.processes for gpu in run.machine.gpus if gpu.processes is not None] if run.machine else []
    return frozenset(process.name for each in shown for process in each) if shown else None


def _process_text(before: frozenset[str], after: frozenset[str]) -> str:
    came, went = sorted(after - before), sorted(before - after)
    parts = (came and f"new on the GPU: {', '.join(came)}", went and f"no longer on the GPU: {', '.join(went)}")
    return "; ".join(part for part in parts if part)


def _starts(run: Circumstances) -> tuple[str | None, Mapping[str, float]] | None:
    """When each name on the GPU last started, in seconds from the machine's start; and which start of the machine."""
    if run.machine is None:
        return None
    shown = [each for gpu in run.machine.gpus for each in gpu.processes or () if each.started is not None]
    last: dict[str, float] = {}
    for each in shown:
        last[each.name] = max(last.get(each.name, 0.0), each.started or 0.0)
    return (run.machine.host.boot_id, last) if last else None


def _restart_text(
    before: tuple[str | None, Mapping[str, float]], after: tuple[str | None, Mapping[str, float]]
) -> str | None:
    """A reboot is a change of its own, and starts everything."""
    if before[0] != after[0]:
        return None
    again = sorted(name for name, at in after[1].items() if at != before[1].get(name, at))
    return f"started again: {', '.join(again)}" if again else None


def _start(run: Circumstances, role: Role) -> tuple[str | None, float] | None:
    """When a server was started, as it says itself wherever it runs; and which start of this machine."""
    at = run.starts.get(role)
    return None if at is None else (None if run.machine is None else run.machine.host.boot_id, at)


def _start_text(before: tuple[str | None, float], after: tuple[str | None, float], role: Role) -> str | None:
    return None if before[0] != after[0] else f"started again: the {NAMES[role]} server"


FACTS: Mapping[Kind, tuple[_Fact, ...]] = {
    "model": (_Fact(lambda run: run.serving.llm or None, _went("model or build")),),
    "voice": (_Fact(lambda run: run.serving.tts or None, _went("voice")),),
    "settings": (_Fact(lambda run: run.serving.config or None, _went("configuration")),),
    "driver": (_Fact(lambda run: run.machine and run.machine.driver, _went("GPU driver")),),
    "kernel": (_Fact(lambda run: run.machine and run.machine.host.kernel, _went("kernel")),),
    "reboot": (_Fact(_boot, _boot_text),),
    "clock_cap": (_Fact(_caps, _cap_text, settled=3),),
    "clock_setting": (_Fact(_settings, _setting_text, settled=3),),
    "cpu_setting": (_Fact(_cpu, _went("CPU"), settled=3),),
    "gpu_process": (_Fact(_processes, _process_text, settled=3),),
    "server_restart": (
        _Fact(_starts, _restart_text, settled=2),
        *(_Fact(partial(_start, role=role), partial(_start_text, role=role), settled=2) for role in get_args(Role)),
    ),
}
