"""How the daemon reports drift: gauges, a counter, a line, an event of the run's span."""

import math
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from reported import LEARNT, SLOW, Reported, run, runs
from runs import MS, START, failed, record

from probe.daemon.drift_sink import DriftSink
from probe.daemon.history_drift import WatchedHistory
from probe.daemon.state_lock import TakenError, hold
from probe.drift import Monitor, Shift
from probe.history.file import HistoryError
from probe.history.reader import reading
from probe.history.writer import History, Pruned
from probe.record import RunRecord, ServerIdentity
from probe.tracing.otlp import export_request
from probe.tracing.spans import spans


@pytest.fixture
def reported() -> Reported:
    return Reported()


@pytest.fixture(scope="module")
def step() -> Reported:
    """What was reported of all `runs`."""
    reported = Reported()
    for each in runs():
        reported.take(each)
    return reported


def test_nothing_is_known_at_first_and_no_change_counted(reported: Reported) -> None:
    samples = reported.samples()
    assert samples.pop(("changes_total", "tts_ttfb")) == 0
    assert math.isnan(samples["state", ""])
    assert math.isnan(samples["ratio", "combined_ttfb"])


def test_a_step_is_reported_everywhere(step: Reported) -> None:
    samples = step.samples()
    assert samples["state", ""] == 1
    assert samples["ratio", "combined_ttfb"] == pytest.approx(1.5, abs=0.02)
    assert samples["added_seconds", "tts_ttfb"] == pytest.approx(0.150, abs=0.003)
    assert samples["added_seconds", "llm_ttft"] == 0
    assert samples["changes_total", "tts_ttfb"] == 1
    assert samples["since_timestamp_seconds", ""] == pytest.approx((START + LEARNT * 60_000 * MS) / 1e9, abs=120)
    (line,) = step.lines()
    assert (line["event"], line["direction"], line["stage"]) == ("drift", "slower", "tts_ttfb")
    assert line["what"] == "combined TTFB +50 %, all of it TTS TTFB (+75 %)"
    assert line["runs_before"][-1] == run(LEARNT - 1, 0).plan.run_id
    assert line["runs_after"][0] == run(LEARNT, 0).plan.run_id


def test_what_has_gone_again_is_over_and_reported_once(reported: Reported) -> None:
    gone = [run(number, 296 + number * 7 % 9) for number in range(LEARNT + SLOW, LEARNT + 3 * SLOW)]
    for each in [*runs(), *gone]:
        reported.take(each)
    assert reported.samples()["state", ""] == 0
    assert reported.samples()["changes_total", "tts_ttfb"] == 1
    drift, over = reported.lines()
    assert (drift["event"], over["event"], over["level"]) == ("drift", "drift is over", "info")
    assert (over["since"], over["what"].split(", until")[0]) == (drift["since"], drift["what"])
    assert over["until"] > drift["since"]


def test_the_run_with_which_it_was_found_has_an_event_and_no_other_has(step: Reported) -> None:
    (found_with,) = (each for each in runs() if step.sink.found_with(each.plan.run_id))
    found = step.sink.found_with(found_with.plan.run_id)
    root = spans(found_with, found)[0]
    (event,) = root.events
    assert (event.name, event.at) == ("drift", found_with.ended)
    assert event.attributes["probe.drift.stage"] == "tts_ttfb"
    request = export_request(runs(), "1", lambda record: (step.sink.found_with(record.plan.run_id), ()))
    sent = request.resource_spans[0].scope_spans[0].spans
    assert [event.name for span in sent if span.name == "probe.run" for event in span.events] == ["drift"]


def test_another_model_is_a_line_and_no_change_of_latencies(reported: Reported) -> None:
    for number, each in enumerate(runs()[:LEARNT]):
        reported.take(replace(each, served=ServerIdentity("b" if number > 100 else "a", "")))
    (line,) = reported.lines()
    assert line["event"] == "model, voice or settings have changed"
    assert "LLM a → b" in line["what"]
    assert reported.samples()["changes_total", "tts_ttfb"] == 0


class Stubborn(History):
    """Refuses the first attempt to keep a run."""

    attempts = 0

    def append(self, record: RunRecord) -> None:
        self.attempts += 1
        if self.attempts == 1:
            raise HistoryError("locked")
        super().append(record)


