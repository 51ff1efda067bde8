"""The metrics' page: names, labels and buckets, zero from the start, exemplars, and what a scrape costs."""

import math
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from prometheus_client import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text
from runs import (
    START,
    UNDERSTOOD,
    failed,
    free_running,
    hearing,
    machine,
    on_a_machine,
    plan,
    record,
    refused,
    skipped,
    suspect,
)

import golden
from probe.drift import Monitor, Moved, Shift, Verdict
from probe.drift.fingerprint import fingerprint
from probe.machine.state import GpuState, HostState, MachineState
from probe.metrics.observations import OF_SPEECH, SERIES, EndOfSpeech, fillable
from probe.metrics.registry import Metrics
from probe.plan import Plan, Role, Scenario
from probe.record import INTERRUPTED, REASONS, Failure, RunRecord, ServerIdentity
from probe.server_state import ServerFigures
from probe.waits import ASKED, EVERY_STAGE, WAITS, Asked

OPENMETRICS = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"
UNKNOWN_AT_FIRST = (
    "last_combined_ttfb_seconds", "last_stage_seconds", "next_run_timestamp_seconds", "drift_ratio",
    "drift_added_seconds", "drift_state", "drift_since_timestamp_seconds", "llm_tokens_per_second",
    "llm_longest_stall_seconds", "cold", "last_run_id_timestamp_seconds", "last_on_demand_timestamp_seconds",
)  # fmt: skip
LOCAL = {"target": "local", "scenario": "default"}


@pytest.fixture
def metrics() -> Metrics:
    made = Metrics("1.2.3", ["history", "spans"])
    made.expect([("local", "default"), ("spark", "joke")])
    return made


def lines_with(page: bytes, name: str) -> str:
    """The parsers take most of a test's time for a whole page."""
    return "".join(f"{line}\n" for line in page.decode().splitlines() if name in line and line != "# EOF")


def families(metrics: Metrics, name: str = "") -> dict[str, Metric]:
    """All, or those with this in their name."""
    page, _ = metrics.render(OPENMETRICS)
    parsed = parse_openmetrics(lines_with(page, name) + "# EOF\n")  # type: ignore[no-untyped-call]  # its own omission
    return {each.name: each for each in parsed}


def family(metrics: Metrics, name: str) -> Metric:
    return families(metrics, name)[name]


def value(metrics: Metrics, name: str, labels: Mapping[str, str] = LOCAL) -> float:
    page, _ = metrics.render("")
    named = f"voice_probe_{name}"
    samples = [s for each in parse_text(lines_with(page, named)) for s in each.samples if s.name == named]
    return next(float(s.value) for s in samples if s.labels == labels)


def test_names_labels_and_buckets_are_what_others_rely_on(metrics: Metrics) -> None:
    metrics.write(on_a_machine(1))
    metrics.expect_exporters(replace(plan().target, exporters={"node": "http://spark:9100/metrics"}))
    metrics.write(replace(on_a_machine(2), machine=replace(machine(), driver="another")))
    metrics.write(reporting(3))
    metrics.daemon.set_objective("local", 1.0, "response_ttfb")
    metrics.show_beside("local", "default", ["gpu_sm_ghz"])
    metrics.intelligibility.expect([("local", "default")])
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
    # Nothing has changed.
    assert values.pop("voice_probe_drift_beside") == values.pop("voice_probe_last_change_timestamp_seconds") == []
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
    labels = [each.labels for each in family(metrics, "voice_probe_run_failures").samples]
    # It is asked in text.
    assert len(labels) == sum(map(len, REASONS.values())) - len(REASONS["stt"]) - len(["user_audio"])
    assert {each["server"] for each in labels} == {"agent", ""}
    mine = replace(failed(), failure=Failure("internal", "error", "a mistake", 1))
    metrics.write(replace(mine, plan=plan(target="speech")))
    assert len(family(metrics, "voice_probe_run_failures").samples) == len(labels)


