"""A picture of a dashboard is known to be older than the dashboard."""

import copy
import json
import re
from typing import Any

import pytest

import dashboards
from boards.files import DASHBOARDS, path_of
from boards.texts import PAGES
from demo_data.cases import CASES
from pictures import __main__ as program
from pictures.album import ALBUM, FOLDER, PICTURES, digest_of_board, digest_of_file

ALBUM_AS_IT_IS: dict[str, dict[str, str]] = json.loads(ALBUM.read_text("utf-8"))
BOARDS = {name: json.loads(path_of(name).read_text("utf-8")) for name in (*DASHBOARDS, "fleet")}


def test_the_album_has_every_picture_and_the_pages_show_each() -> None:
    assert set(ALBUM_AS_IT_IS) == set(PICTURES)
    assert {each.case for each in PICTURES.values()} <= set(CASES)
    shown = {name for board in BOARDS for name in re.findall(r"\(\.\./images/(\S+)\.png\)", page_of(board))}
    assert shown == set(PICTURES)


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_is_of_its_dashboard_as_it_is_now(name: str) -> None:
    drawn = ALBUM_AS_IT_IS[name]
    assert (drawn["board"], drawn["case"]) == (PICTURES[name].board, PICTURES[name].case)
    assert drawn["board_sha256"] == digest_of_board(BOARDS[drawn["board"]]), "make pictures"
    assert drawn["sha256"] == digest_of_file(FOLDER / f"{name}.png"), "not the picture that make pictures has made"


def test_what_is_seen_makes_a_dashboard_another_and_what_is_read_in_grafana_does_not() -> None:
    board = BOARDS["drift"]
    assert digest_of_board(changed(board, "description", "other words")) == digest_of_board(board)
    assert digest_of_board(changed(board, "title", "Another title")) != digest_of_board(board)


def test_whoever_has_no_renderer_reads_what_one_must_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RENDERER", raising=False)
    monkeypatch.setattr("sys.argv", ["pictures"])
    with pytest.raises(SystemExit, match="set RENDERER to a command") as stopped:
        program.main()
    assert "DASHBOARD.json PROMETHEUS_URL OUT.png --from TIME --to TIME" in str(stopped.value)


def page_of(board: str) -> str:
    return (PAGES / f"{board}.md").read_text("utf-8")


def changed(board: dict[str, Any], key: str, value: str) -> dict[str, Any]:
    other = copy.deepcopy(board)
    dashboards.panels(other)[0][key] = value
    return other
