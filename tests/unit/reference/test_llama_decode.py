"""llama.cpp's completion events, as llama.cpp of 2026 sends them."""

import json

import pytest

from probe.reference.llama import decode
from probe.reference.llm_stream import End, Reason


def line(content: str, predicted: int, **fields: object) -> bytes:
    event = {"index": 0, "content": content, "tokens": [], "stop": False, "tokens_predicted": predicted, **fields}
    return b"data: " + json.dumps(event).encode() + b"\n"


def test_token() -> None:
    assert decode(line(" there", 2), tokens_before=1) == [" there"]


@pytest.mark.parametrize("noise", [b"\n", b": ping\n", b"event: x\n", b"id: 1\n"])
def test_line_without_an_event(noise: bytes) -> None:
    assert decode(noise, tokens_before=0) == []


def test_end_of_message_token_is_no_token_of_the_text() -> None:
    assert decode(line("", 3), tokens_before=2) == []
    assert decode(line("", 3, stop=True, stop_type="eos"), tokens_before=2) == [End(Reason.EOS)]


def test_stop_word() -> None:
    assert decode(line("", 9, stop=True, stop_type="word"), tokens_before=3) == [End(Reason.STOP_WORD)]


def test_limit() -> None:
    assert decode(line("", 4, stop=True, stop_type="limit"), tokens_before=4) == [End(Reason.MAX_TOKENS)]


def test_character_of_three_tokens() -> None:
    assert decode(line("🦄", 6), tokens_before=3) == ["", "", "🦄"]


def test_character_cut_by_the_limit_counts_its_tokens() -> None:
    event = line("", 5, stop=True, stop_type="limit")
    assert decode(event, tokens_before=3) == ["", "", End(Reason.MAX_TOKENS)]


def test_text_held_back_to_the_end() -> None:
    event = line("<|im", 5, stop=True, stop_type="limit")
    assert decode(event, tokens_before=2) == ["", "", "<|im", End(Reason.MAX_TOKENS)]


@pytest.mark.parametrize(
    "data",
    [
        b'data: {"error": {"code": 500, "message": "out of memory"}}\n',
        b'error: {"code": 500, "message": "out of memory"}\n',
        b"data: [1]\n",
        b'data: {"content": 5, "tokens_predicted": 1}\n',
        b"data: oops\n",
        b"data: \xff\n",
    ],
)
def test_not_a_completion(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        decode(data, tokens_before=0)