def test_an_observation_falls_into_its_bucket_and_carries_the_run(metrics: Metrics) -> None:
    metrics.write(record(7, ttfb_ms=450))
    samples = family(metrics, "voice_probe_combined_ttfb_seconds").samples
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
    found = family(metrics, f"voice_probe_{name}_seconds").samples
    return {(sample.labels["target"], sample.labels["position"]) for sample in found}


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


def drift_stages(metrics: Metrics) -> list[set[str]]:
    found = families(metrics, "voice_probe_drift")
    names = ("drift_ratio", "drift_added_seconds", "drift_changes")
    return [{each.labels["stage"] for each in found[f"voice_probe_{name}"].samples} for name in names]


@pytest.mark.parametrize("asked", ASKED)
def test_drift_has_the_stages_of_how_a_target_is_asked_and_no_others(asked: Asked) -> None:
    """Also after a reload, and whatever a state knew that was saved before it."""
    metrics = Metrics("1.2.3", [])
    metrics.expect([("local", "default")])
    assert drift_stages(metrics) == [{*WAITS["text"]}] * 3
    metrics.expect([("local", "default")], asked=asked)
    moved = tuple(Moved(stage, 100.0, 150.0, certain=True) for stage in EVERY_STAGE)
    metrics.update_drift("local", "default", Verdict("slower", 100, None, moved, 0, None, ()))
    for stage in EVERY_STAGE:
        metrics.count_drift("local", "default", Shift(1, 2, "slower", stage, moved, 1.0, (), ()))
    assert drift_stages(metrics) == [{*WAITS[asked]}] * 3
    whole = LOCAL | {"stage": WAITS[asked][0]}
    assert value(metrics, "drift_ratio", whole) == 1.5
    assert value(metrics, "drift_changes_total", whole | {"direction": "slower"}) == 1


def test_an_agent_that_answers_by_itself_has_no_figures_since_a_request() -> None:
    since_a_request = {"combined_ttfb", "combined_ttfa", "llm_ttft", "llm_ttfat", "llm_generation"}
    asked = {name for name, _ in fillable("agent", "probe")}
    by_itself = {name for name, _ in fillable("agent", "server")}
    assert asked - by_itself == since_a_request
    assert by_itself - asked == {"endpointing"}
    spoken_into = {*fillable("agent", "server", interrupted=True)}
    assert spoken_into - {*fillable("agent", "server")} == {("interrupted", "first")}


def test_a_server_that_does_not_say_when_it_found_the_end_has_no_endpointing() -> None:
    silent = {*fillable("free_running", "server", says_end=False)}
    assert {*fillable("free_running", "server")} - silent == {("endpointing", "first")}
    assert ("transcription", "first") in silent


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
        samples = family(metrics, "voice_probe_serving_since_timestamp_seconds").samples
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
    samples = family(metrics, "voice_probe_serving_since_timestamp_seconds").samples
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
    assert len(family(metrics, "voice_probe_objective_seconds").samples) == 1
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
    named = {name for name in families(metrics, "voice_probe_machine") if name.startswith("voice_probe_machine")}
    assert named == {"voice_probe_machine_load", "voice_probe_machine"}


def test_another_machine_has_a_name_and_this_one_none(metrics: Metrics) -> None:
    metrics.write(on_a_machine(1))
    metrics.write(replace(record(2), machine=MachineState(HostState(load=3.0), name="spark")))
    assert value(metrics, "machine_gpu_sm_clock_hertz", {"gpu": "0"}) == 812e6
    assert value(metrics, "machine_load", {"machine": "spark"}) == 3.0
    for accept in ("", OPENMETRICS):
        page, _ = metrics.render(accept)
        heads = [line for line in page.decode().splitlines() if line.startswith("# TYPE")]
        assert len(heads) == len(set(heads))


