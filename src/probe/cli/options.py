"""From the command line's options to a plan. Options outrank the configuration."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from probe import config
from probe.cli.usage import UsageProblem
from probe.config import Config, ConfigError
from probe.config.errors import Key, dotted
from probe.plan import choose, new_plan
from probe.record import Plan

_SERVER = ("llm_url", "tts_url", "voice", "language")
# A setting -> the option that stands for it, where it is not spelt alike.
_OPTIONS = {"user_turns": "prompt"}


def plan_from_options(
    config_path: Path | None,
    target: str | None = None,
    scenario: str | None = None,
    problems: Sequence[str] = (),
    **options: Any,
) -> tuple[Plan, float]:
    """Plan a run from a configuration file, if any, and what the command line says.

    With the plan comes the event-loop lag, in milliseconds, that would make the run suspect. Raises UsageProblem with
    all that is wrong, `problems` that the caller has found included.
    """
    found = list(problems)
    try:
        settings = config.load(config_path)
    except ConfigError as error:
        found.append(str(error))
        # The options can still be checked, against the defaults; which targets there are is not known.
        settings, target, scenario = Config(), None, None
    server = {key: options.get(key) for key in _SERVER}
    said = {"user_turns": list(options.get("prompts", ())) or None, "turns": options.get("turns")}
    target_name, target_config = _chosen("target", settings.targets, target, server, found)
    scenario_name, scenario_config = _chosen("scenario", settings.scenarios, scenario, said, found)
    if found:
        raise UsageProblem("\n".join(found))
    plan = new_plan(target_config.record(target_name), scenario_config.record(scenario_name))
    return plan, settings.self_check.max_lag_ms


def _chosen(
    kind: str, known: Mapping[str, Any], name: str | None, values: Mapping[str, Any], found: list[str]
) -> tuple[str, Any]:
    """Pick a section of the configuration and override its values; adds what is wrong to `found`."""
    try:
        name, section = choose(kind, known, name)
    except ValueError as error:
        found.append(f"--{kind}: {error}")
        name, section = choose(kind, known, None)
    try:
        section = config.override(section, values)
    except ConfigError as error:
        found += (f"{_place(kind, name, each.key, values)}: {each}" for each in error.problems)
    return name, section


def _place(kind: str, name: str, key: Key, values: Mapping[str, Any]) -> str:
    """The option that is wrong, else the setting that does not go with the options."""
    setting = str(key[0])
    if setting in values:
        return f"--{_OPTIONS.get(setting, setting).replace('_', '-')}"
    return f"{dotted((f'{kind}s', name, *key))}, with these options"
