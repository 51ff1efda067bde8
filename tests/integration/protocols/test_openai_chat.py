"""Whole runs with a chat server that answers by script, over real HTTP."""

import asyncio
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import patience
import pytest
from chat_server import CUT, END, HEAD, STALL, ChatServer, Script, piece, response, serving
from chat_streams import ERROR_BEFORE_DONE, FINISH, LLAMA_CPP, THINKING, said
from service import Service, eventually, service, write_config

from probe import config
from probe.daemon.attempt import attempt
from probe.daemon.plans import entries
from probe.daemon.schedule import Entry
from probe.measurement import measure
from probe.measures import measure_run, outcome
from probe.outside import outside_of_run
from probe.plan import new_plan
from probe.protocols.http_answers import words_in
from probe.record import RunRecord
from probe.reference.faults import Drop, Raw, ScriptedTts, TtsScript
from probe.server_state import ServerFigures

KEY = "Bearer sk-0123456789"
# Only bounds a hang.
PATIENT = {"connect_s": 60, "llm_s": 60, "tts_s": 60, "run_s": 120, "release_s": 20}
ANSWER = piece(said("Well, ", "hello ", "there. ", "How ", "are you?") + FINISH)
GOOD = (HEAD, ANSWER, END)


def entry(
    tmp_path: Path, llm_url: str, tts_url: str, limits: Mapping[str, float] = PATIENT, turns: int = 1
) -> tuple[Entry, config.Config]:
    path = tmp_path / "probe.toml"
    shown = ", ".join(f"{name} = {value}" for name, value in limits.items())
    path.write_text(
        f'[targets.t]\nlimits = {{ {shown} }}\n[targets.t.llm]\nurl = "{llm_url}"\nmodel = "m"\n'
        f'headers = {{ authorization = "{KEY}" }}\n[targets.t.tts]\nurl = "{tts_url}"\n'
        f"[scenarios.s]\nturns = {turns}\nturn_pause_s = 0.0\nfirst_pause = {{ sentence_boundary = true }}\n"
        f"[courtesy]\nmax_wait_s = 0.0\n{patience.PATIENT_TOML}"
    )
    settings = config.load(path)
    (found,) = entries(settings)
    return found, settings


async def run(tmp_path: Path, server: ChatServer, limits: Mapping[str, float] = PATIENT, turns: int = 1) -> RunRecord:
    async with ScriptedTts() as tts:
        found, _ = entry(tmp_path, server.url, tts.url, limits, turns)
        done = await measure(new_plan(found.target, found.scenario), tolerance=patience.PATIENT)
    return RunRecord.from_json(done.record.to_json())


def ended(record: RunRecord) -> tuple[str, str]:
    assert record.failure is not None
    return record.failure.stage, record.failure.reason


async def test_two_turns_on_one_connection(tmp_path: Path) -> None:
    async with serving(GOOD) as server:
        record = await run(tmp_path, server, turns=2)
    assert outcome(record) == "ok", record.failure
    first, second = server.posts()
    assert (first.client, second.client) == (1, 1)
    assert [each.server for each in record.connects].count("llm") == 1
    assert first.headers["authorization"] == second.headers["authorization"] == KEY
    assert first.headers["accept-encoding"] == "identity"
    assert second.body["messages"][-2:] == [
        {"role": "assistant", "content": "Well, hello there. How are you?"},
        {"role": "user", "content": record.turns[1].user},
    ]
    assert [chunk.text for chunk in record.turns[1].chunks] == ["Well, hello there.", " How are you?"]


@pytest.mark.parametrize("ending", [b"", b"Connection: close\r\n"])
async def test_a_server_that_closes_gets_a_new_connection(tmp_path: Path, ending: bytes) -> None:
    """Announced or not: a body without a length ends with its connection."""
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n%b\r\n" % ending
    async with serving((head, said("Hello there.") + FINISH, CUT)) as server:
        record = await run(tmp_path, server, turns=2)
    assert outcome(record) == "ok", record.failure
    assert [each.client for each in server.posts()] == [1, 2]
    assert [each.server for each in record.connects].count("llm") == 2


async def test_a_connection_that_closes_as_we_ask_again_is_opened_anew(tmp_path: Path) -> None:
    async with serving(GOOD, (CUT,), GOOD) as server:
        record = await run(tmp_path, server, turns=2)
    assert outcome(record) == "ok", record.failure
    assert [each.client for each in server.posts()] == [1, 1, 2]


async def test_what_the_server_says_of_itself_is_recorded(tmp_path: Path) -> None:
    async with serving((HEAD, piece(LLAMA_CPP.body), END)) as server:
        record = await run(tmp_path, server)
    (turn,) = record.turns
    assert (turn.usage_tokens, turn.server_times) == (7, {"prompt_ms": 434.5, "predicted_ms": 46.25})
    assert turn.chunks[-1].stop_reason == "stop"


