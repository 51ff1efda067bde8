"""The page of a run, as HTML is read: what it says, and that no text in it becomes anything but text."""

import math
import struct
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from runs import MS, START, chunk, failed, free_running, record, refused, skipped, suspect

from probe.record import Chunk, RunRecord, ServerIdentity
from probe.report import audio_peaks
from probe.report.html import environment, run_page
from probe.report.wordless import without_words

DASH = "\N{EN DASH}"
NOW = START + 3 * 60 * 10**9
# The page in a file, without audio.
MOST_BYTES = 300_000
# Tags that have no end.
VOID = ("meta", "br", "img", "input", "link")


class Read(HTMLParser):
    """A page as a browser takes it apart: its tags with the names of their attributes, and its texts."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, tuple[str, ...]]] = []
        self.attributes: list[tuple[str, str]] = []
        self.texts: list[str] = []
        self.open: list[str] = []
        self.feed(page)
        self.close()
        assert self.open == [], "a tag that is not closed"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, tuple(name for name, _ in attrs)))
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())


def read(run: RunRecord) -> Read:
    return Read(run_page.fragment(run, NOW))


def test_a_run_says_what_it_was_and_what_took_the_time() -> None:
    text = read(record()).text
    assert "local, default ok 2023-11-14 22:13:20 UTC, 3 minutes ago First byte within the objective of 1000 ms" in text
    assert "First byte 300 ms objective 1000 ms First sound 400 ms Silences after that none Speech 2000 ms" in text
    assert "The longest wait was 300 ms, in chunk 2, for the TTS server's first audio." in text
    assert "Run 20231114T221320Z-000001 Trace 0123456789abcdef0123456789abcdef" not in text
    assert "Trace 00000000000000000000000000000001" in text and "Voice aria" in text


def test_each_chunk_has_its_measures_and_what_is_missing_is_a_dash() -> None:
    run = free_running()
    text = read(run).text
    assert "Chunk Tokens LLM TTFT LLM TTFAT LLM gen time TTS wait TTS TTFB" in text
    assert f"Chunk 2 4 {DASH} {DASH} {DASH} 142 60" in text, "a chunk without a request has no time to its first token"
    assert "User Tell me a joke. Chunk 1 Why did the unicorn" in text


def test_a_failure_says_where_why_and_what_to_do() -> None:
    text = read(failed()).text
    assert "Failed in chunk 2, stage tts, no_audio: no audio for a text of 15 characters: nothing for 10 s" in text
    assert "What to do: choose another voice" in text
    assert "What the servers said TTS server: can't say 'cross the road?'" in text


@pytest.mark.parametrize(
    ("run", "said"),
    [
        (skipped(), "skipped 2023-11-14 22:13:20 UTC, 3 minutes ago The server is busy (all its slots are taken; LLM"),
        (suspect(), "A figure of it may be wrong: the event loop was late by 31 ms"),
        (replace(suspect(), doubts=("one", "two", "three")), "A figure of it may be wrong: one, and 2 more doubts"),
        (replace(record(), cold=True), "Cold start yes, a model was loaded for this run"),
        (replace(record(), unstamped=3), "Figures left out Reads without the kernel's time of arrival: 3."),
        (refused(), "Failed, stage connect at llm, refused:"),
    ],
)
def test_whatever_became_of_it(run: RunRecord, said: str) -> None:
    assert said in read(run).text


def test_the_addresses_are_shown_without_secrets() -> None:
    page = run_page.fragment(refused(), NOW)
    assert "ws://spark:8002/ws" in page and "hunter" not in page


def test_a_figure_that_may_be_wrong_is_named() -> None:
    run = record()
    (first, second), turn = run.turns[0].chunks, run.turns[0]
    unknown = replace(first, unknown=("tts_ttfb_ms",))
    run = replace(run, turns=(replace(turn, chunks=(unknown, second), unknown=("response_ttfb_ms",)),))
    text = read(run).text
    assert f"First byte {DASH} objective" in text
    assert "response_ttfb of the response may be wrong by more than the published error, and is left out" in text
    assert "TTS TTFB of chunk 1 may be wrong" in text


def test_a_fragment_has_no_script_no_style_and_no_address() -> None:
    for run in (record(), failed(), free_running()):
        found = read(run)
        names = {name for _, attributes in found.tags for name in attributes}
        assert not {"style", "href", "srcset", "action", "src"} & names
        assert not any(name.startswith("on") for name in names)
        assert not {"script", "style", "link", "iframe", "object", "form"} & {tag for tag, _ in found.tags}


def test_a_file_of_its_own_allows_only_its_own_style() -> None:
    page = environment.standalone("A run", run_page.fragment(record(), NOW), "now")
    found = Read(page)
    policy = next(value for name, value in found.attributes if name == "content" and value.startswith("default-src"))
    assert policy == f"default-src 'none'; style-src '{environment.style_hash()}'; img-src data:; media-src data:"
    assert f"<style>{environment.style()}</style>" in page


def test_the_style_is_text_in_html_and_in_svg_alike() -> None:
    assert not {"<", "&"} & set(environment.style())
    assert "@import" not in environment.style() and "url(" not in environment.style()


def with_texts(text: str) -> RunRecord:
    """A run that has this text wherever anybody but us may put one."""
    run = failed()
    scenario = replace(run.plan.scenario, name=text, system_prompt=text, user_turns=(text, text))
    servers = {
        role: replace(server, protocol=text, options={**server.options, "voice": text, "model": text})
        for role, server in run.plan.target.servers.items()
    }
    target = replace(run.plan.target, name=text, servers=servers)
    turn = run.turns[0]
    chunks = tuple(replace(each, text=text, stop_reason=text) for each in turn.chunks)
    assert run.failure is not None
    return replace(
        run,
        plan=replace(run.plan, scenario=scenario, target=target),
        turns=(replace(turn, user=text, chunks=chunks, model=text, server_times={text: 1.0}),),
        failure=replace(run.failure, detail=text),
        doubts=(text, text),
        said=(text,),
        served=ServerIdentity(text, text),
    )


HOSTILE = (
    "<script>alert(1)</script>", "\"'><img src=x onerror=alert(1)>", "</pre></details></style><b>",
    "{{ 7 * 7 }}{% raw %}",
    "a\0b\x1b[31mc\x85d", "\u202eevil\u2066\u200f\ufeff", "\ud800half", "&lt;&#60;&amp;", "]]>-->",
    "javascript:alert(1)",
)  # fmt: skip
# What hides, reorders or breaks what stands around it.
HIDDEN = [chr(code) for code in (*range(9), 11, 12, *range(14, 32), *range(127, 160), 0x200B, 0x202E, 0x2066, 0xFEFF)]


def is_only_text(text: str) -> None:
    page = run_page.fragment(with_texts(text), NOW)
    page.encode()
    assert not set(HIDDEN) & set(page)
    found, harmless = Read(page), read(with_texts("harmless"))
    assert found.tags == harmless.tags


@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_text_is_only_text(text: str) -> None:
    is_only_text(text)


@settings(max_examples=25)
@given(st.text(st.characters(exclude_categories=()), min_size=1).filter(str.strip))
def test_any_text_is_only_text(text: str) -> None:
    # Of white space alone nothing is left to show.
    is_only_text(f"x{text}")


def test_what_a_text_says_is_there_to_read() -> None:
    assert "<script>alert(1)</script>" in read(with_texts("<script>alert(1)</script>")).text


def many(count: int, text: str = " And one more line of the list.") -> RunRecord:
    run, start = record(), START
    chunks = []
    for number in range(1, count + 1):
        chunks.append(chunk(number, start, 150, text=text))
        start += 200 * MS
    return replace(run, turns=(replace(run.turns[0], chunks=tuple(chunks), done=start),), ended=start)


def test_a_run_of_a_hundred_chunks_fits_into_a_mail() -> None:
    page = environment.standalone("A run", run_page.fragment(many(100), NOW), "now")
    assert len(page.encode()) < MOST_BYTES
    assert "40 more chunks are not listed" in page and "It is too long for a page" in page


@pytest.mark.parametrize("character", ["x", "<", '"', "\N{PILE OF POO}"])
def test_the_longest_texts_fit_into_a_mail(character: str) -> None:
    text = character * 65_536
    run = many(8, text)
    scenario = replace(run.plan.scenario, system_prompt=text, user_turns=(text,) * 50)
    turns = tuple(replace(run.turns[0], turn_num=number, user=text) for number in range(1, 31))
    run = replace(run, plan=replace(run.plan, scenario=scenario), turns=turns, doubts=(text,) * 50, said=(text,) * 16)
    page = environment.standalone(run_page.title(run), run_page.fragment(run, NOW), "now")
    assert len(page.encode()) < MOST_BYTES


def test_audio_that_is_kept_has_a_player_and_a_waveform() -> None:
    pcm = struct.pack("<600h", *(round(9000 * math.sin(n / 9)) for n in range(600)))
    sound = audio_peaks.sound(audio_peaks.Segment(1, 2, pcm, 8000), "data:audio/wav;base64,AAAA")
    found = Read(run_page.fragment(record(), NOW, {(1, 2): sound}))
    assert ("src", "data:audio/wav;base64,AAAA") in found.attributes
    assert ("aria-label", "Waveform of Chunk 2, 0.1 seconds") in found.attributes
    assert [tag for tag, _ in found.tags].count("audio") == 1


CANARY = "Quartermaine"


def canaries(run: RunRecord) -> RunRecord:
    """The words that were asked, answered or said, in every place that has some."""
    scenario = replace(run.plan.scenario, system_prompt=f"{CANARY} one", user_turns=(f"{CANARY} two",))
    words: Callable[[Chunk], Chunk] = lambda each: replace(each, text=f"{CANARY} {each.chunk_num}")  # noqa: E731
    turns = tuple(replace(turn, user=f"{CANARY} three", chunks=tuple(map(words, turn.chunks))) for turn in run.turns)
    return replace(run, plan=replace(run.plan, scenario=scenario), turns=turns, said=(f"LLM server: {CANARY} four",))


@pytest.mark.parametrize("make", [record, failed, skipped, suspect, free_running, refused])
def test_a_page_without_texts_has_none_of_them(make: Callable[[], Any]) -> None:
    run = canaries(make())
    assert CANARY in run_page.fragment(run, NOW), "it would be found"
    without = run_page.fragment(without_words(run), NOW)
    assert CANARY not in without and "[16 characters]" in without


def test_without_words_every_figure_stays() -> None:
    run = failed()
    quiet = without_words(run)
    assert quiet.failure == run.failure and quiet.connects == run.connects and quiet.plan.target == run.plan.target
    assert [each.frames for each in quiet.turns[0].chunks] == [each.frames for each in run.turns[0].chunks]
    assert quiet.turns[0].chunks[0].text == "[20 characters]"