def watching(history: History, sink: DriftSink) -> tuple[WatchedHistory, list[tuple[str, str]]]:
    errors: list[tuple[str, str]] = []
    return WatchedHistory(history, sink, on_error=lambda *error: errors.append(error)), errors


def test_a_run_that_is_offered_again_counts_once(reported: Reported, tmp_path: Path) -> None:
    history, _ = watching(Stubborn(tmp_path), reported.sink)
    with pytest.raises(HistoryError):
        history.append(run(1, 300))
    history.append(run(1, 300))
    history.append(run(2, 300))
    reported.sink.write(run(2, 300))
    assert reported.sink._monitor("local", "default").verdict().runs == 1
    assert reported.sink._monitor("local", "default").verdict().cold_runs == 1
    history.close()


def test_what_the_history_holds_is_reported_after_pruning(reported: Reported, tmp_path: Path) -> None:
    held: list[Pruned] = []
    history = WatchedHistory(History(tmp_path), reported.sink, on_error=lambda *_: None, on_pruned=held.append)
    history.append(run(1, 300))
    history.prune(run(1, 300).ended)
    assert [(each.forgotten, each.runs) for each in held] == [(0, 1)]
    history.close()


def test_a_directory_that_the_history_makes_is_taken(reported: Reported, tmp_path: Path) -> None:
    state = tmp_path / "state"
    with hold(state) as held:
        history = WatchedHistory(History(state), reported.sink, on_error=lambda *_: None, held=held)
        shutil.rmtree(state)
        history.append(run(1, 300))
        history.prune(run(1, 300).ended)
        with pytest.raises(TakenError):
            hold(state)
        history.close()


def test_whatever_drift_does_the_run_is_kept(
    reported: Reported, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_point: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(Monitor, "add", lambda _self, point: broken(point))
    history, errors = watching(History(tmp_path), reported.sink)
    history.append(failed(1))
    assert errors == [("drift", "ZeroDivisionError: ")]
    with reading(tmp_path) as reader:
        assert len(list(reader.runs())) == 1
    history.close()


def test_the_counter_has_the_direction(reported: Reported) -> None:
    for number in range(LEARNT + SLOW):
        reported.take(run(number, (446 if number < LEARNT else 296) + number * 7 % 9))
    found = [change for each in range(2 * LEARNT) if (change := reported.sink.found_with(run(each, 0).plan.run_id))]
    assert [each.direction for each in found if isinstance(each, Shift)] == ["faster"]
    assert reported.samples()["state", ""] == -1


def test_a_series_of_few_runs_is_saved_now_and_then_and_one_of_many_not_with_each() -> None:
    saved: list[int] = []
    often = Reported(lambda *_: saved.append(1))
    for number in range(200):
        often.take(run(number, 300))
    # Three hours are 180 runs of a minute.
    assert len(saved) == 1
    rarely = Reported(lambda *_: saved.append(1))
    for number in range(4):
        rarely.take(run(number * 2000, 300))
    assert len(saved) == 1 + 2


def test_a_state_that_can_t_be_saved_keeps_no_other_from_being_saved() -> None:
    saved: list[str] = []

    def save(target: str, _scenario: str, _data: bytes) -> None:
        if target == "b":
            raise PermissionError(13, "Permission denied", "b.state")
        saved.append(target)

    reported = Reported(save)
    for name in ("a", "b", "c"):
        reported.take(record(target=name))
    with pytest.raises(OSError, match=r"1 of 3 series is not saved: .*b\.state"):
        reported.sink.close(60)
    assert saved == ["a", "c"]


def test_what_could_not_be_saved_is_saved_at_the_end() -> None:
    saved: list[str] = []
    broken = [True]

    def save(target: str, _scenario: str, _data: bytes) -> None:
        if broken:
            broken.pop()
            raise OSError(28, "No space left on device")
        saved.append(target)

    reported = Reported(save)
    for number in range(180):
        reported.take(run(number, 300))
    with pytest.raises(OSError, match="No space"):
        reported.take(run(180, 300))
    reported.sink.close(60)
    assert saved == ["local"]