async def test_reasoning_is_not_spoken(tmp_path: Path) -> None:
    events = THINKING.body.split(b"\n\n")
    script = [step for each in events for step in (piece(each + b"\n\n"), 0.005)]
    async with serving((HEAD, *script, END)) as server:
        record = await run(tmp_path, server)
    chunk, *rest = record.turns[0].chunks
    assert "".join(each.text for each in (chunk, *rest)) == "Is 1 < 2? <b> <"
    assert (chunk.llm_first_answer_token or 0) > (chunk.llm_first_token or 0) > (chunk.inference_start or 0)


REFUSALS = [
    (401, b'{"error": {"message": "bad key"}}', "unauthorized"),
    (403, b"", "unauthorized"),
    (404, b'{"detail": "Not Found"}', "not_found"),
    (500, b"oops", "server_error"),
    (503, b'{"error": {"message": "Loading model"}}', "loading"),
    (503, b"", "unavailable"),
    (307, b"", "not_found"),
]


@pytest.mark.parametrize(("status", "body", "reason"), REFUSALS)
async def test_a_status(tmp_path: Path, status: int, body: bytes, reason: str) -> None:
    async with serving((response(status, body),)) as server:
        record = await run(tmp_path, server)
    assert ended(record) == ("llm", reason)
    assert record.failure is not None and f"HTTP {status}" in record.failure.detail
    assert record.said == tuple(f"LLM server: {words}" for words in [words_in(body)] if words)


async def test_too_many_requests_is_busy(tmp_path: Path) -> None:
    async with serving((response(429, b'{"error": "queue full"}'),)) as server:
        record = await run(tmp_path, server)
    assert record.failure is None
    assert (record.skipped, record.said) == ("HTTP 429 for /v1/chat/completions", ("LLM server: queue full",))


SHORT = PATIENT | {"llm_s": 1.0}
BROKEN: list[tuple[str, Script, str]] = [
    ("stall before headers", (STALL,), "timeout"),
    ("stall after headers", (HEAD, STALL), "timeout"),
    ("stall amid a token", (HEAD, piece(said("Hi")[:-9]), STALL), "timeout"),
    ("stall in an error's body", (b"HTTP/1.1 500 X\r\nContent-Length: 9\r\n\r\nno", STALL), "server_error"),
    ("cut before headers", (CUT,), "closed"),
    ("cut in a body", (HEAD, piece(said("Hi")), CUT), "closed"),
    ("an end without a finish", (HEAD, piece(said("Hi")), END), "closed"),
    ("a body whose end is its connection's", (HEAD.replace(b"Transfer-Encoding: chunked\r\n", b""), said("Hi"), CUT),
     "closed"),
    ("a broken chunk", (HEAD, b"zz\r\n", STALL), "malformed"),
    ("an error amid the answer", (HEAD, piece(ERROR_BEFORE_DONE.body), END), "server_error"),
    ("an error, and then nothing", (HEAD, piece(b'data: {"error": {"message": "x"}}\n\n'), STALL), "server_error"),
    ("an endless line", (HEAD, piece(b"data: " + b"x" * 2**17), STALL), "flood"),
    ("a page", (response(200, b"<html>", "text/html"),), "malformed"),
    ("gzip", (response(200, b"\x1f\x8b", "text/event-stream", "Content-Encoding: gzip\r\n"),), "malformed"),
    ("only reasoning", (HEAD, piece(said("<think>", "Hm.") + FINISH), END), "no_answer"),
    ("nothing", (HEAD, piece(FINISH), END), "empty_response"),
]  # fmt: skip


@pytest.mark.parametrize(("script", "reason"), [row[1:] for row in BROKEN], ids=[row[0] for row in BROKEN])
async def test_what_breaks(tmp_path: Path, script: Script, reason: str) -> None:
    """A silence ends with the patience for it, everything else at once."""
    async with serving(script) as server:
        record = await run(tmp_path, server, SHORT if reason == "timeout" else PATIENT)
    assert ended(record) == ("llm", reason), record.failure


async def test_an_answer_that_nobody_wants_any_more_is_left(tmp_path: Path) -> None:
    async with serving((HEAD, piece(said("Hello there. ", "And")), STALL)) as server, ScriptedTts() as tts:
        found, _ = entry(tmp_path, server.url, tts.url)
        stop = asyncio.Event()
        running = asyncio.ensure_future(measure(new_plan(found.target, found.scenario), patience.PATIENT, stop=stop))
        async with asyncio.timeout(60):
            await server.wanted.wait()
            stop.set()
            await running
            await server.left.wait()


