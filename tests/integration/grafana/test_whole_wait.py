"""What the panels on answers that are transcribed, or spoken into, show: as promtool computes it."""

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

import dashboards

PANELS = (
    "Word error rate of the answers",
    "Answers that were not transcribed",
    "From the interruption to the silence",
)
AT = "1h"
PAIR = 'target="t",scenario="s"'
RATIOS, MISSED = "voice_probe_answer_word_error_ratio", "voice_probe_answers_not_transcribed_total"
INTERRUPTED = f'voice_probe_interrupted_seconds_bucket{{{PAIR},position="first",le='


def series(name: str, values: str) -> dict[str, str]:
    return {"series": name, "values": values}


def transcribed() -> Iterator[dict[str, str]]:
    """An answer every five minutes, with one word in ten wrong."""
    yield series(f"{RATIOS}_sum{{{PAIR}}}", "0+0.1x20")
    yield series(f"{RATIOS}_count{{{PAIR}}}", "0+1x20")
    yield series(f'{MISSED}{{{PAIR},stage="wait",reason="users"}}', "0x20")


def missed() -> Iterator[dict[str, str]]:
    """No answer is transcribed any more: two every five minutes are not."""
    yield series(f"{RATIOS}_sum{{{PAIR}}}", "1x20")
    yield series(f"{RATIOS}_count{{{PAIR}}}", "9x20")
    yield series(f'{MISSED}{{{PAIR},stage="wait",reason="users"}}', "0+2x20")
    yield series(f'{MISSED}{{{PAIR},stage="stt",reason="timeout"}}', "0x20")


def spoken_into() -> Iterator[dict[str, str]]:
    """An answer every five minutes, that stops after 0.2 to 0.4 s."""
    for le, values in {"0.2": "0x20", "0.4": "0+1x20", "+Inf": "0+1x20"}.items():
        yield series(f'{INTERRUPTED}"{le}"}}', values)


def asked(panel: str) -> list[str]:
    return [query.expr for query in dashboards.queries() if query.panel == panel]


def check(binaries: Path, folder: Path, known: list[dict[str, str]], expected: dict[str, list[Any]]) -> None:
    """Have promtool compare what each panel's queries return, in their order; those not named return nothing."""
    questions = [
        {"expr": f"round({expr}, 0.001)", "eval_time": AT, "exp_samples": samples}
        for panel in PANELS
        for expr, samples in zip(asked(panel), expected.get(panel, [[]] * len(asked(panel))), strict=True)
    ]
    assert len(questions) == len(PANELS) + 1
    test = {"interval": "5m", "input_series": known, "promql_expr_test": questions}
    path = folder / "panels.yml"
    path.write_text(yaml.safe_dump({"tests": [test]}))
    command = [str(binaries / "promtool"), "test", "rules", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def of_pair(value: float) -> list[dict[str, object]]:
    return [{"labels": f"{{{PAIR}}}", "value": value}]


def counted(labels: str, value: float) -> list[dict[str, object]]:
    return [{"labels": f"{{{labels}}}", "value": value}]


def test_without_such_targets_they_are_empty_and_say_so(prometheus_binaries: Path, tmp_path: Path) -> None:
    check(prometheus_binaries, tmp_path, [series(f"voice_probe_up{{{PAIR}}}", "1x20")], {})
    shown = [each for each in dashboards.panels(dashboards.documents()["voice-latency"]) if each["title"] in PANELS]
    words = [each["fieldConfig"]["defaults"]["noValue"] for each in shown]
    assert words == ["no answer is transcribed", "no answer is transcribed", "no answer is spoken into"]


def test_the_mean_of_the_answers_and_that_none_was_missed(prometheus_binaries: Path, tmp_path: Path) -> None:
    none = counted('reason="none missed",words="  none missed"', 0)
    check(
        prometheus_binaries, tmp_path, [*transcribed()],
        {PANELS[0]: [of_pair(0.1)], PANELS[1]: [none]},
    )  # fmt: skip


def test_answers_that_were_missed_have_no_rate_and_a_reason(prometheus_binaries: Path, tmp_path: Path) -> None:
    users = counted('target="t",stage="wait",reason="users",words="t wait users"', 4)
    check(prometheus_binaries, tmp_path, [*missed()], {PANELS[1]: [users]})


def test_how_soon_an_answer_stops_that_is_spoken_into(prometheus_binaries: Path, tmp_path: Path) -> None:
    check(
        prometheus_binaries, tmp_path, [*spoken_into()],
        {PANELS[2]: [of_pair(0.3), of_pair(0.39)]},
    )  # fmt: skip