def test_an_exporter_that_does_not_answer_is_counted(metrics: Metrics) -> None:
    run = record(1)
    target = replace(
        run.plan.target, exporters={"node": "http://spark:9100/metrics", "dcgm": "http://spark:9400/metrics"}
    )
    far = replace(run, plan=replace(run.plan, target=target))
    metrics.expect_exporters(target)
    node, dcgm = ({"target": "local", "exporter": each} for each in target.exporters)
    assert value(metrics, "machine_exporter_silent_runs_total", node) == 0
    metrics.write(replace(far, machine=MachineState(name="spark", silent=("dcgm",))))
    metrics.write(replace(far, machine=MachineState(name="spark", silent=("dcgm", "node"))))
    metrics.write(replace(far, machine=MachineState(name="spark", silent=("dcgm",))))
    assert (value(metrics, "machine_exporter_up", node), value(metrics, "machine_exporter_up", dcgm)) == (1, 0)
    assert value(metrics, "machine_exporter_silent_runs_total", node) == 1
    assert value(metrics, "machine_exporter_silent_runs_total", dcgm) == 3
    metrics.expect_exporters(replace(target, exporters={"node": "http://spark:9100/metrics"}))
    assert value(metrics, "machine_exporter_up", node) == 1
    assert b'voice_probe_machine_exporter_up{exporter="dcgm"' not in metrics.render("")[0]
    metrics.expect_exporters(replace(target, exporters={}))
    assert b"voice_probe_machine_exporter_up{" not in metrics.render("")[0]


def test_what_the_servers_reported_is_that_of_the_last_run(metrics: Metrics) -> None:
    of_llm = LOCAL | {"server": "llm"}
    run = record(1)
    turns = tuple(replace(turn, prompt_tokens=200, cached_tokens=150) for turn in run.turns)
    reported: dict[Role, ServerFigures] = {
        "llm": ServerFigures(running=1, waiting=2, queue_ms=250.0, cache_hit=0.5),
        "tts": ServerFigures(waiting=4),
    }
    metrics.write(replace(run, turns=turns, reported=reported))
    assert value(metrics, "server_requests_running", of_llm) == 1
    assert value(metrics, "server_requests_waiting", LOCAL | {"server": "tts"}) == 4
    assert value(metrics, "server_queue_seconds", of_llm) == 0.25
    assert value(metrics, "server_prompt_tokens", of_llm) == 200
    # Of our own request, as its answer says.
    assert value(metrics, "server_cache_hit_ratio", of_llm) == 0.75
    assert value(metrics, "server_outside_seconds", of_llm) == pytest.approx(0.01)
    metrics.write(record(2))
    assert not any(name.startswith("voice_probe_server_requests") for name in families(metrics))


def test_changes_are_counted_by_kind_and_not_those_before_the_start(metrics: Metrics) -> None:
    def served(number: int, build: str) -> RunRecord:
        return replace(record(number), served=ServerIdentity("qwen", build))

    metrics.restore([served(1, "b1"), served(2, "b2")])
    assert value(metrics, "changes_total", LOCAL | {"kind": "model"}) == 0
    metrics.write(served(3, "b2"))
    metrics.write(served(4, "b3"))
    assert value(metrics, "changes_total", LOCAL | {"kind": "model"}) == 1
    assert value(metrics, "changes_total", LOCAL | {"kind": "voice"}) == 0


def test_the_time_of_a_change_is_that_of_the_first_run_after_it_also_after_a_restart(metrics: Metrics) -> None:
    def on_driver(number: int, driver: str) -> RunRecord:
        return replace(record(number), machine=MachineState(driver=driver))

    of_driver = LOCAL | {"kind": "driver"}
    metrics.restore([on_driver(1, "580.1")])
    assert family(metrics, "voice_probe_last_change_timestamp_seconds").samples == []
    metrics.restore([on_driver(2, "580.2")])
    assert value(metrics, "last_change_timestamp_seconds", of_driver) == record(2).started / 1e9
    metrics.write(on_driver(3, "580.2"))
    metrics.write(on_driver(4, "580.3"))
    metrics.write(on_driver(5, "580.3"))
    assert value(metrics, "last_change_timestamp_seconds", of_driver) == record(4).started / 1e9