# Beside a run

LLAMA_PAGES: dict[str, Any] = {
    "/slots": [{"id": 0, "is_processing": False}],
    "/props": {"model_path": "/m/q.gguf", "build_info": "b1"},
    "/health": {"status": "ok"},
}
VLLM_PAGES: dict[str, Any] = {
    "/metrics": b'vllm:num_requests_running{m="x"} 0.0\n',
    "/v1/models": {"data": [{"id": "m"}]},
    "/version": {"version": "0.20"},
    "/health": b"",
}
OLLAMA_PAGES: dict[str, Any] = {
    "/v1/models": {"data": [{"id": "m"}, {"id": "other"}]},
    "/api/version": {"version": "0.40.8"},
    "/api/ps": {"models": []},
}


@pytest.mark.parametrize(
    ("pages", "served", "cold", "unknown"),
    [
        (LLAMA_PAGES, ("q.gguf", "b1"), False, False),
        (VLLM_PAGES, ("m", "0.20"), False, False),
        (OLLAMA_PAGES, ("m", "0.40.8"), True, True),
        ({}, (None, None), None, True),
        ({"/health": (503, {"error": {"message": "Loading model"}})}, (None, None), True, True),
    ],
)
async def test_what_is_asked_before_a_run(
    tmp_path: Path,
    pages: dict[str, Any],
    served: tuple[str | None, str | None],
    cold: bool | None,
    unknown: bool,
) -> None:
    async with serving(GOOD, pages=pages) as server, ScriptedTts() as tts:
        found, settings = entry(tmp_path, server.url, tts.url)
        done = await attempt(found, settings, asyncio.Event())
    assert done is not None
    record = RunRecord.from_json(done.record.to_json())
    assert outcome(record) == "ok", record.failure
    assert ((record.served.model, record.served.build), record.cold) == (served, cold)
    assert done.unknown_users is unknown
    assert all(each.headers["authorization"] == KEY for each in server.asked)


async def test_users_are_left_alone_and_one_answer_is_enough(tmp_path: Path) -> None:
    pages = LLAMA_PAGES | {"/metrics": b"llamacpp:requests_processing 1\nllamacpp:requests_deferred 0\n"}
    async with serving(GOOD, pages=pages) as server, ScriptedTts() as tts:
        found, settings = entry(tmp_path, server.url, tts.url)
        done = await attempt(found, settings, asyncio.Event())
    assert done is not None
    assert done.record.skipped == "1 stream in use, still so after 0 s"
    assert server.posts() == []
    assert "/slots" not in [each.path for each in server.asked]
    assert done.record.reported["llm"] == ServerFigures(running=1, waiting=0)


async def test_what_a_server_counted_during_the_run_is_kept(tmp_path: Path) -> None:
    def page(requests: int) -> bytes:
        return (
            f"vllm:num_requests_running 0\nvllm:num_requests_waiting 0\nvllm:kv_cache_usage_perc 0.125\n"
            f"vllm:request_queue_time_seconds_sum {0.25 * requests}\nvllm:request_queue_time_seconds_count {requests}\n"
            f"vllm:time_to_first_token_seconds_sum 0.0\nvllm:time_to_first_token_seconds_count {requests}\n"
            f"vllm:prefix_cache_queries_total {100 * requests}\nvllm:prefix_cache_hits_total {75 * requests}\n"
        ).encode()

    async with serving(GOOD, pages={"/metrics": page(4)}) as server, ScriptedTts() as tts:
        found, settings = entry(tmp_path, server.url, tts.url)
        running = asyncio.ensure_future(attempt(found, settings, asyncio.Event()))
        async with asyncio.timeout(60):
            await server.wanted.wait()
        server.pages["/metrics"] = page(5)
        done = await running
    assert done is not None
    record = RunRecord.from_json(done.record.to_json())
    assert record.reported["llm"] == ServerFigures(0, 0, 0.125, 250.0, 0.0, 1, 0.75)
    assert [each.path for each in server.asked].count("/metrics") == 2, "courtesy's answer is not asked for again"
    # It has its first token at once, and so all of our wait is outside of it.
    assert outside_of_run(record, measure_run(record)) == measure_run(record)[0].chunks[0].llm_ttft_ms


