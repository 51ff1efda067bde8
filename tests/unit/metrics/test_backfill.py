"""What is back-filled is what would have been scraped."""

import re
from dataclasses import replace

from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse
from runs import (
    NOT_UNDERSTOOD,
    START,
    UNDERSTOOD,
    failed,
    free_running,
    machine,
    on_a_machine,
    record,
    refused,
    skipped,
    suspect,
)

from probe.machine.state import Exporter, HostState, MachineState
from probe.metrics import backfill, observations
from probe.metrics.registry import Metrics
from probe.plan import Role, Target
from probe.record import RunRecord
from probe.server_state import ServerFigures

SAMPLE = re.compile(r"(?P<name>\w+)\{(?P<labels>.*)\} (?P<value>\S+) (?P<at>\d+\.\d{3})")
LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
RISING = ("_total", "_bucket", "_count", "_sum")
MINUTE = 60 * 10**9
JOB = {"job": "voice-probe"}
GARBLED = replace(UNDERSTOOD, ended=UNDERSTOOD.ended + MINUTE, turns=(replace(UNDERSTOOD.turns[0], errors=6),))
RUNS = [
    replace(record(1), transcription=UNDERSTOOD),
    replace(record(2, started=START + MINUTE, ttfb_ms=1400), transcription=GARBLED),
    replace(record(10, started=START + MINUTE), transcription=NOT_UNDERSTOOD),
    failed(3, started=START + 2 * MINUTE),
    record(4, started=START + 3 * MINUTE, target="spark", scenario='a "quoted" name'),
    refused(5),
    skipped(6),
    suspect(7),
    replace(record(8, started=START + 4 * MINUTE, ttfb_ms=5000), cold=True),
    free_running(9, target="openai"),
    replace(on_a_machine(10, started=START + 5 * MINUTE), cold=False),
    replace(
        on_a_machine(11, started=START + 6 * MINUTE),
        machine=replace(machine(), host=replace(machine().host, boot_id="another")),
        cold=False,
    ),
]
HISTOGRAMS = {"local": observations.SERIES["pausing"], "openai": observations.SERIES["free_running"]}
Series = dict[tuple[str, frozenset[tuple[str, str]]], list[tuple[float, float]]]


def histograms(target: Target) -> observations.Series:
    return HISTOGRAMS.get(target.name, observations.EVERY)


def series(runs: list[RunRecord]) -> Series:
    """Every series with its (time, value) samples; the runs are in the order in which a history has them.

    prometheus-client's own parser leaves out what a histogram has at any time but the first.
    """
    found: Series = {}
    for line in backfill.lines(sorted(runs, key=lambda run: run.ended), JOB, histograms):
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
        if each.transcription is not None:
            metrics.intelligibility.count(each, each.transcription)
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
        f"voice_probe_{name}"
        for name in ("cold", "cold_runs_total", "llm_tokens_per_second", "answer_word_error_ratio_bucket")
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


def test_the_machine_is_as_the_runs_found_it() -> None:
    filled = series(RUNS)
    clock = filled["voice_probe_machine_gpu_sm_clock_hertz", frozenset({("gpu", "0"), *JOB.items()})]
    assert [at for at, _ in clock] == [round(run.ended / 1e9, 3) for run in RUNS[-2:]]
    pair = frozenset({("target", "local"), ("scenario", "default"), *JOB.items()})
    assert filled["voice_probe_throttled_runs_total", pair][-1][1] == 2
    assert filled["voice_probe_changes_total", pair | {("kind", "reboot")}][-1] == (clock[-1][0], 1)


def test_the_time_of_a_change_is_at_each_run_since_then() -> None:
    later = replace(RUNS[-1], started=RUNS[-1].started + MINUTE, ended=RUNS[-1].ended + MINUTE)
    pair = frozenset({("target", "local"), ("scenario", "default"), ("kind", "reboot"), *JOB.items()})
    samples = series([*RUNS, later])["voice_probe_last_change_timestamp_seconds", pair]
    changed_s = RUNS[-1].started / 1e9
    assert samples == [(round(each.ended / 1e9, 3), changed_s) for each in (RUNS[-1], later)]


def test_of_two_runs_that_end_at_once_the_machine_has_one_state() -> None:
    both = [on_a_machine(1), on_a_machine(2, target="other")]
    ((_, samples),) = (item for item in series(both).items() if item[0][0] == "voice_probe_machine_load")
    assert len(samples) == 1


def far(number: int, running: int | None, *silent: Exporter) -> RunRecord:
    """A run whose server reports its requests, on a machine that two exporters show."""
    run = record(number, started=START + number * MINUTE)
    target = replace(
        run.plan.target, exporters={"node": "http://spark:9100/metrics", "dcgm": "http://spark:9400/metrics"}
    )
    turns = tuple(replace(turn, prompt_tokens=200, cached_tokens=150) for turn in run.turns)
    state = MachineState(HostState(load=float(number)), name="spark", silent=silent)
    reported: dict[Role, ServerFigures] = {} if running is None else {"llm": ServerFigures(running, queue_ms=250.0)}
    return replace(run, plan=replace(run.plan, target=target), turns=turns, reported=reported, machine=state)


def test_what_servers_and_exporters_gave_is_as_it_would_have_been_scraped() -> None:
    runs = [far(1, 3), far(2, None, "dcgm"), far(3, 1, "dcgm")]
    live, filled = scraped(runs), series(runs)
    of_target = frozenset({("target", "local"), *JOB.items()})
    of_server = of_target | {("scenario", "default"), ("server", "llm")}
    at = [round(run.ended / 1e9, 3) for run in runs]
    assert filled["voice_probe_server_requests_running", of_server] == [(at[0], 3), (at[2], 1)]
    assert filled["voice_probe_server_prompt_tokens", of_server] == [(each, 200) for each in at]
    assert filled["voice_probe_server_cache_hit_ratio", of_server][-1] == (at[2], 0.75)
    up = filled["voice_probe_machine_exporter_up", of_target | {("exporter", "dcgm")}]
    assert up == list(zip(at, (1, 0, 0), strict=True))
    silent = filled["voice_probe_machine_exporter_silent_runs_total", of_target | {("exporter", "dcgm")}]
    assert [value for _, value in silent] == [0, 1, 2]
    assert filled["voice_probe_machine_load", frozenset({("machine", "spark"), *JOB.items()})][-1] == (at[2], 3)
    names = ("voice_probe_server_", "voice_probe_machine_")
    assert {key for key in filled if key[0].startswith(names)} == {
        key for key, value in live.items() if key[0].startswith(names) and (value or not key[0].endswith("_total"))
    }
    for key, samples in filled.items():
        assert abs(samples[-1][1] - live[key]) < 1e-9, key


def test_no_run_is_an_empty_document() -> None:
    assert list(backfill.lines([], JOB)) == ["# EOF"]
