"""From the command line's options to a plan. Options outrank the configuration."""

from pathlib import Path
from typing import Any

import click

from probe.record import Plan


class UsageProblem(click.ClickException):
    """Bad usage or configuration: one clear line, or one for each error, and exit code 2."""

    exit_code = 2


def plan_from_options(
    config_path: Path | None, target: str | None = None, scenario: str | None = None, **options: Any
) -> tuple[Plan, float]:
    """Plan a run from a configuration file, if any, and what the command line says. Raises UsageProblem.

    With the plan comes the event-loop lag, in milliseconds, that would make the run suspect.
    """
    from pydantic import ValidationError  # noqa: PLC0415 - 0.2 s that `--help` need not take

    from probe import config  # noqa: PLC0415
    from probe.plan import choose, new_plan  # noqa: PLC0415

    try:
        settings = config.load(config_path)
        target_name, target_config = choose("target", settings.targets, target)
        scenario_name, scenario_config = choose("scenario", settings.scenarios, scenario)
        target_config = config.override(
            target_config, {key: options.get(key) for key in ("llm_url", "tts_url", "voice", "language")}
        )
        turns = {"user_turns": list(options.get("prompts", ())) or None, "turns": options.get("turns")}
        scenario_config = config.override(scenario_config, turns)
    except ValidationError as error:
        raise UsageProblem("\n".join(_as_option(line) for line in config.explain(error))) from error
    except (config.ConfigError, ValueError) as error:
        raise UsageProblem(str(error)) from error
    plan = new_plan(target_config.record(target_name), scenario_config.record(scenario_name))
    return plan, settings.self_check.max_lag_ms


def _as_option(line: str) -> str:
    key, _, message = line.partition(":")
    name = "prompt" if key.startswith("user_turns") else key.replace("_", "-")
    return f"--{name}:{message}"
