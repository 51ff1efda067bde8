"""From the command line's options to a plan. Options outrank the configuration."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from probe.record import Plan


class UsageProblem(click.ClickException):
    """Bad usage or configuration: one clear line, or one for each error, and exit code 2."""

    exit_code = 2


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
    from probe import config  # noqa: PLC0415 - 0.2 s that `--help` need not take
    from probe.plan import new_plan  # noqa: PLC0415 - as above

    found = list(problems)
    try:
        settings = config.load(config_path)
    except config.ConfigError as error:
        found.append(str(error))
        # The options can still be checked, against the defaults; which targets there are is not known.
        settings, target, scenario = config.Config.model_construct(), None, None
    server = {key: options.get(key) for key in ("llm_url", "tts_url", "voice", "language")}
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
    from pydantic import ValidationError  # noqa: PLC0415 - as above

    from probe import config, plan  # noqa: PLC0415 - as above
    from probe.config.errors import explain  # noqa: PLC0415 - as above

    try:
        name, section = plan.choose(kind, known, name)
    except ValueError as error:
        found.append(f"--{kind}: {error}")
        name, section = plan.choose(kind, known, None)
    try:
        section = config.override(section, values)
    except ValidationError as error:
        found += (f"{_option(str(key[0]))}: {message}" for key, message in explain(error))
    return name, section


def _option(key: str) -> str:
    return "--prompt" if key == "user_turns" else f"--{key.replace('_', '-')}"
