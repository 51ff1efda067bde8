"""Errors of a target and a scenario that do not go together, though each is right in itself."""

from collections.abc import Iterator, Mapping

from probe.config.daemon import ScheduleConfig
from probe.config.errors import Problem, dotted
from probe.plan import Scenario, Target
from probe.protocols.registry import answers_by_itself, hearing


def misfit(target: Target, scenario: Scenario) -> str | None:
    """Why no run of this scenario on this target can take place; None where one can."""
    if hearing(target) is not None and target.user_voice is None and not scenario.user_audio:
        given = f"give it recordings (user_audio in {dotted(('scenarios', scenario.name))})"
        return f"target {target.name!r} hears, and nothing speaks to it: {given}, or a TTS server ([user_speech])"
    if scenario.interrupt_after_ms is not None and not answers_by_itself(target):
        return (
            f"interrupt_after_ms is for agents that find the end of the speech themselves "
            f'(endpointing = "server"), which target {target.name!r} is not'
        )
    return None


def misfits(
    schedules: Mapping[str, ScheduleConfig], targets: Mapping[str, Target], scenarios: Mapping[str, Scenario]
) -> Iterator[Problem]:
    """Look at every schedule's pair; of those that name nothing, the first is meant."""
    for name, schedule in schedules.items():
        target = targets[schedule.target or next(iter(targets))]
        scenario = scenarios[schedule.scenario or next(iter(scenarios))]
        if (wrong := misfit(target, scenario)) is not None:
            yield Problem(("schedules", name), f"scenario {scenario.name!r} can't be run: {wrong}")
