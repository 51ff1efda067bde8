"""The pages Now and Drift, as an application answers them; what they look like is tests/integration/web."""

import json
import re
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import many_runs
import pytest
from a_day import stalled, watch
from asgi import Answered, ask
from runs import failed, hearing, record

from probe.history.file import FILE_NAME
from probe.history.reader import reading
from probe.record import RunRecord
from probe.report.day import Slot
from probe.waits import HEARING, WAITS
from probe.web import kept
from probe.web import sparkline as module
from probe.web.access import Everybody
from probe.web.app import site
from probe.web.page import Asked
from probe.web.settings import Settings
from probe.web.sparkline import sparkline

Get = Callable[..., Answered]
S = 10**9
NOW = time.time_ns()


@pytest.fixture(autouse=True)
def recent(monkeypatch: pytest.MonkeyPatch) -> None:
    """Some minutes after the modules were imported, runs of then are no recent ones."""
    monkeypatch.setitem(globals(), "NOW", time.time_ns())


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A look has time for every verdict, on a busy machine too."""
    monkeypatch.setattr(kept, "_JUDGING_S", 60.0)


def of(state_dir: Path, **settings: Any) -> Get:
    app = site(Settings(state_dir, **settings), ("127.0.0.1",), Everybody()).app
    return lambda target, **headers: ask(app, target, **headers)


def keep(state_dir: Path, *records: RunRecord) -> None:
    many_runs.keep(state_dir, records)


def runs(target: str, count: int = 6, first: int = 1) -> list[RunRecord]:
    return [record(first + n, started=NOW - (count - n) * 60 * S, target=target) for n in range(count)]


def cards(text: str) -> list[str]:
    return re.findall(r'<article class="card (\w+)"', text)


def test_the_worst_card_comes_first_and_an_alert_leads_to_it(tmp_path: Path) -> None:
    bad = [replace(failed(50 + n, target="b", started=NOW - (4 - n) * 60 * S), ended=NOW - 30 * S) for n in range(4)]
    keep(tmp_path, *runs("a"), *bad)
    text = of(tmp_path)("/").text
    assert cards(text) == ["bad", "good"]
    (leads_to,) = re.findall(r'href="#(card-\w+)"', text)
    assert text.index(f'id="{leads_to}"') < text.index("a</a>" if "a</a>" in text else "target=a&amp;")
    assert "fails: 4 of 4 recent attempts, now 4 in a row" in text
    assert "Failed runs" in text


def test_a_new_run_is_on_the_next_page(tmp_path: Path) -> None:
    get = of(tmp_path)
    keep(tmp_path, *runs("a"))
    assert "first byte 300 ms, within 1000 ms" in get("/").text
    keep(tmp_path, record(99, started=time.time_ns() - 2 * S, target="a", ttfb_ms=432))
    assert "first byte 432 ms, within 1000 ms" in get("/").text


def test_another_history_is_another_page(tmp_path: Path) -> None:
    """What was read of one is not shown of another."""
    for name in ("one", "two"):
        keep(tmp_path / name, *runs(name))
    shown = [
        re.findall(r"target=(\w+)&amp;scenario=default\"", of(tmp_path / each)("/").text) for each in ("one", "two")
    ]
    assert [each[0] for each in shown] == ["one", "two"]


def test_when_runs_are_due_by_the_configuration(tmp_path: Path) -> None:
    keep(tmp_path, record(1, started=NOW - 600 * S, target="a"))
    hourly = {("a", "default"): lambda started: started + 3600 * S}
    assert re.search(r"next run in (4\d|50) min", of(tmp_path, next_runs=hourly)("/").text)
    assert "Not measured any more: 1" in of(tmp_path, next_runs={})("/").text


def test_very_many_targets_are_a_list(tmp_path: Path) -> None:
    keep(tmp_path, *(record(n, started=NOW - 5 * S, target=f"t{n:03}") for n in range(1, 61)))
    answer = of(tmp_path)("/")
    assert (len(cards(answer.text)), answer.text.count("<li id="), len(answer.body) < 200_000) == (24, 36, True)


def test_drift_without_a_saved_state_says_so(tmp_path: Path) -> None:
    keep(tmp_path, *runs("a"))
    text = of(tmp_path)("/drift").text
    assert "The daemon has not saved a verdict of this series yet" in text
    assert "No change was found." in text


def test_drift_shows_the_daemon_s_verdict_and_what_changed(tmp_path: Path) -> None:
    """The first that has become slower is shown, where the address names none."""
    made = [
        record(n, started=NOW - (200 - n) * 300 * S, target="z", ttfb_ms=300 + n % 7 + 200 * (n > 150))
        for n in range(1, 200)
    ]
    keep(tmp_path, *runs("a", first=1000), *made)
    watch(tmp_path)
    get = of(tmp_path)
    text = get("/drift").text
    assert re.search(r'<p class="verdict slower">Combined TTFB \+6\d % since', text)
    assert re.search(r'<span class="number slower">1</span>.*href="/runs/[^"]+-00009[0-9a-f]">before', text)
    data = json.loads(get("/drift/series.json?target=z").text)
    (change,) = data["changes"]
    assert (change["number"], change["kind"], sum(data["runs"])) == (1, "slower", 199)
    assert abs(change["at"] - (NOW - 49 * 300 * S) / S) < 600
    assert {*data["stages"]} == {"combined_ttfb", "llm_ttft", "llm_decode", "tts_ttfb"}
    medians = [each for each in data["stages"]["combined_ttfb"]["median"] if each is not None]
    assert (medians[0] < 310, medians[-1] > 500) == (True, True)
    assert {len(column) for stage in data["stages"].values() for column in stage.values()} == {len(data["t"])}


def test_of_a_target_that_hears_the_whole_wait_is_drawn(tmp_path: Path) -> None:
    """Runs from before there was a column of it are a gap in its line."""
    spoken = [replace(hearing(n), started=NOW - (100 - n) * 300 * S) for n in range(1, 80)]
    keep(tmp_path, *runs("a", first=1000), *spoken)
    with closing(sqlite3.connect(tmp_path / FILE_NAME)) as db, db:
        gone = ", ".join(f"{name} = NULL" for name in ("asked", *(f"{stage}_ms" for stage in HEARING)))
        db.execute(f"UPDATE runs SET {gone} WHERE run_id < ?", (spoken[20].plan.run_id,))  # noqa: S608 - our own
    get = of(tmp_path)
    text = get("/drift?target=local").text
    assert re.findall(r'<input type="checkbox" id="stage-(\w+)"', text) == [*WAITS["speech"]]
    assert re.findall(r'<span class="key (\w+)"', text) == [*WAITS["speech"]]
    assert "combined TTFB" not in text
    stages = json.loads(get("/drift/series.json?target=local").text)["stages"]
    assert [*stages] == [*WAITS["speech"]]
    assert {*stages["voice_to_voice"]["median"]} == {None, 1200}
    assert {*stages["transcription"]["highest"]} == {None, 300}
    assert [*json.loads(get("/drift/series.json?target=a").text)["stages"]] == [*WAITS["text"]]


def test_the_page_has_a_colour_of_each_stage() -> None:
    """In the chart, and in its key."""
    static = Path(module.__file__).parent / "static"
    script, style = ((static / name).read_text("utf-8") for name in ("drift.js", "drift.css"))
    for stage in {stage for stages in WAITS.values() for stage in stages}:
        assert re.search(rf"\b{stage}: \"--", script) and f".key.{stage}" in style, stage


def test_the_data_of_a_chart_are_bounded(tmp_path: Path) -> None:
    many_runs.fill(tmp_path, runs=3000, targets=["a"], until=NOW)
    answer = of(tmp_path)("/drift/series.json?days=90")
    assert len(json.loads(answer.text)["t"]) <= 320
    assert len(answer.body) < 60_000


@pytest.mark.parametrize("path", ["/drift?target=nobody", "/drift/series.json?scenario=x", "/drift?days=8"])
def test_what_there_is_no_drift_of(path: str, tmp_path: Path) -> None:
    keep(tmp_path, *runs("a"))
    assert of(tmp_path)(path).status == 400


def test_a_chart_of_nothing(tmp_path: Path) -> None:
    keep(tmp_path)
    assert json.loads(of(tmp_path)("/drift/series.json").text)["t"] == []
    assert "There are no runs yet." in of(tmp_path)("/drift").text


def test_a_day_as_paths() -> None:
    """The objective is a line; what is over it has a path of its own; failures are marked at the top."""
    day = [Slot(None, 0, 0, 0), Slot(500.0, 3, 0, 0), Slot(2000.0, 3, 1, 2)]
    found = sparkline(day, 1000)
    assert (found.width, found.failures, found.late_runs, found.highest_ms) == (3, 1, 2, 2000.0)
    assert found.well == "M1.1 40v-8h.8v8z"
    assert found.slow == "M2.1 40v-32h.8v32z"
    assert found.failed == f"M2 0h1v{module._MARK}h-1z"
    assert found.objective == 24
    assert sparkline(day[:1], None).well == ""
    hidden = sparkline([Slot(300.0, 15, 0, 1)], 1000)
    assert (hidden.slow, hidden.late, hidden.failed) == ("", f"M0 0h1v{module._MARK}h-1z", "")


def test_a_stall_of_an_earlier_run_is_one_click_away(tmp_path: Path) -> None:
    """It was ok, since its first byte came in time, and others have come after it."""
    keep(tmp_path, stalled(1, NOW - 900 * S, "a"), *runs("a", first=2))
    text = of(tmp_path)("/").text
    assert cards(text) == ["warn"]
    assert "the speech stopped for 2.4 s in an earlier one of the last runs" in text
    (address,) = re.findall(r'href="([^"]+)">Longest silence', text)
    assert address.endswith("-000001")


def test_what_takes_long_is_done_beforehand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first page has every verdict, although a look has time for one; without a history there is nothing to do."""
    many = [run for n, target in enumerate("abc") for run in runs(target, 3, first=10 * n + 1)]
    keep(tmp_path, *many)
    watch(tmp_path)
    monkeypatch.setattr(kept, "_JUDGING_S", 0.0)
    cold, warm = kept.Kept(), kept.Kept()
    # Of silences there would be none at all in no time.
    monkeypatch.setattr("probe.history.silences.RUNS", 0)
    warm.warm(tmp_path)
    warm.warm(tmp_path / "nothing")
    with reading(tmp_path) as reader:
        asked = Asked(reader, {}, {}, Settings(tmp_path), NOW)
        assert [sum(each.verdict is not None for each in some.now(asked).cards) for some in (cold, warm)] == [1, 3]
