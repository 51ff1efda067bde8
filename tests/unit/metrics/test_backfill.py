"""What is back-filled is what would have been scraped."""

import re
from dataclasses import replace

from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse
from runs import START, failed, free_running, record, refused, skipped, suspect

from probe.metrics import backfill, observations
from probe.metrics.registry import Metrics
from probe.record import RunRecord, Target

SAMPLE = re.compile(r"(?P<name>\w+)\{(?P<labels>.*)\} (?P<value>\S+) (?P<at>\d+\.\d{3})")
LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
RISING = ("_total", "_bucket", "_count", "_sum")
MINUTE = 60 * 10**9
JOB = {"job": "voice-probe"}
RUNS = [
    record(1),
    record(2, started=START + MINUTE, ttfb_ms=1400),
    failed(3, started=START + 2 * MINUTE),
    record(4, started=START + 3 * MINUTE, target="spark", scenario='a "quoted" name'),
    refused(5),
    skipped(6),
    suspect(7),
    replace(record(8, started=START + 4 * MINUTE, ttfb_ms=5000), cold=True),
    free_running(9, target="openai"),
]
HISTOGRAMS = {"local": observations.SERIES["pausing"], "openai": observations.SERIES["free_running"]}
Series = dict[tuple[str, frozenset[tuple[str, str]]], list[tuple[float, float]]]


def histograms(target: Target) -> observations.Series:
    return HISTOGRAMS.get(target.name, observations.EVERY)


def series(runs: list[RunRecord]) -> Series:
    """Every series with its (time, value) samples.

    prometheus-client's own parser leaves out what a histogram has at any time but the first.
    """
    found: Series = {}
    for line in backfill.lines(runs, JOB, histograms):
        if not line.startswith("#"):
            sample = SAMPLE.fullmatch(line)
            assert sample is not None, line
            labels = frozenset((key, text.replace(r"\"", '"')) for key, text in LABEL.findall(sample["labels"]))
            moments = found.setdefault((sample["name"], labels), [])
            moments.append((float(sample["at"]), float(sample["value"])))
    return found


def scraped(runs: list[RunRecord]) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    metrics = Metrics("1", [])
    for target, filled in HISTOGRAMS.items():
        metrics.expect([(target, "default")], filled)
    for each in sorted(runs, key=lambda run: run.ended):
        metrics.write(each)
    page, _ = metrics.render("application/openmetrics-text")
    return {
        (sample.name, frozenset((sample.labels | JOB).items())): sample.value
        for family in parse(page.decode())  # type: ignore[no-untyped-call]  # its own omission
        for sample in family.samples
    }


def test_each_series_ends_at_the_value_that_would_have_been_scraped() -> None:
    live = scraped(RUNS)
    filled = series(RUNS)
    assert len(filled) > 100
    assert {name for name, _ in filled} >= {
        f"voice_probe_{name}" for name in ("cold", "cold_runs_total", "llm_tokens_per_second")
    }
    for key, samples in filled.items():
        assert abs(samples[-1][1] - live[key]) < 1e-9, key


def test_what_rises_starts_at_zero_and_every_series_goes_on_in_time() -> None:
    for (name, _), samples in series(RUNS).items():
        moments = [moment for moment, _ in samples]
        assert moments == sorted(moments)
        if name.endswith(RISING):
            assert samples[0][1] == 0


def test_a_sample_is_at_the_end_of_its_run() -> None:
    ups = series([RUNS[0]])["voice_probe_up", frozenset({("target", "local"), ("scenario", "default"), *JOB.items()})]
    assert ups == [(round(RUNS[0].ended / 1e9, 3), 1)]


def test_no_run_is_an_empty_document() -> None:
    assert list(backfill.lines([], JOB)) == ["# EOF"]
