"""The interface is complete: a protocol that nothing else knows works from the configuration to the metrics."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path

import patience
import plain_lines
import pytest

from probe import config
from probe.daemon.plans import entries
from probe.measurement import measure
from probe.measures import measure_run, outcome
from probe.metrics.registry import Metrics
from probe.plan import new_plan
from probe.protocols import registry
from probe.record import RunRecord
from probe.reference.faults import ScriptedTts
from probe.report import document, terminal

ANSWER = ("Well, ", "hello ", "there. ", "How ", "are ", "you? ", "Fine.")


@pytest.fixture(autouse=True)
def _registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(registry.LLM, "plain_lines", plain_lines.PROTOCOL)


@asynccontextmanager
async def server(
    tokens: Sequence[str], status: int = 200, *, cut: bool = False
) -> AsyncIterator[tuple[str, list[bytes]]]:
    """Answers each request with a token per line, a few milliseconds apart, chunked."""
    asked: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        asked.append(head.split(b"\r\n", 1)[0] + b" " + await reader.readexactly(length))
        writer.write(b"HTTP/1.1 %d Whatever\r\nTransfer-Encoding: chunked\r\n\r\n" % status)
        for token in tokens:
            await asyncio.sleep(0.005)
            line = token.encode() + b"\n"
            writer.write(b"%x\r\n%b\r\n" % (len(line), line))
        if not cut:
            writer.write(b"0\r\n\r\n")
        await writer.drain()
        writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with listening:
        yield f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/answer", asked


async def run(tmp_path: Path, llm_url: str, tts_url: str, more: str = "") -> RunRecord:
    path = tmp_path / "probe.toml"
    path.write_text(
        f'[targets.t.llm]\nprotocol = "plain_lines"\nurl = "{llm_url}"\n{more}\n[targets.t.tts]\nurl = "{tts_url}"\n'
        "[targets.t.limits]\nllm_s = 5\n[scenarios.s]\nfirst_pause = { sentence_boundary = true }\n"
    )
    (entry,) = entries(config.load(path))
    done = await measure(new_plan(entry.target, entry.scenario), tolerance=patience.PATIENT)
    return RunRecord.from_json(done.record.to_json())


async def test_from_the_configuration_to_the_metrics(tmp_path: Path) -> None:
    async with server(ANSWER) as (url, asked), ScriptedTts() as tts:
        record = await run(tmp_path, url, tts.url, 'manner = "chatty"')
    assert outcome(record) == "ok", record.failure
    assert [request.split()[1] for request in asked] == [b"/answer/chatty"]
    (turn,) = record.turns
    assert [chunk.text for chunk in turn.chunks] == ["Well, hello there.", " How are you?", " Fine."]
    assert [chunk.inference_start is None for chunk in turn.chunks] == [False, True, True]
    assert [chunk.token_count for chunk in turn.chunks] == [3, 3, 1]
    (measured,) = measure_run(record)
    assert measured.response_ttfb_ms is not None
    assert [chunk.combined_ttfb_ms is None for chunk in measured.chunks] == [False, True, True]
    assert all(chunk.tts_ttfb_ms is not None for chunk in measured.chunks)

    assert json.dumps(document.document(record))
    assert any("plain_lines" in line or "t (" in line for line in terminal.header(record.plan, 100))
    assert [*terminal.report(record, 100)]
    metrics = Metrics("test", [])
    metrics.write(record)
    body, _ = metrics.render("")
    assert 'voice_probe_llm_ttft_seconds_count{position="first",scenario="s",target="t"} 1.0' in body.decode()


async def test_text_waits_for_the_tts_server_while_the_answer_goes_on(tmp_path: Path) -> None:
    """Each text is sent when the audio of the one before is complete, and no sooner."""
    async with server(ANSWER) as (url, _), ScriptedTts() as tts:
        record = await run(tmp_path, url, tts.url)
    chunks = record.turns[0].chunks
    for before, chunk in pairwise(chunks):
        assert (chunk.tts_text_sent or 0) >= (before.tts_segment_done or 0) > 0
        assert (chunk.llm_done or 0) >= (before.llm_done or 0)


async def test_a_refusal_is_a_failure_and_its_server_is_busy_or_not(tmp_path: Path) -> None:
    async with ScriptedTts() as tts:
        async with server((), 500) as (url, _):
            failed = await run(tmp_path, url, tts.url)
        async with server((), 429) as (url, _):
            busy = await run(tmp_path, url, tts.url)
    assert failed.failure is not None
    assert (failed.failure.stage, failed.failure.reason) == ("llm", "server_error")
    assert (busy.failure, busy.skipped) == (None, "HTTP 429")


async def test_an_answer_that_is_cut_short_is_closed(tmp_path: Path) -> None:
    async with server(ANSWER[:2], cut=True) as (url, _), ScriptedTts() as tts:
        record = await run(tmp_path, url, tts.url)
    assert record.failure is not None
    assert (record.failure.stage, record.failure.reason) == ("llm", "closed")


def test_what_it_does_not_take_is_an_error_that_names_what_it_takes(tmp_path: Path) -> None:
    path = tmp_path / "probe.toml"
    path.write_text('[targets.t.llm]\nprotocol = "plain_lines"\nvoice = "aria"\nmanner = "rude"\n')
    with pytest.raises(config.ConfigError) as caught:
        config.load(path)
    lines = str(caught.value).splitlines()
    keys = [line.partition(": ")[2].partition(":")[0] for line in lines]
    assert sorted(keys) == ["targets.t.llm.manner", "targets.t.llm.voice"]
    wrong, unknown = sorted(lines, key=lambda line: ".voice: " in line)
    assert "brief" in wrong and "manner" in unknown
