"""The metrics' page: names, labels and buckets, zero from the start, exemplars, and what a scrape costs."""

import math
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from prometheus_client import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text
from runs import START, failed, free_running, hearing, on_a_machine, plan, record, refused, skipped, suspect

import golden
from probe.drift.fingerprint import fingerprint
from probe.machine.state import GpuState, HostState, MachineState
from probe.metrics.observations import OF_SPEECH, SERIES, EndOfSpeech, fillable
from probe.metrics.registry import Metrics
from probe.record import INTERRUPTED, REASONS, Failure, Plan, RunRecord, ServerIdentity

OPENMETRICS = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"
UNKNOWN_AT_FIRST = (
    "last_combined_ttfb_seconds", "last_stage_seconds", "next_run_timestamp_seconds", "drift_ratio",
    "drift_added_seconds", "drift_state", "drift_since_timestamp_seconds", "llm_tokens_per_second",
    "llm_longest_stall_seconds", "cold", "last_run_id_timestamp_seconds",
)  # fmt: skip
LOCAL = {"target": "local", "scenario": "default"}


@pytest.fixture
def metrics() -> Metrics:
    made = Metrics("1.2.3", ["history", "spans"])
    made.expect([("local", "default"), ("spark", "joke")])
    return made


def families(metrics: Metrics) -> dict[str, Metric]:
    page, _ = metrics.render(OPENMETRICS)
    parsed = parse_openmetrics(page.decode())  # type: ignore[no-untyped-call]  # its own omission
    return {each.name: each for each in parsed}


def value(metrics: Metrics, name: str, labels: Mapping[str, str] = LOCAL) -> float:
    page, _ = metrics.render("")
    samples = [s for family in parse_text(page.decode()) for s in family.samples if s.name == f"voice_probe_{name}"]
    return next(float(s.value) for s in samples if s.labels == labels)


def test_names_labels_and_buckets_are_what_others_rely_on(metrics: Metrics) -> None:
    metrics.write(on_a_machine(1))
    metrics.daemon.set_objective("local", 1.0, "response_ttfb")
    lines = []
    for family in families(metrics).values():
        if family.name.startswith("process_"):
            continue
        labels = {key: None for sample in family.samples for key in sample.labels if key != "le"}
        name = f"{family.name}_total" if family.type == "counter" else family.name
        lines.append(f"{name} {family.type} {{{', '.join(labels)}}}: {family.documentation}")
        buckets = {sample.labels["le"]: None for sample in family.samples if "le" in sample.labels}
        lines += [f"    le {' '.join(buckets)}"] if buckets else []
    golden.check("metrics.txt", "\n".join(lines) + "\n")


def test_every_series_is_there_from_the_start_at_zero(metrics: Metrics) -> None:
    runs = families(metrics)
    assert len(runs["voice_probe_runs"].samples) == 2 * 5
    failures = runs["voice_probe_run_failures"].samples
    # The target does not hear.
    of_work = sum(len(reasons) for stage, reasons in REASONS.items() if stage != "stt") - len(["user_audio"])
    assert len(failures) == 2 * (of_work + len(REASONS["connect"]))
    assert {each.labels["server"] for each in failures if each.labels["stage"] == "internal"} == {""}
    assert len(runs["voice_probe_playout_gap_seconds"].samples) == 2 * 2 * (19 + 1 + 2)
    assert {s.labels["sink"] for s in runs["voice_probe_sink_errors"].samples} == {"history", "spans"}
    values = {f.name: [s.value for s in f.samples] for f in runs.values() if not f.name.startswith("process_")}
    assert values.pop("voice_probe_build_info") == [1]
    # No fingerprint is known yet; an unknown latency, or time, is no zero.
    assert (
        values.pop("voice_probe_serving_since_timestamp_seconds") == values.pop("voice_probe_objective_seconds") == []
    )
    # Nor does this target hear.
    of_speech = {"voice_probe_word_error_rate", *(f"voice_probe_{name}_seconds" for name in OF_SPEECH)}
    assert {name: values.pop(name) for name in of_speech} == {name: [] for name in of_speech}
    unknown = {name for name, each in values.items() if all(map(math.isnan, each))}
    assert unknown == {f"voice_probe_{name}" for name in UNKNOWN_AT_FIRST}
    assert {value for name, each in values.items() if name not in unknown for value in each} == {0}


