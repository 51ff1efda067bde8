"""The recordings that a configuration names: whether each can be played, before any run needs it."""

from collections.abc import Iterator
from pathlib import Path

from probe import config
from probe.config import Config
from probe.config.errors import Problem, dotted
from probe.config.measuring import ScenarioConfig
from probe.protocols.registry import hearing
from probe.user_audio import wav
from probe.user_audio.prepare import unusable


def require_playable(path: Path) -> Config:
    """The configuration in this file. Raises ConfigError, also for recordings that can't be played: where, and why.

    Every file is read, which takes a while: 0.1 s or more for one that can be played.
    """
    settings = config.load(path)
    audible_dbfs = min(each.audible_dbfs for each in settings.targets.values())
    found = [each for name, scenario in settings.scenarios.items() for each in problems(name, scenario, audible_dbfs)]
    if found:
        raise config.refused(path, found)
    return settings


def too_long(settings: Config) -> Iterator[str]:
    """Warnings about recordings that no run on a target lasts for, with both keys. They can be played, see above."""
    for name, scenario in settings.scenarios.items():
        lasts = sum(map(_seconds, scenario.user_audio))
        for target, chosen in settings.targets.items():
            if hearing(chosen.record(target)) is not None and lasts > (run_s := chosen.limits.run_s):
                limit = dotted(("targets", target, "limits", "run_s"))
                yield f"{dotted(('scenarios', name))}.user_audio lasts {lasts:.0f} s, and {limit} is {run_s:g}"


def _seconds(path: str) -> float:
    samples, rate = wav.read(Path(path).read_bytes())
    return len(samples) / rate


def problems(name: str, scenario: ScenarioConfig, audible_dbfs: float) -> Iterator[Problem]:
    """The same of one scenario, whose sound counts as audible from this level on."""
    for number, path in enumerate(scenario.user_audio):
        if (why := unusable(Path(path), audible_dbfs)) is not None:
            yield Problem(("scenarios", name, "user_audio", number), f"{path}: {why}", path)