def reporting(number: int) -> RunRecord:
    """A run whose server reports everything, on a machine that its exporters show."""
    run = record(number)
    target = replace(run.plan.target, exporters={"node": "http://spark:9100/metrics"})
    reported: dict[Role, ServerFigures] = {"llm": ServerFigures(1, 2, 0.1, 20.0, 30.0, 1, 0.5)}
    turns = tuple(replace(turn, prompt_tokens=200) for turn in run.turns)
    machine = MachineState(HostState(load=1.0), name="spark")
    return replace(run, plan=replace(run.plan, target=target), turns=turns, reported=reported, machine=machine)


def everything_of(target: str, scenario: str, number: int) -> RunRecord:
    """A run that sets whatever a run can set."""
    run = reporting(number)
    return replace(run, plan=replace(run.plan, target=replace(run.plan.target, name=target), scenario=named(scenario)))


def named(scenario: str) -> Scenario:
    return replace(plan().scenario, name=scenario)


def test_a_reload_takes_every_series_of_what_it_removes_from_the_page(metrics: Metrics) -> None:
    def of_all(number: int) -> None:
        for target, scenario in (("local", "default"), ("gone", "default"), ("local", "old")):
            run = everything_of(target, scenario, number)
            metrics.expect([(target, scenario)])
            metrics.expect_exporters(run.plan.target)
            metrics.write(run)
            metrics.write(replace(failed(number + 1), plan=run.plan))
            metrics.update_drift(target, scenario, Monitor().verdict())
            metrics.show_beside(target, scenario, ["gpu_sm_ghz"])
            metrics.intelligibility.count(run, UNDERSTOOD)
            metrics.daemon.count_missed(target, scenario)
            metrics.daemon.count_unknown_users(target)
            metrics.daemon.set_schedule_delay(target, scenario, 0.1)
            metrics.daemon.set_asked(target, scenario, 5.0)
            metrics.daemon.set_objective(target, 1.0, "response_ttfb")
        metrics.daemon.set_next_runs({})

    def shown() -> tuple[set[str], set[str]]:
        of_due = "voice_probe_next_run_timestamp_seconds"
        labels = [
            each.labels for name, each_of in families(metrics).items() if name != of_due for each in each_of.samples
        ]
        return tuple({each[name] for each in labels if name in each} for name in ("target", "scenario"))  # type: ignore[return-value]

    of_all(1)
    assert shown() == ({"local", "gone", "spark"}, {"default", "old", "joke"})
    before = families(metrics)
    metrics.keep(["local"], ["default"], {"spark"})
    assert shown() == ({"local"}, {"default"})
    assert {*before} == {*families(metrics)}
    kept = {"target": "local", "scenario": "default"}
    assert value(metrics, "runs_total", kept | {"outcome": "ok"}) == 1
    assert value(metrics, "machine_load", {"machine": "spark"}) == 1.0
    # By this the rules know that no run is awaited.
    assert math.isnan(value(metrics, "next_run_timestamp_seconds", {"target": "gone", "scenario": "default"}))
    # What was under way ends later.
    of_all(3)
    assert shown() == ({"local"}, {"default"})
    metrics.keep(["local"], ["default"], {None})
    assert "voice_probe_machine_load" not in families(metrics)


def test_a_target_that_comes_back_has_its_series_from_zero(metrics: Metrics) -> None:
    metrics.write(record(1))
    metrics.keep(["spark"], ["joke"], ())
    metrics.keep(["local", "spark"], ["default", "joke"], ())
    metrics.expect([("local", "default")])
    assert value(metrics, "runs_total", LOCAL | {"outcome": "ok"}) == 0
    assert math.isnan(value(metrics, "last_combined_ttfb_seconds"))