def test_runs_are_counted_by_outcome_and_failures_by_reason(metrics: Metrics) -> None:
    for each in (record(1), record(2), record(3, ttfb_ms=1500), failed(4), refused(5), skipped(6), suspect(7)):
        metrics.write(each)
    counted = {o: value(metrics, "runs_total", LOCAL | {"outcome": o}) for o in ("ok", "slow", "failed", "skipped")}
    assert counted == {"ok": 2, "slow": 1, "failed": 2, "skipped": 1}
    for server, stage, reason, count in (
        ("tts", "tts", "no_audio", 1), ("llm", "connect", "refused", 1), ("tts", "connect", "refused", 0),
    ):  # fmt: skip
        labels = {"target": "local", "server": server, "stage": stage, "reason": reason}
        assert value(metrics, "run_failures_total", labels) == count
    assert value(metrics, "combined_ttfb_seconds_count", LOCAL | {"position": "first"}) == 3


def test_what_can_fail_follows_from_a_targets_servers() -> None:
    metrics = Metrics("0.1.0", ())
    metrics.expect([("speech", "default")], servers=["agent"])
    labels = [each.labels for each in families(metrics)["voice_probe_run_failures"].samples]
    # It is asked in text.
    assert len(labels) == sum(map(len, REASONS.values())) - len(REASONS["stt"]) - len(["user_audio"])
    assert {each["server"] for each in labels} == {"agent", ""}
    mine = replace(failed(), failure=Failure("internal", "error", "a mistake", 1))
    metrics.write(replace(mine, plan=plan(target="speech")))
    assert len(families(metrics)["voice_probe_run_failures"].samples) == len(labels)


def test_an_observation_falls_into_its_bucket_and_carries_the_run(metrics: Metrics) -> None:
    metrics.write(record(7, ttfb_ms=450))
    samples = families(metrics)["voice_probe_combined_ttfb_seconds"].samples
    buckets = {
        s.labels["le"]: s for s in samples if "le" in s.labels and s.labels | LOCAL | {"position": "first"} == s.labels
    }
    assert (buckets["0.4"].value, buckets["0.5"].value, buckets["+Inf"].value) == (0, 1, 1)
    exemplar = buckets["0.5"].exemplar
    assert exemplar is not None and exemplar.value == pytest.approx(0.45)
    assert exemplar.labels == {"trace_id": record(7).plan.trace_id, "run_id": record(7).plan.run_id}


def test_the_last_run_is_reported(metrics: Metrics) -> None:
    run = record(1)
    metrics.write(run)
    assert value(metrics, "last_combined_ttfb_seconds") == pytest.approx(0.3)
    assert value(metrics, "up") == 1
    assert value(metrics, "last_success_timestamp_seconds") == pytest.approx(run.ended / 1e9)
    later = failed(2, started=START + 60 * 10**9)
    metrics.write(later)
    assert value(metrics, "up") == 0
    assert value(metrics, "last_success_timestamp_seconds") == pytest.approx(run.ended / 1e9)
    assert value(metrics, "last_run_timestamp_seconds") == pytest.approx(later.ended / 1e9)
    assert value(metrics, "last_combined_ttfb_seconds") == pytest.approx(0.3)


def test_the_last_run_of_each_outcome_is_found_by_its_id(metrics: Metrics) -> None:
    def moment(how: str) -> float:
        return value(metrics, "last_run_id_timestamp_seconds", LOCAL | {"outcome": how})

    assert all(math.isnan(moment(how)) for how in ("ok", "slow", "failed", "skipped", "suspect"))
    later = replace(failed(1), plan=plan_with_id("20260102T030405Z-00000a"))
    metrics.restore([failed(2), record(3)])
    metrics.write(later)
    assert f"{datetime.fromtimestamp(moment('failed'), UTC):%Y%m%dT%H%M%SZ}" == "20260102T030405Z"
    assert moment("ok") == START // 10**9
    assert math.isnan(moment("slow"))
    metrics.write(replace(later, plan=plan_with_id("an id of another kind"), started=START + 10**9))
    assert moment("failed") == START // 10**9 + 1


def plan_with_id(run_id: str) -> Plan:
    return replace(plan(), run_id=run_id)


