"""Errors about a file say in which line; and a word that was nearly right is recognised."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe import config
from probe.config import ConfigError
from probe.config.lines import line_of

TEXT = """# a comment
top = 1

[targets.a]
llm = { url = "ws://h:1", headers = { x = "1" } }
tts.url = "ws://h:2"
note = \"\"\"
[targets.b]
\"\"\"

  [targets."c.d"]   # another comment
voice = 'x'
list = [
  1,
  2,
]
last = 1
[[many]]
x = 1
"""


@pytest.mark.parametrize(
    ("key", "line"),
    [
        (("top",), 2),
        (("targets",), 4),
        (("targets", "a"), 4),
        (("targets", "a", "llm", "url"), 5),
        (("targets", "a", "llm", "headers", "x"), 5),
        (("targets", "a", "llm", "missing"), 5),
        (("targets", "a", "tts", "url"), 6),
        (("targets", "a", "note"), 7),
        (("targets", "b"), 4),
        (("targets", "c.d", "voice"), 12),
        (("targets", "c.d", "list", 1), 13),
        (("targets", "c.d", "last"), 17),
        (("many",), 18),
        (("nowhere", "at", "all"), None),
        ((), None),
    ],
)
def test_the_line_of_a_key(key: tuple[str | int, ...], line: int | None) -> None:
    assert line_of(TEXT, key) == line


def test_behind_an_endless_value_keys_have_no_line() -> None:
    text = "a = 1\nb = [\n" + "1,\n" * 1000 + "]\nc = 1"
    assert [line_of(text, (key,)) for key in "abc"] == [1, None, None]


@given(st.text(), st.lists(st.text()))
def test_whatever_the_file_holds_there_is_an_answer(text: str, key: list[str]) -> None:
    line = line_of(text, tuple(key))
    assert line is None or 1 <= line <= text.count("\n") + 1


def errors(path: Path, text: str) -> list[str]:
    path.write_text(text, "utf-8")
    with pytest.raises(ConfigError) as caught:
        config.load(path)
    return str(caught.value).removeprefix(f"{path}:").split(f"\n{path}:")


def test_every_error_names_its_line(tmp_path: Path) -> None:
    text = "[targets.a]\nvoize = 'x'\n[targets.a.lmm]\nurl = 'ws://h'\n[targets.a.limits]\nlm_s = 3\n[shedules.s]\n"
    assert sorted(errors(tmp_path / "probe.toml", text)) == [
        "2: targets.a.voize: unknown key; did you mean voice?",
        "3: targets.a.lmm: unknown key; did you mean llm?",
        "6: targets.a.limits.lm_s: unknown key; did you mean llm_s?",
        "7: shedules: unknown key; did you mean schedules?",
    ]


def test_an_option_of_a_server_that_is_nearly_right(tmp_path: Path) -> None:
    (line,) = errors(tmp_path / "probe.toml", "[targets.a.llm]\nmodle = 'x'\nurl = 'http://h/v1'\n")
    assert line.startswith("2: targets.a.llm.modle: unknown key; openai_chat takes: protocol, url, headers, model")
    assert line.endswith("; did you mean model?")


def test_what_is_like_nothing_has_no_suggestion(tmp_path: Path) -> None:
    assert errors(tmp_path / "probe.toml", "xyzzy = 1\n") == ["1: xyzzy: unknown key"]


def test_a_byte_order_mark_is_no_part_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "probe.toml"
    path.write_text("[targets.a]\nvoice = 'leo'\n", "utf-8-sig")
    assert config.load(path).targets["a"].record("a").option("tts", "voice") == "leo"
