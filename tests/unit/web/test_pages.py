"""The pages, as an application answers them: from a history that is there, empty, damaged, locked or gone."""

import json
import re
import shutil
import sqlite3
import wave
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from asgi import Answered, ask
from long_history import fill
from runs import START, failed, record

from probe.history import listing, reader
from probe.history.file import FILE_NAME
from probe.history.writer import History
from probe.record import RunRecord
from probe.web.access import Everybody
from probe.web.app import site
from probe.web.pages import FILES, PAGES, runs
from probe.web.settings import Settings

Get = Callable[..., Answered]
MINUTE = 60 * 10**9
HOSTILE = "<script>alert(1)</script>\"'&"


def of(state_dir: Path, **settings: Any) -> Get:
    app = site(Settings(state_dir, **settings), ("127.0.0.1",), Everybody()).app
    return lambda target, **headers: ask(app, target, **headers)


def keep(state_dir: Path, *records: RunRecord) -> None:
    db = History(state_dir)
    for each in records:
        db.append(each)
    db.close()


@pytest.fixture(scope="module")
def six_runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two targets with three runs each, one of which failed."""
    folder = tmp_path_factory.mktemp("six_runs")
    made = [
        record(number, started=START + number * MINUTE, target=target, ttfb_ms=300 + number)
        for number, target in enumerate(("spark", "local", "spark", "local", "spark"), 1)
    ]
    keep(folder, *made, failed(6, target="local", started=START + 6 * MINUTE))
    return folder


@pytest.fixture
def get(six_runs: Path, tmp_path: Path) -> Get:
    return of(shutil.copytree(six_runs, tmp_path, dirs_exist_ok=True))


def test_every_page_is_there_with_its_place_in_the_navigation(get: Get) -> None:
    for each in PAGES:
        answer = get(each.path.format(run_id=record(1).plan.run_id))
        assert answer.status == 200 and answer.headers["content-type"].startswith("text/html")
        assert answer.text.count('aria-current="page"') == 1
        assert len(answer.body) < 200_000


def test_every_page_is_there_without_a_history(tmp_path: Path) -> None:
    for each in PAGES:
        answer = of(tmp_path / "nothing")(each.path.format(run_id="x"))
        assert (answer.status, "There is no history yet" in answer.text) == (200, True)
    assert not (tmp_path / "nothing").exists()


def test_every_page_is_there_with_an_empty_history(tmp_path: Path) -> None:
    History(tmp_path).close()
    for each in PAGES:
        assert of(tmp_path)(each.path.format(run_id="x")).status == (404 if "{" in each.path else 200)


def test_a_page_has_nothing_from_elsewhere_and_no_script_or_style_within(get: Get) -> None:
    for each in PAGES:
        text = get(each.path.format(run_id=record(1).plan.run_id)).text
        addresses = re.findall(r'\b(?:src|href|action|poster|srcset)="([^"]*)"', text)
        assert addresses and all(address.startswith(("/", "#")) and address[:2] != "//" for address in addresses)
        assert re.findall(r"<script(?![^>]*\bsrc=)|<style|\bstyle=|\bon\w+=", text) == []


def test_what_a_page_loads_is_there(get: Get) -> None:
    for address in set(re.findall(r'"(/static/[^"]*)"', get("/runs").text)):
        answer = get(address)
        assert answer.status == 200 and answer.body
        assert get(address, if_none_match=answer.headers["etag"]).status == 304
    assert get("/static/nothing.js").status == get("/static/..%2Fapp.py").status == 404


def test_the_newest_runs_come_first_and_lead_to_their_pages(get: Get) -> None:
    listed = re.findall(r'href="/runs/(2[^"/]*)"', get("/runs").text)
    assert listed == [record(number).plan.run_id for number in (6, 5, 4, 3, 2, 1)]
    for run_id in listed:
        assert run_id in get(f"/runs/{run_id}").text


def listed(text: str) -> list[int]:
    return [int(each, 16) for each in re.findall(r'href="/runs/\d+T\d+Z-([0-9a-f]+)"', text)]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("target=spark", [5, 3, 1]),
        ("target=spark&sort=slowest", [5, 3, 1]),
        ("outcome=failed", [6]),
        ("slower=303", [5, 4]),
        ("since=2023-11-14T22:17:00&until=2023-11-14T22:18:30", [5, 4]),
        ("since=2023-11-14T23:17:00%2B01:00&until=2023-11-14T22:18:30Z", [5, 4]),
        ("since=1h", []),
        ("target=&outcome=&slower=&since=&until=&sort=oldest", [1, 2, 3, 4, 5, 6]),
        ("target=nobody", []),
    ],
)
def test_the_address_says_which_runs(query: str, found: list[int], get: Get) -> None:
    assert listed(get(f"/runs?{query}").text) == found


@pytest.mark.parametrize(
    "query",
    [
        "outcome=great", "sort=random", "slower=fast", "slower=-1", "slower=nan", "slower=1e300", "since=yesterday",
        "since=9999-12-31T23:59:59", "since=1e9d", "until=0001-01-01", "at=x", "at=after:nan:1", "at=after:1:-1",
        "at=after:1:99999999999999999999", "at=behind:1:1", "at=after:1e400:1", "target=" + "x" * 301,
    ],
)  # fmt: skip
def test_what_is_no_filter_is_said_so(query: str, get: Get) -> None:
    answer = get(f"/runs?{query}")
    assert answer.status == 400 and "Traceback" not in answer.text


def test_the_links_of_a_long_list_lead_through_all_of_it(tmp_path: Path) -> None:
    fill(tmp_path, 130, record(1), blob=b"no record")
    get, seen, address = of(tmp_path), [], "/runs?sort=fastest&target=spark"
    while address:
        text = get(address).text
        seen += listed(text)
        following = re.search(r'rel="next" href="([^"]*)"', text)
        address = following[1].replace("&amp;", "&") if following else ""
    assert len(seen) == len(set(seen)) == len([number for number in range(1, 131) if number % 3 != 2])
    before = re.search(r'rel="prev" href="([^"]*)"', text)
    assert before and listed(get(before[1].replace("&amp;", "&")).text) == seen[:50]


def test_how_many_runs_an_open_page_lacks(get: Get) -> None:
    assert json.loads(get("/runs/new.json?after=4").body) == {"count": 2, "more": False}
    assert json.loads(get("/runs/new.json?after=4&target=spark").body) == {"count": 1, "more": False}
    assert json.loads(get("/runs/new.json?after=99").body) == {"count": 0, "more": False}


def test_what_a_page_lacks_that_was_open_for_long_is_not_counted_to_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(tmp_path, 60, record(1), blob=b"no record")
    monkeypatch.setattr(runs, "MOST_NEW", 30)
    get = of(tmp_path)
    assert json.loads(get("/runs/new.json?after=5").body) == {"count": 30, "more": True}
    assert json.loads(get("/runs/new.json?after=30&target=local").body) == {"count": 10, "more": False}


def test_a_run_leads_to_those_before_and_behind_it(get: Get) -> None:
    text = get(f"/runs/{record(3).plan.run_id}").text
    assert re.findall(r'rel="(\w+)" href="/runs/([^"]+)"', text) == [
        ("prev", record(1).plan.run_id), ("next", record(5).plan.run_id),
    ]  # fmt: skip


def test_a_run_is_saved_as_json_and_as_one_file(get: Get) -> None:
    address = f"/runs/{record(3).plan.run_id}"
    raw, page = get(f"{address}/run.json"), get(f"{address}/report.html")
    assert json.loads(raw.body)["run_id"] == record(3).plan.run_id
    for answer, kind in ((raw, "json"), (page, "html")):
        expected = f'attachment; filename="run-{record(3).plan.run_id}.{kind}"'
        assert answer.headers["content-disposition"] == expected
    assert page.text.startswith("<!doctype html>") and "/static/" not in page.text


def test_an_unknown_run_or_page_is_a_page_that_says_so(get: Get) -> None:
    for target in ("/runs/nobody", "/runs/nobody/run.json", "/nothing", "/runs/", "/runs/a/b"):
        answer = get(target)
        assert answer.status == 404 and "<nav" in answer.text


def said(text: str) -> bool:
    return any(word in text for word in ("unicorn", "cross the road", "joke", "can't say", "can&#39;t say"))


def test_without_texts_no_word_is_shown_anywhere(tmp_path: Path) -> None:
    keep(tmp_path, record(1), failed(2))
    audio(tmp_path, record(1))
    places = [
        f"/runs/{each.plan.run_id}{file}"
        for each in (record(1), failed(2))
        for file in ("", "/run.json", "/report.html")
    ] + [each.path for each in PAGES if each.in_navigation]
    with_texts, without = of(tmp_path), of(tmp_path, texts=False, audio_dir=tmp_path)
    assert all(said(with_texts(place).text) for place in places[:6])
    assert [place for place in places if said(without(place).text)] == []
    assert without(f"/runs/{record(1).plan.run_id}/audio/1-1.wav").status == 404


def audio(folder: Path, of_run: RunRecord) -> bytes:
    pcm = bytes(range(250)) * 352
    with wave.open(str(folder / f"{of_run.plan.run_id}.wav"), "wb") as wav:
        wav.setnchannels(1)
        wav.setsampwidth(2)
        wav.setframerate(22_000)
        wav.writeframes(pcm)
    return pcm


def test_what_was_heard_can_be_played_and_searched(tmp_path: Path) -> None:
    keep(tmp_path, record(1))
    pcm, get = audio(tmp_path, record(1)), of(tmp_path, audio_dir=tmp_path)
    address = f"/runs/{record(1).plan.run_id}"
    assert f'src="{address}/audio/1-2.wav"' in get(address).text
    whole = get(f"{address}/audio/1-2.wav")
    assert (whole.status, whole.headers["content-type"], whole.body[44:]) == (200, "audio/wav", pcm[44_000:])
    assert whole.headers["accept-ranges"] == "bytes"
    part = get(f"{address}/audio/1-2.wav", range="bytes=100-199")
    assert (part.status, part.body) == (206, whole.body[100:200])
    assert part.headers["content-range"] == f"bytes 100-199/{len(whole.body)}"
    assert part.headers["content-length"] == "100"


@pytest.mark.parametrize("numbers", ["9-9", "1", "..", "1-1.wav", "%2e%2e%2f%2e%2e%2fetc%2fpasswd"])
def test_no_other_file_is_played(numbers: str, tmp_path: Path) -> None:
    keep(tmp_path, record(1))
    audio(tmp_path, record(1))
    assert of(tmp_path, audio_dir=tmp_path)(f"/runs/{record(1).plan.run_id}/audio/{numbers}.wav").status == 404


def test_a_run_of_a_hostile_name_reads_no_other_file(tmp_path: Path) -> None:
    named = replace(record(1), plan=replace(record(1).plan, run_id="../secret"))
    state_dir = tmp_path / "state"
    keep(state_dir, named)
    audio(tmp_path, replace(named, plan=replace(named.plan, run_id="secret")))
    (tmp_path / "audio").mkdir()
    get = of(state_dir, audio_dir=tmp_path / "audio")
    # The end of an id is enough to find it.
    answer = get("/runs/secret")
    assert (answer.status, "<audio" in answer.text) == (200, False)


def test_what_a_server_or_an_operator_wrote_stays_text(tmp_path: Path) -> None:
    plan = record(1).plan
    hostile = replace(
        plan,
        target=replace(plan.target, name=HOSTILE),
        scenario=replace(plan.scenario, name=HOSTILE, system_prompt=HOSTILE, user_turns=(HOSTILE,)),
    )
    first, second = record(1).turns[0].chunks
    turn = replace(record(1).turns[0], user=HOSTILE, chunks=(replace(first, text=HOSTILE), second))
    keep(tmp_path, replace(record(1), plan=hostile, turns=(turn,)))
    for each in PAGES:
        text = of(tmp_path)(each.path.format(run_id=plan.run_id)).text
        assert "alert(1)" in text or each.path not in ("/runs", "/runs/{run_id}", "/compare")
        assert "<script>alert" not in text and HOSTILE not in text


COMPARED = "/compare?a=spark&b=local"


def test_two_targets_are_compared_with_a_picture_of_each_stage(get: Get) -> None:
    text = get(COMPARED).text
    assert text.count("<figure>") == 4
    assert "have no interval, 20 of each are a start" in text


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("a=spark", "Choose a target for A and for B."),
        ("a=spark&b=spark", "Both sides are the same"),
        ("a_run=x", "the id of both, or of none"),
        ("a_run=x&b_run=y", "no run &#39;x&#39;"),
        ("a=spark&b=local&scenario=none", "not both have runs"),
        ("a=spark&b=spark&b_since=2023-11-14T22:16:00", "spark, default to 2023-11-14 22:16:00 UTC: 1 run"),
    ],
)
def test_what_can_not_be_compared_is_said_beside_the_form(query: str, said: str, get: Get) -> None:
    answer = get(f"/compare?{query}")
    assert (answer.status, said in answer.text, "<form" in answer.text) == (200, True, True)


def test_two_runs_are_compared(get: Get) -> None:
    text = get(f"/compare?a_run={record(1).plan.run_id}&b_run={record(2).plan.run_id}").text
    assert f"run {record(1).plan.run_id}" in text and "<table" in text


def test_a_history_that_is_locked_is_waited_for_and_then_said_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader, "BUSY_TIMEOUT_S", 0.01)
    keep(tmp_path, record(1))
    holder = sqlite3.connect(tmp_path / FILE_NAME, isolation_level=None)
    holder.execute("PRAGMA locking_mode = EXCLUSIVE")
    holder.execute("BEGIN EXCLUSIVE")
    answer = of(tmp_path)("/runs")
    assert (answer.status, "locked by another process" in answer.text) == (503, True)
    holder.close()
    assert of(tmp_path)("/runs").status == 200


def test_a_history_that_is_no_database_is_said_so(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_bytes(b"nothing of ours" * 1000)
    answer = of(tmp_path)("/runs")
    assert (answer.status, "not a database" in answer.text) == (503, True)


def test_a_history_that_is_replaced_is_read_again(tmp_path: Path) -> None:
    keep(tmp_path, record(1))
    get = of(tmp_path)
    assert listed(get("/runs").text) == [1]
    keep(tmp_path / "other", record(7))
    (tmp_path / "other" / FILE_NAME).replace(tmp_path / FILE_NAME)
    assert listed(get("/runs").text) == [7]


def test_a_history_that_is_being_written_is_read_to_its_last_commit(tmp_path: Path) -> None:
    db = History(tmp_path)
    get = of(tmp_path)
    for number in (1, 2, 3):
        db.append(record(number, started=START + number * MINUTE))
        assert listed(get("/runs").text)[0] == number
    db.close()


def test_reading_writes_nothing(tmp_path: Path) -> None:
    """Except for what SQLite shares between processes, which holds no runs, where the folder may be written to."""
    keep(tmp_path, record(1))
    before = (tmp_path / FILE_NAME).read_bytes()
    for each in PAGES:
        of(tmp_path)(each.path.format(run_id=record(1).plan.run_id))
    assert (tmp_path / FILE_NAME).read_bytes() == before
    beside = {each.name: each.stat().st_size for each in tmp_path.iterdir() if each.name != FILE_NAME}
    assert set(beside) <= {f"{FILE_NAME}-shm", f"{FILE_NAME}-wal"} and not beside.get(f"{FILE_NAME}-wal")


def test_a_page_that_fails_says_so_without_what_it_held(
    get: Get, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_arguments: object) -> None:
        raise ValueError("a secret that was said")

    monkeypatch.setattr(listing, "listing", broken)
    answer, log = get("/runs?target=secret"), capsys.readouterr().err
    assert answer.status == 500
    assert re.fullmatch(r"probe web: '/runs': ValueError at test_pages\.py:\d+\n", log)
    assert "secret" not in answer.text + log and "Traceback" not in answer.text + log


def test_a_run_that_can_not_be_read_says_so_without_what_it_held(tmp_path: Path) -> None:
    keep(tmp_path, record(1))
    for blob in (b"garbage", zlib.compress(b'{"plan": "unicorn"}'), zlib.compress(b"unicorn")):
        db = sqlite3.connect(tmp_path / FILE_NAME)
        db.execute("UPDATE runs SET record = ?", (blob,))
        db.commit()
        db.close()
        answer = of(tmp_path)(f"/runs/{record(1).plan.run_id}")
        assert (answer.status, "data of this run are damaged" in answer.text) == (500, True)
        assert "unicorn" not in answer.text
        assert listed(of(tmp_path)("/runs").text) == [1]


def test_names_and_paths_are_unique() -> None:
    paths = [each.path for each in PAGES] + [each.path for each in FILES]
    assert len(paths) == len(set(paths))
    names = [each.name for each in PAGES if each.in_navigation]
    assert names == ["Now", "Runs", "Drift", "Compare"]


@pytest.mark.parametrize("name", [" spark ", " "])
def test_a_name_with_spaces_around_it_is_found(name: str, tmp_path: Path) -> None:
    """A configuration allows it; taken away, its links would lead to nothing, or to the runs of all."""
    keep(tmp_path, record(1, target=name), record(2, target="spark"))
    get = of(tmp_path)
    for page in ("/runs", "/drift"):
        answer = get(f"{page}?{urlencode({'target': name, 'scenario': 'default'})}")
        assert answer.status == 200
    assert re.findall(r"/runs/([\w-]+)", get(f"/runs?{urlencode({'target': name})}").text) == [
        "20231114T221320Z-000001"
    ]
    assert get(f"/compare?{urlencode({'a': name, 'b': 'spark'})}").status == 200
    # A browser takes away the spaces around an option's text, not those of its value.
    assert f'<option value="{name}"' in get("/runs").text and f'<option value="{name}"' in get("/compare").text