def test_how_many_attempts_in_a_row_ended_so(metrics: Metrics) -> None:
    def rows() -> list[float]:
        kinds = ("failed", "complete", "missed", "ok")
        return [value(metrics, "attempts_in_a_row", LOCAL | {"all": each}) for each in kinds]

    expected = [
        (failed(1), [1, 0, 1, 0]),
        (record(2, ttfb_ms=1500), [0, 1, 2, 0]),
        (refused(3), [1, 0, 3, 0]),
        (skipped(4), [1, 0, 3, 0]),
        (suspect(5), [1, 0, 3, 0]),
        (replace(record(5), skipped=INTERRUPTED), [1, 0, 3, 0]),
        (failed(6), [2, 0, 4, 0]),
        (record(7), [0, 1, 0, 1]),
        (record(8), [0, 2, 0, 2]),
    ]
    for run, row in expected:
        metrics.write(run)
        assert rows() == row
    metrics.restore([failed(9), failed(10)])
    assert rows() == [2, 0, 2, 0]


def samples(metrics: Metrics, name: str) -> set[tuple[str, str]]:
    """The target and the position of each series of a histogram."""
    family = families(metrics)[f"voice_probe_{name}_seconds"]
    return {(sample.labels["target"], sample.labels["position"]) for sample in family.samples}


def test_a_histogram_exists_only_for_targets_that_can_fill_it() -> None:
    metrics = Metrics("1.2.3", [])
    metrics.expect([("chunked", "default")], SERIES["pausing"])
    metrics.expect([("openai", "default")], SERIES["free_running"])
    assert samples(metrics, "llm_ttfat") == {("openai", "first")}
    assert samples(metrics, "llm_ttft") == {("chunked", "first"), ("chunked", "next"), ("openai", "first")}
    assert samples(metrics, "tts_wait") == {(each, at) for each in ("chunked", "openai") for at in ("first", "next")}
    metrics.write(free_running(target="chunked"))
    metrics.write(free_running(target="openai"))
    assert samples(metrics, "llm_ttfat") == {("openai", "first")}
    assert value(metrics, "llm_ttfat_seconds_sum", LOCAL | {"target": "openai", "position": "first"}) == 0.08


@pytest.mark.parametrize(
    ("end", "names"),
    [
        ("server", {"voice_to_voice", "endpointing", "transcription"}),
        ("probe", {"voice_to_voice", "transcription"}),
        (None, set()),
    ],
)
def test_only_a_target_that_hears_has_the_whole_wait(end: EndOfSpeech | None, names: set[str]) -> None:
    metrics = Metrics("1.2.3", [])
    metrics.expect([("local", "default")], fillable("pausing", end))
    metrics.write(hearing())
    assert {name for name in OF_SPEECH if samples(metrics, name)} == names
    assert all(samples(metrics, name) == {("local", "first")} for name in names)
    sums = {name: value(metrics, f"{name}_seconds_sum", LOCAL | {"position": "first"}) for name in names}
    assert sums == {
        name: seconds
        for name, seconds in (("voice_to_voice", 1.2), ("endpointing", 0.5), ("transcription", 0.3))
        if name in names
    }
    assert value(metrics, "word_error_rate", LOCAL) == 0.25


def test_a_target_that_can_fill_more_after_a_reload_does() -> None:
    metrics = Metrics("1.2.3", [])
    metrics.expect([("local", "default")], SERIES["pausing"])
    metrics.write(free_running())
    metrics.expect([("local", "default")], SERIES["free_running"])
    assert samples(metrics, "llm_ttfat") == {("local", "first")}
    metrics.write(free_running(2))
    assert value(metrics, "llm_ttfat_seconds_count", LOCAL | {"position": "first"}) == 1
    assert value(metrics, "llm_ttft_seconds_count", LOCAL | {"position": "first"}) == 2


def test_a_cold_run_is_counted_and_touches_nothing_else(metrics: Metrics) -> None:
    metrics.write(replace(record(1), cold=False))
    assert value(metrics, "cold") == 0
    loading = replace(record(2, started=START + 60 * 10**9, ttfb_ms=9000), cold=True)
    metrics.write(loading)
    assert (value(metrics, "cold"), value(metrics, "cold_runs_total")) == (1, 1)
    assert value(metrics, "runs_total", LOCAL | {"outcome": "slow"}) == 1
    assert value(metrics, "combined_ttfb_seconds_count", LOCAL | {"position": "first"}) == 1
    assert value(metrics, "last_combined_ttfb_seconds") == pytest.approx(0.3)
    assert value(metrics, "last_stage_seconds", LOCAL | {"stage": "combined_ttfb"}) == pytest.approx(0.3)
    assert value(metrics, "last_success_timestamp_seconds") == pytest.approx(loading.ended / 1e9)
    metrics.write(skipped(3))
    assert value(metrics, "cold") == 1, "nothing was asked for"
    metrics.write(record(4))
    assert math.isnan(value(metrics, "cold"))


