"""A history that version 0.1 wrote says the same today: the file, and what its commands printed then, are kept.

Version 0.1 made them from its own test records: two good runs, a failed, a suspect and a skipped one.
"""

import json
import shutil
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from runs import START, record

from golden import GOLDEN
from probe.cli import main
from probe.drift.fingerprint import fingerprint
from probe.history.reader import HistoryReader
from probe.history.writer import History
from probe.tracing.spans import spans

KEPT = GOLDEN / "version_0_1"
MINUTE = 60 * 10**9


@pytest.fixture
def state_dir(tmp_path: Path) -> Path:
    shutil.copy(KEPT / "history.sqlite3", tmp_path)
    return tmp_path


def probe(state_dir: Path, *arguments: str) -> str:
    done = CliRunner(env={"COLUMNS": "250"}).invoke(main, [*arguments, "--state-dir", str(state_dir)])
    assert done.exit_code in (0, 3), done.output
    return done.output


def missing(then: Any, now: Any, where: str = "") -> list[str]:
    """What was said then and is not said now: more may be."""
    if isinstance(then, dict) and isinstance(now, dict):
        return [line for key, value in then.items() for line in missing(value, now.get(key), f"{where}.{key}")]
    if isinstance(then, list) and isinstance(now, list) and len(then) == len(now):
        return [line for n, (a, b) in enumerate(zip(then, now, strict=True)) for line in missing(a, b, f"{where}[{n}]")]
    # The millisecond that the probe took to hand a text on was in its figures then.
    same = then == pytest.approx(now, abs=1.01) if isinstance(then, float) and isinstance(now, float) else then == now
    return [] if same else [f"{where}: {then!r} is {now!r}"]


@pytest.mark.parametrize(
    ("command", "kept"),
    [
        (("history", "--json"), "history.json"),
        (("show", "--json", "20231114T221320Z-000001"), "show.json"),
        (("drift", "--json"), "drift.json"),
    ],
    ids=["history", "show", "drift"],
)
def test_what_it_says_is_what_it_said(state_dir: Path, command: tuple[str, ...], kept: str) -> None:
    then, now = json.loads((KEPT / kept).read_text("utf-8")), json.loads(probe(state_dir, *command))
    for run in then["runs"] if kept == "history.json" else ():
        words_apart(run)
    assert missing(then, now) == []


def words_apart(run: dict[str, Any]) -> None:
    """What may have been a server's own words has a field for them today."""
    run["said"] = []
    if run["failure"] is not None:
        run["said"], run["failure"]["detail"] = [run["failure"]["detail"]], ""
        run["failure"]["server"] = "tts"
    if run["skipped"] is not None:
        run["said"], run["skipped"] = [run["skipped"]], "all its slots are taken"


def test_a_person_reads_the_same_words(state_dir: Path) -> None:
    listed = " ".join(probe(state_dir, "history").split())
    assert "tts, no_audio: no audio for 'cross the road?': nothing for 10 s" in listed
    assert "all its slots are taken; No slots available (max 1)" in listed
    runs = json.loads((KEPT / "history.json").read_text("utf-8"))["runs"]
    for how, words in (
        ("failed", "stage tts, no_audio: no audio for 'cross the road?': nothing for 10 s"),
        ("skipped", "SKIPPED: the server is busy (all its slots are taken; No slots available (max 1))"),
    ):
        [run_id] = [run["run_id"] for run in runs if run["outcome"] == how]
        assert words in " ".join(probe(state_dir, "show", run_id).split())


def test_no_other_sink_reads_those_words(state_dir: Path) -> None:
    with closing(HistoryReader(state_dir)) as reader:
        for run in reader.runs():
            read = [str((span.error, span.attributes)) for span in spans(run)]
            assert not any("cross the road" in each or "No slots" in each for each in read)


def test_each_sample_of_a_backfill_is_there_still(state_dir: Path) -> None:
    # A failure names its server today.
    then = samples(
        (KEPT / "backfill.txt").read_text("utf-8").replace(',stage="tts",reason', ',server="tts",stage="tts",reason')
    )
    now = samples(probe(state_dir, "backfill", "--until", "1s"))
    assert len(then) > 50
    assert [name for name, value in then.items() if now.get(name) != pytest.approx(value, abs=0.0031)] == []


def samples(text: str) -> dict[str, float]:
    """Series and time -> value."""
    parts = (line.rsplit(" ", 2) for line in text.splitlines() if not line.startswith("#"))
    return {f"{series} {at}": float(value) for series, value, at in parts}


def test_a_report_of_an_old_run_can_be_read(state_dir: Path) -> None:
    shown = probe(state_dir, "show", "20231114T221320Z-000001")
    assert "voice aria, en, 22000 Hz" in shown and "300ms" in shown


def test_an_upgrade_begins_no_baseline_anew(state_dir: Path) -> None:
    """The daemon goes on in the same file, and the target's model and settings are the same as before."""
    with closing(History(state_dir)) as history:
        history.append(record(9, started=START + 9 * MINUTE))
    with closing(HistoryReader(state_dir)) as reader:
        points = [*reader.points("local", "default")]
        since = reader.serving_since("local", "default")
    assert len(points) == 6 and len({point.serving for point in points}) == 1
    assert since == (fingerprint(record()), points[0].started)