async def test_check_config_asks_every_server(tmp_path: Path) -> None:
    async with serving(GOOD, pages=VLLM_PAGES) as server:
        entry(tmp_path, server.url, "ws://127.0.0.1:1/")
        code, lines = await _check_config(tmp_path)
        _, shown = await _check_config(tmp_path, "--json")
    assert code == 1
    words = unwrapped(lines)
    assert ": good (targets: t; scenarios: s; schedules: default) " in words
    assert f" t llm (openai_chat, {server.url}): connected in " in words
    assert " ms; model: m; build: 0.20; users: 0; cold: no " in words
    assert " ok protocol: openai_chat ok model: m ok users: 0 now " in words
    assert words.endswith(
        " t tts (magpie, ws://127.0.0.1:1/): ws://127.0.0.1:1/: connection refused; is the server running?"
    )
    of_llm, of_tts = json.loads(shown)["servers"]
    assert (of_llm["users"], of_llm["cold"], of_llm["voices"], of_llm["error"]) == (0, False, "not asked", None)
    assert (of_tts["connected_ms"], of_tts["users"]) == (None, "not asked")
    assert KEY not in lines + shown


async def test_check_config_shows_what_is_unknown(tmp_path: Path) -> None:
    async with serving(GOOD) as server, ScriptedTts() as tts:
        entry(tmp_path, server.url, tts.url)
        code, lines = await _check_config(tmp_path)
    assert code == 0
    assert "ms; users: unknown; cold: unknown" in unwrapped(lines)


async def test_check_config_says_what_is_wrong_with_a_base_url(tmp_path: Path) -> None:
    async with serving(GOOD, pages=VLLM_PAGES) as server, ScriptedTts() as tts:
        entry(tmp_path, server.url.removesuffix("/v1"), tts.url)
        _, lines = await _check_config(tmp_path)
        entry(tmp_path, f"{server.url}/chat/completions", tts.url)
        _, more = await _check_config(tmp_path)
    assert "; advice: the URL of most servers ends in /v1 " in unwrapped(lines)
    assert "; advice: leave /chat/completions out of the URL " in unwrapped(more)


async def test_a_single_run_asks_what_serves_as_the_daemon_does() -> None:
    async with serving(GOOD, pages=VLLM_PAGES) as server, ScriptedTts() as tts:
        command = ("-m", "probe", "run", "--json", "--llm-url", server.url, "--model", "m", "--tts-url", tts.url)
        process = await asyncio.create_subprocess_exec(sys.executable, *command, stdout=asyncio.subprocess.PIPE)
        async with asyncio.timeout(60):
            out, _ = await process.communicate()
    document = json.loads(out)
    assert (document["llm_model"], document["llm_build"], document["cold"]) == ("m", "0.20", False)


async def test_check_config_shows_where_a_server_redirects_to(tmp_path: Path) -> None:
    answer = b"HTTP/1.1 302 Found\r\nLocation: ws://me:secret@elsewhere/ws?key=secret\r\nContent-Length: 0\r\n\r\n"
    async with serving(GOOD) as server, ScriptedTts(TtsScript(on_handshake=(Raw(answer), Drop()))) as tts:
        entry(tmp_path, server.url, tts.url)
        code, lines = await _check_config(tmp_path)
    assert code == 1
    assert "enter the address that it is at; it redirects to ws://elsewhere/ws\n" in lines
    assert "secret" not in lines


def unwrapped(text: str) -> str:
    """Lines are as wide as the terminal."""
    return " ".join(text.split())


async def _check_config(tmp_path: Path, *more: str) -> tuple[int, str]:
    command = ("-m", "probe", "check-config", str(tmp_path / "probe.toml"), "--probe", *more)
    process = await asyncio.create_subprocess_exec(sys.executable, *command, stdout=asyncio.subprocess.PIPE)
    async with asyncio.timeout(60):
        out, _ = await process.communicate()
    return process.returncode or 0, out.decode()


UNKNOWN = 'voice_probe_courtesy_unknown_total{target="scripted"}'


@pytest.mark.parametrize(("setting", "came_out"), [("run", "ok"), ("wait", "skipped")])
async def test_the_daemon_counts_and_logs_unknown_users(tmp_path: Path, setting: str, came_out: str) -> None:
    """A line where it begins and one where it ends, not one for each run."""
    more = f'[courtesy]\nmax_wait_s = 0\nunknown = "{setting}"'
    async with serving(GOOD) as server, ScriptedTts() as tts:
        path = write_config(tmp_path, server.url, tts.url, every_s=1, more=more)
        async with service(path) as daemon:
            line = await daemon.until("a server does not report who uses it")
            assert (line["target"], line["courtesy"]) == ("scripted", setting)
            await eventually(lambda: counted(daemon, 2))
            await daemon.until("run", outcome=came_out)
            server.pages |= LLAMA_PAGES
            await daemon.until("every server reports its users again")
            await daemon.until("run", outcome="ok")
            assert sum(each["event"] == line["event"] for each in daemon.lines) == 1


async def counted(daemon: Service, least: float) -> bool:
    return (await daemon.metrics()).get(UNKNOWN, 0) >= least