def test_how_the_last_answer_was_written(metrics: Metrics) -> None:
    metrics.write(free_running(1))
    assert value(metrics, "llm_tokens_per_second") == pytest.approx(100)
    assert value(metrics, "llm_longest_stall_seconds") == pytest.approx(0.04)
    metrics.write(record(2))
    assert math.isnan(value(metrics, "llm_tokens_per_second"))


def test_busy_is_not_down(metrics: Metrics) -> None:
    metrics.write(record(1))
    metrics.write(skipped(2))
    assert value(metrics, "up") == 1


def test_a_suspect_run_is_up_and_no_latency(metrics: Metrics) -> None:
    metrics.write(suspect(1))
    assert value(metrics, "up") == 1
    assert value(metrics, "last_success_timestamp_seconds") == 0
    assert math.isnan(value(metrics, "last_combined_ttfb_seconds"))


def test_the_last_run_outlives_a_restart_and_is_not_counted_again(metrics: Metrics) -> None:
    metrics.restore([failed(1), record(2)])
    assert value(metrics, "up") == 1
    assert value(metrics, "runs_total", LOCAL | {"outcome": "ok"}) == 0


def test_the_stages_of_the_last_run_add_up_to_it(metrics: Metrics) -> None:
    metrics.write(record(1, ttfb_ms=300))
    stages = {
        stage: value(metrics, "last_stage_seconds", LOCAL | {"stage": stage})
        for stage in ("combined_ttfb", "llm_ttft", "llm_decode", "tts_ttfb")
    }
    assert stages == pytest.approx({"combined_ttfb": 0.3, "llm_ttft": 0.05, "llm_decode": 0.05, "tts_ttfb": 0.2})


def test_the_fingerprint_is_reported_with_the_time_since_when(metrics: Metrics) -> None:
    def since_when() -> list[tuple[Mapping[str, str], float]]:
        samples = families(metrics)["voice_probe_serving_since_timestamp_seconds"].samples
        return [({key: s.labels[key] for key in ("llm", "tts")}, s.value) for s in samples]

    small, large = ServerIdentity("small.gguf", "b1"), ServerIdentity("large.gguf", "b1")
    metrics.write(replace(record(1, started=START), served=small))
    metrics.write(replace(record(2, started=START + 60 * 10**9), served=small))
    assert since_when() == [({"llm": "small.gguf b1", "tts": "aria en 22000 Hz"}, START / 1e9)]
    metrics.write(replace(record(3, started=START + 120 * 10**9), served=large))
    assert since_when() == [({"llm": "large.gguf b1", "tts": "aria en 22000 Hz"}, START / 1e9 + 120)]


def test_since_when_outlives_a_restart(metrics: Metrics) -> None:
    run = record(1)
    metrics.restore([run])
    metrics.restore_fingerprint("local", "default", fingerprint(run), START - 86_400 * 10**9)
    metrics.write(record(2, started=START + 60 * 10**9))
    samples = families(metrics)["voice_probe_serving_since_timestamp_seconds"].samples
    assert [s.value for s in samples] == [START / 1e9 - 86_400]


def test_what_the_daemon_reports_of_itself(metrics: Metrics) -> None:
    metrics.daemon.count_missed("local", "default")
    metrics.daemon.count_dropped_spans(9)
    metrics.daemon.count_sink_error("spans")
    metrics.daemon.set_loop_lag(0.004)
    metrics.daemon.set_schedule_delay("local", "default", 1.5)
    metrics.daemon.set_config_loaded(1700000000.0)
    metrics.daemon.set_config_refused()
    assert value(metrics, "runs_missed_total") == 1
    assert value(metrics, "spans_dropped_total", {}) == 9
    assert value(metrics, "sink_errors_total", {"sink": "spans"}) == 1
    assert value(metrics, "loop_lag_seconds", {}) == 0.004
    assert value(metrics, "schedule_delay_seconds") == 1.5
    assert value(metrics, "config_last_reload_successful", {}) == 0
    assert value(metrics, "config_last_reload_success_timestamp_seconds", {}) == 1700000000.0
    metrics.daemon.set_objective("local", 1.1, "response_ttfb")
    metrics.daemon.set_objective("local", 1.2, "response_ttfa")
    metrics.daemon.set_history(3, 12_288)
    assert value(metrics, "objective_seconds", {"target": "local", "measure": "response_ttfa"}) == 1.2
    assert len(families(metrics)["voice_probe_objective_seconds"].samples) == 1
    assert (value(metrics, "history_runs", {}), value(metrics, "history_bytes", {})) == (3, 12_288)


