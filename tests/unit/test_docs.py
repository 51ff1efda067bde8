"""The documents say what the code does."""

import tomllib
from pathlib import Path
from typing import Any

import click

from probe import config
from probe.cli.run import EXIT_CODES, run
from probe.record import REASONS

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "deploy" / "probe.example.toml"
README = (ROOT / "README.md").read_text("utf-8")


def test_the_example_configuration_is_the_default_one() -> None:
    assert config.load(EXAMPLE) == config.load(None)


def test_the_example_configuration_shows_every_setting() -> None:
    text = EXAMPLE.read_text("utf-8")
    defaults = config.Config.model_construct().model_dump()
    shown, known = keys(tomllib.loads(text)), keys(defaults)
    # Without a default there is no value to show; it is there as a comment.
    without = {key for key, value in known.items() if value is None}
    assert {key for key in without if f"\n# {key.rpartition('.')[2]} = " not in text} == set()
    assert set(shown) == set(known) - without


def test_the_readme_names_every_flag_of_run() -> None:
    flags = {flag for option in run.params if isinstance(option, click.Option) for flag in option.opts}
    assert {flag for flag in flags if f"`{flag}" not in README and f" {flag}" not in README} == set()


def test_the_readme_names_every_outcome_and_exit_code() -> None:
    for outcome, code in EXIT_CODES.items():
        assert f"| {code} | `{outcome}` |" in README


def test_the_docs_explain_every_failure() -> None:
    text = (ROOT / "docs" / "failures.md").read_text("utf-8")
    for stage, reasons in REASONS.items():
        for reason in reasons:
            assert f"| {stage} | `{reason}` |" in text


def test_the_docs_define_every_measure() -> None:
    from probe.measures import ChunkMeasures, TurnMeasures  # noqa: PLC0415 - only its fields are of interest here

    text = (ROOT / "docs" / "measures.md").read_text("utf-8")
    names = {*ChunkMeasures.__dataclass_fields__, *TurnMeasures.__dataclass_fields__} - {"chunks"}
    assert {name for name in names if f"| `{name}` |" not in text} == set()


def keys(table: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Every key, dotted where a table is a section of its own; a pause and the headers are values."""
    found: dict[str, Any] = {}
    for key, value in table.items():
        if isinstance(value, dict) and not key.endswith("_pause") and key != "headers":
            found |= keys(value, f"{prefix}{key}.")
        else:
            found[prefix + key] = value
    return found
