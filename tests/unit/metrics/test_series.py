"""How many series a target makes: what a store of many boxes has to hold, and docs/scale.md computes from."""

import re
from pathlib import Path

from runs import record

from probe.config import TargetConfig
from probe.metrics.observations import SERIES
from probe.metrics.registry import Metrics
from probe.protocols.registry import answering

DOCS = (Path(__file__).parents[3] / "docs" / "scale.md").read_text("utf-8")
SINKS = ("history", "histograms", "drift", "spans", "log", "audio")


def series(targets: int) -> int:
    """Samples of a page on which each target has had a run."""
    metrics = Metrics("1", SINKS)
    target = TargetConfig().record("any")
    for number in range(targets):
        metrics.expect([(f"t{number}", "default")], SERIES[answering(target)], [*target.servers])
        metrics.write(record(number + 1, target=f"t{number}"))
    page = metrics.render("")[0].decode()
    return sum(not line.startswith("#") for line in page.splitlines())


def test_the_docs_have_the_numbers_of_today() -> None:
    one, two, three = series(1), series(2), series(3)
    assert two - one == three - two, "a target adds the same, however many there are"
    assert re.search(rf"\| of each target and scenario \| {two - one} \|", DOCS), two - one
    assert re.search(rf"\| of the daemon \| {2 * one - two} \|", DOCS), 2 * one - two


def test_runs_add_none() -> None:
    metrics = Metrics("1", SINKS)
    counted = set()
    for number in range(1, 4):
        metrics.write(record(number, target="t"))
        counted.add(len(metrics.render("")[0].splitlines()))
    assert len(counted) == 1
