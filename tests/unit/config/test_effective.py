"""What is in effect, as it would be written: it reads back as the same, and holds no secret."""

import json
import os
from pathlib import Path

import pytest

from probe import config
from probe.config import effective

TOML = """
[targets."spark 1"]
objective_ms = 900
[targets."spark 1".llm]
url = "http://spark:8080/v1"
model = "a \\"model\\""
extra_body = { top_k = 3, nested = { x = [1, "two", true] } }
[targets."spark 1".tts]
url = "ws://spark:8001/ws/tts/stream"
[scenarios.s]
user_turns = ["Grüß dich.", "Two\\nlines"]
first_pause = { max_tokens = 5 }
next_pause = {}
[schedules.x]
cron = "*/5 * * * *"
"""


@pytest.fixture(autouse=True)
def _empty_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith("PROBE_"):
            monkeypatch.delenv(name)


def load(path: Path, text: str) -> config.Config:
    path.write_text(text, "utf-8")
    return config.load(path)


@pytest.mark.parametrize("text", ["", TOML])
def test_it_reads_back_as_the_same(tmp_path: Path, text: str) -> None:
    settings = load(tmp_path / "a.toml", text)
    written = list(effective.toml_lines(effective.document(settings)))
    assert load(tmp_path / "b.toml", "\n".join(written)) == settings


def test_what_has_no_value_is_named(tmp_path: Path) -> None:
    lines = list(effective.toml_lines(effective.document(load(tmp_path / "a.toml", TOML))))
    assert "# every_s is not set" in lines, "cron stands instead of it"
    assert "# turns is not set" in lines and "# seed is not set" in lines


def test_no_secret_is_shown(tmp_path: Path) -> None:
    settings = load(
        tmp_path / "a.toml",
        """
        [targets.a.llm]
        url = "http://me:hunter2@spark:8080/v1?key=hunter2"
        headers = { authorization = "hunter2" }
        [otlp]
        endpoint = "http://me:hunter2@collector"
        headers = { token = "hunter2" }
        """,
    )
    document = effective.document(settings)
    shown = "\n".join(effective.toml_lines(document))
    assert "hunter2" not in shown + json.dumps(document)
    assert 'url = "http://spark:8080/v1"' in shown and 'headers = { authorization = "…" }' in shown


def test_a_wait_that_the_run_does_not_last_is_a_warning(tmp_path: Path) -> None:
    settings = load(tmp_path / "a.toml", "[targets.a.limits]\nllm_s = 121\nrun_s = 120\n[targets.b.limits]\nrun_s = 4")
    assert list(effective.warnings(settings)) == [
        "targets.a.limits.llm_s (121) is over run_s (120), which ends the run before",
        "targets.b.limits.connect_s (5) is over run_s (4), which ends the run before",
        "targets.b.limits.llm_s (10) is over run_s (4), which ends the run before",
        "targets.b.limits.tts_s (10) is over run_s (4), which ends the run before",
    ]
    assert list(effective.warnings(config.load(None))) == []


def test_the_wait_for_a_transcript_is_one_where_there_is_any(tmp_path: Path) -> None:
    hears = '[targets.a.stt]\nurl = "tcp://localhost:10300"\n[targets.a.limits]\nstt_s = 121\n'
    (warning,) = effective.warnings(load(tmp_path / "a.toml", f"{hears}[targets.b.limits]\nstt_s = 121"))
    assert warning == "targets.a.limits.stt_s (121) is over run_s (120), which ends the run before"


def test_an_exporter_without_the_path_of_its_page_is_a_warning(tmp_path: Path) -> None:
    text = '[targets.a.exporters]\nnode = "http://me:hunter2@spark:9100"\ndcgm = "http://spark:9400/metrics"'
    assert list(effective.warnings(load(tmp_path / "a.toml", text))) == [
        "targets.a.exporters.node (http://spark:9100) has no path: the page of an exporter is usually /metrics"
    ]
