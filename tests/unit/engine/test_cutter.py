"""Where a streamed answer is cut: the table of docs/measures.md, and any way that tokens may come."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.engine import cutter
from probe.engine.cutter import cut, sentence_end, undecided
from probe.plan import Pause

SENTENCE = Pause(sentence_boundary=True)


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("Hello. How are you?", "Hello."),
        ("Really?! Yes.", "Really?!"),
        ('She said "Hi." Then she left.', 'She said "Hi."'),
        ("(Hi!) Bye", "(Hi!)"),
        ("Wait… what?", "Wait…"),
        ("One\ntwo", "One\n"),
        ("\n\nOne line\nmore", "\n\nOne line\n"),
        ("你好。再见。", "你好。"),
        ("はい！いいえ", "はい！"),  # noqa: RUF001 - meant
        ("नमस्ते। फिर", "नमस्ते।"),
        ("كيف حالك؟ جيد", "كيف حالك؟"),
        ("It is I. Who else?", "It is I."),
        ("Dr. Who is here. Run!", "Dr. Who is here."),
        ("1. First do this. 2. Then that.", "1. First do this."),
        ("J. Doe called. Really.", "J. Doe called."),
        ("See e.g. this one. Or not.", "See e.g. this one."),
        ("It costs 3.50 today. Cheap!", "It costs 3.50 today."),
    ],
)
def test_the_first_sentence_of(text: str, first: str) -> None:
    assert text[: sentence_end(text)] == first


@pytest.mark.parametrize(
    "text", ["", " ", "\n", "Hello", "Hello.", "Hello, there", "Dr. Who", "3.5", "1. ", "a.b", "Hi?"]
)
def test_nobody_knows_yet_where_the_first_sentence_ends_of(text: str) -> None:
    assert sentence_end(text) is None


def test_so_many_tokens_are_a_chunk() -> None:
    assert cut(["one", " two"], "", Pause(max_tokens=2)) == len("one two")
    assert cut(["one"], "", Pause(max_tokens=2)) is None


def test_without_a_pause_the_answer_is_one_chunk() -> None:
    assert cut(["One. Two.", " Three."], "", Pause()) is None


def first_cut(tokens: list[str]) -> tuple[int, int] | None:
    """After which token the first chunk of an answer is cut, and where."""
    open_end = ""
    for number, token in enumerate(tokens):
        size = cut(tokens[: number + 1], open_end, SENTENCE)
        if size is not None:
            return number, size
        open_end = undecided(open_end + token)
    return None


@given(st.lists(st.text(alphabet='ab .!?\n"1。', max_size=4), max_size=12))
def test_what_has_been_decided_need_not_be_looked_at_again(tokens: list[str]) -> None:
    texts = ["".join(tokens[: number + 1]) for number in range(len(tokens))]
    ends = [(number, size) for number, text in enumerate(texts) if (size := sentence_end(text)) is not None]
    assert first_cut(tokens) == next(iter(ends), None)


def test_a_token_that_ends_nothing_has_no_text_put_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """However long an answer without an end is, its next token costs no more."""
    looked_at: list[int] = []
    monkeypatch.setattr(cutter, "sentence_end", lambda text, since: looked_at.append(len(text) - since))
    assert first_cut([" word", ",", " 3", ".", "5"] * 200) is None
    assert looked_at == []
    assert first_cut([" word", " 3.", " five"] * 200) is None
    # From the mark before the token on.
    assert looked_at == [len(". five")] * 200


@given(st.text(alphabet='ab .!?\n"1。', max_size=30))
def test_what_is_cut_off_is_never_empty_and_never_more_than_there_is(text: str) -> None:
    size = sentence_end(text)
    assert size is None or (0 < size <= len(text) and text[:size].strip())


@given(st.text(alphabet='ab .!?\n"1。', max_size=30), st.text(alphabet="ab .", max_size=10))
def test_more_text_moves_no_end_that_was_found(text: str, more: str) -> None:
    """Only the closing marks behind it may still come."""
    size = sentence_end(text)
    if size is not None and size < len(text):
        assert sentence_end(text + more) == size