def test_what_is_no_longer_scheduled_is_not_due(metrics: Metrics) -> None:
    metrics.daemon.set_next_runs({("local", "default"): 1700000060.0, ("spark", "joke"): 1700000090.0})
    assert value(metrics, "next_run_timestamp_seconds") == 1700000060.0
    metrics.daemon.set_next_runs({("spark", "joke"): 1700000150.0})
    metrics.expect([("local", "default")])
    assert math.isnan(value(metrics, "next_run_timestamp_seconds"))


def test_a_reload_adds_series_and_loses_none(metrics: Metrics) -> None:
    metrics.write(record(1))
    metrics.render("")
    metrics.expect([("new", "default")])
    assert value(metrics, "runs_total", LOCAL | {"outcome": "ok"}) == 1
    assert value(metrics, "runs_total", {"target": "new", "scenario": "default", "outcome": "ok"}) == 0


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        (OPENMETRICS, "application/openmetrics-text; version=1.0.0; charset=utf-8"),
        ("text/plain", "text/plain; version=0.0.4; charset=utf-8"),
        ("", "text/plain; version=0.0.4; charset=utf-8"),
    ],
)
def test_the_page_is_what_was_asked_for(metrics: Metrics, accept: str, content_type: str) -> None:
    metrics.write(record(1))
    page, chosen = metrics.render(accept)
    assert chosen == content_type
    assert page.count(b"# EOF\n") == page.endswith(b"# EOF\n") == content_type.startswith("application")
    assert (b'trace_id="' in page) == content_type.startswith("application")


def test_a_scrape_does_not_render_what_runs_have_added(metrics: Metrics, monkeypatch: pytest.MonkeyPatch) -> None:
    metrics.render("")
    metrics.write(record(1))
    monkeypatch.setattr(metrics._runs["local", "default"].part.registry, "collect", None)
    assert value(metrics, "runs_total", LOCAL | {"outcome": "ok"}) == 1


def test_each_family_is_in_one_piece_and_no_label_can_break_it(metrics: Metrics) -> None:
    odd = '# HELP voice_probe_up "x"\n# TYPE'
    metrics.expect([(odd, "default")])
    metrics.write(record(1, target=odd))
    for accept in ("", OPENMETRICS):
        page, _ = metrics.render(accept)
        heads = [line for line in page.decode().splitlines() if line.startswith("# TYPE")]
        assert len(heads) == len(set(heads))
    assert value(metrics, "up", {"target": odd, "scenario": "default"}) == 1


def test_the_machine_of_the_last_run_is_reported(metrics: Metrics) -> None:
    assert not any("machine" in name for name in families(metrics))
    metrics.write(on_a_machine(1))
    metrics.write(record(2))
    assert value(metrics, "machine_gpu_sm_clock_hertz", {"gpu": "0"}) == 812e6
    assert value(metrics, "machine_gpu_clock_reason", {"gpu": "0", "reason": "power_cap"}) == 1
    assert value(metrics, "machine_gpu_clock_reason", {"gpu": "0", "reason": "hw_thermal"}) == 0
    assert value(metrics, "machine_pressure_ratio", {"resource": "cpu"}) == pytest.approx(0.12)
    assert value(metrics, "throttled_runs_total") == 1


def test_a_figure_that_the_machine_does_not_have_is_no_series(metrics: Metrics) -> None:
    metrics.write(replace(record(1), machine=MachineState(HostState(load=1.0), (GpuState(),))))
    named = {name for name in families(metrics) if name.startswith("voice_probe_machine")}
    assert named == {"voice_probe_machine_load", "voice_probe_machine"}


def test_changes_are_counted_by_kind_and_not_those_before_the_start(metrics: Metrics) -> None:
    def served(number: int, build: str) -> RunRecord:
        return replace(record(number), served=ServerIdentity("qwen", build))

    metrics.restore([served(1, "b1"), served(2, "b2")])
    assert value(metrics, "changes_total", LOCAL | {"kind": "model"}) == 0
    metrics.write(served(3, "b2"))
    metrics.write(served(4, "b3"))
    assert value(metrics, "changes_total", LOCAL | {"kind": "model"}) == 1
    assert value(metrics, "changes_total", LOCAL | {"kind": "voice"}) == 0
