"""How many series a target makes: what a store of many boxes has to hold, and docs/scale.md computes from."""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import runs
from runs import record

from probe.metrics.observations import EndOfSpeech, fillable
from probe.metrics.registry import Metrics
from probe.protocols.registry import answering
from probe.record import RunRecord
from probe.waits import asked

DOCS = (Path(__file__).parents[3] / "docs" / "scale.md").read_text("utf-8")
SINKS = ("history", "histograms", "drift", "spans", "log", "audio")


def series(targets: int, made: Callable[[int], RunRecord] = record) -> int:
    """Samples of a page on which each target has had a run."""
    metrics = Metrics("1", SINKS)
    for number in range(targets):
        run = made(number + 1)
        target = replace(run.plan.target, name=f"t{number}")
        finds_end: EndOfSpeech | None = None if asked(target) == "text" else "server"
        filled = fillable(answering(target), finds_end)
        metrics.expect([(target.name, "default")], filled, [*target.servers], asked(target))
        metrics.write(replace(run, plan=replace(run.plan, target=target)))
    page = metrics.render("")[0].decode()
    return sum(not line.startswith("#") for line in page.splitlines())


def test_the_docs_have_the_numbers_of_today() -> None:
    one, two, three = series(1), series(2), series(3)
    assert two - one == three - two, "a target adds the same, however many there are"
    assert re.search(rf"\| of each target and scenario \| {two - one} \|", DOCS), two - one
    assert re.search(rf"\| of the daemon \| {2 * one - two} \|", DOCS), 2 * one - two
    hears = series(2, runs.hearing) - series(1, runs.hearing)
    assert f"An STT server in front adds {hears - two + one}" in DOCS, hears - two + one


def test_runs_add_none() -> None:
    metrics = Metrics("1", SINKS)
    counted = set()
    for number in range(1, 4):
        metrics.write(record(number, target="t"))
        counted.add(len(metrics.render("")[0].splitlines()))
    assert len(counted) == 1
