"""`probe run` as a user starts it: a process of its own, against real engines or scripted servers."""

import asyncio
import json
import os
import pty
import random
import re
import signal
import sys
import wave
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import patience
import pytest
from recogniser import Recogniser

from probe.reference.faults import (
    Drop,
    LlmScript,
    ScriptedLlm,
    ScriptedTts,
    TtsScript,
    TtsTurn,
    llm,
    refusing_port,
    tts,
)

CHUNK_FIELDS = {
    "chunk_num", "text", "token_count", "audio_bytes", "stop_reason", "segment_end",
    "inference_start_ts", "llm_first_token_ts", "llm_done_ts", "tts_text_sent_ts", "tts_first_audio_ts",
    "tts_last_audio_ts", "tts_segment_done_ts",
    "llm_ttft_ms", "llm_gen_time_ms", "tts_ttfb_ms", "tts_gen_time_ms", "tts_stream_time_ms", "audio_duration_ms",
    "combined_ttfb_ms", "leading_silence_ms", "combined_ttfa_ms", "playout_gap_ms", "realtime_factor",
}  # fmt: skip
UNTOLD = "it is unknown which audio belongs to which text"
SENTENCES = ("Please open the window and close the door.", " The weather is nice today, and we will go to the park.")


# Other tests' servers share the machine: it may well be slower than a measurement should allow.
PATIENT = patience.PATIENT_ENVIRONMENT | {
    f"PROBE_TARGETS__LOCAL__LIMITS__{name}_S": "60" for name in ("CONNECT", "LLM", "TTS")
}

# Once it is interrupted, it gets a signal more with every line that it prints. How long a moment is, is for the unit
# test, whose clock stands still.
HURRIED = """
import os
from importlib import import_module
import click
from probe.cli import main
interrupt = import_module("probe.cli.interrupt").Interrupt
interrupt.MOMENT_S = 600
end, echo, number, interrupted = interrupt._end, click.echo, int(os.environ["NUMBER"]), []
def noted_end(self):
    interrupted.append(True)
    end(self)
def hurried_echo(*arguments, **more):
    if interrupted:
        os.kill(os.getpid(), number)
    echo(*arguments, **more)
interrupt._end, click.echo = noted_end, hurried_echo
main()
"""


async def probe(
    *arguments: str, until: Awaitable[object] | None = None, objective_ms: float = 60_000
) -> tuple[int, str, str]:
    """Run the command, to its end or to an interrupt once `until` is over; returns exit code, stdout and stderr."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "probe",
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=os.environ | PATIENT | {"PROBE_TARGETS__LOCAL__OBJECTIVE_MS": str(objective_ms)},
    )
    if until is not None:
        await until
        process.send_signal(signal.SIGINT)
    async with asyncio.timeout(150):
        out, err = await process.communicate()
    assert "Traceback" not in err.decode()
    return process.returncode or 0, out.decode(), err.decode()


async def run_json(
    llm_url: str, tts_url: str, *arguments: str, objective_ms: float = 60_000
) -> tuple[int, dict[str, Any]]:
    urls = ("--llm-url", llm_url, "--tts-url", tts_url)
    code, out, _ = await probe("run", "--json", *urls, *arguments, objective_ms=objective_ms)
    return code, json.loads(out)


@pytest.mark.parametrize(
    "options", [(), ("--generation", "older"), ("--generation", "older", "--target-audio-ms", "4000")]
)
async def test_real_servers(llm_server: str, serve_tts: Callable[..., str], tmp_path: Path, options: Any) -> None:
    """A small model may say anything; whatever it says is measured, and what was heard is what was sent."""
    wav = tmp_path / "heard.wav"
    code, run = await run_json(
        llm_server, serve_tts(*options), "--turns", "2", "--prompt", "Say hello.", "--save-audio", str(wav)
    )
    # A server that marks nothing, keeps texts back and is slow as well leaves it open whose the audio is.
    told_openly = "--generation" in options and all(doubt.endswith(UNTOLD) for doubt in run["doubts"])
    assert code == 0 or (code == 4 and told_openly), (run["failure"], run["doubts"], run["said"])
    assert {"run_id", "trace_id", "target", "scenario", "outcome", "failure", "started_at", "summary"} <= run.keys()
    assert len(run["turns"]) == 2
    chunks = [chunk for turn in run["turns"] for chunk in turn["chunks"]]
    assert all(chunk.keys() >= CHUNK_FIELDS for chunk in chunks)
    with wave.open(str(wav)) as file:
        assert file.getnframes() * 2 == sum(chunk["audio_bytes"] for chunk in chunks)
        assert file.getframerate() == 22000
    for turn in run["turns"]:
        assert turn["response_ttfb_ms"] > 0
        assert turn["response_ttfa_ms"] >= turn["response_ttfb_ms"]
    assert run["summary"]["audio_ms"] == pytest.approx(sum(chunk["audio_duration_ms"] or 0 for chunk in chunks))


@pytest.mark.parametrize("options", [(), ("--generation", "older")])
async def test_the_speech_is_understood(
    serve_tts: Callable[..., str], recogniser: Recogniser, tmp_path: Path, options: Any
) -> None:
    wav = tmp_path / "heard.wav"
    turn = (llm.chunk(SENTENCES[0]), llm.last_chunk(SENTENCES[1]))
    async with ScriptedLlm(LlmScript(turns=(turn,))) as server:
        code, run = await run_json(server.url, serve_tts(*options), "--save-audio", str(wav))
    assert code == 0
    assert [chunk["text"] for chunk in run["turns"][0]["chunks"]] == list(SENTENCES)
    with wave.open(str(wav)) as file:
        assert recogniser.understood(file.readframes(file.getnframes()), "".join(SENTENCES)) >= 0.7


@pytest.mark.parametrize(
    ("turn", "segments", "code", "outcome"),
    [
        ((llm.last_chunk("One two three."),), TtsTurn(), 0, "ok"),
        ((llm.last_chunk("One two three.", first=1.1),), TtsTurn(), 3, "slow"),
        (((Drop(),),), TtsTurn(), 1, "failed"),
        ((llm.last_chunk("One two three."),), TtsTurn(segments=(tts.pcm(bytes(8800)),)), 1, "failed"),
        (((llm.error("No slots available (max 1)"),),), TtsTurn(), 5, "skipped"),
    ],
)
async def test_exit_codes(turn: Any, segments: TtsTurn, code: int, outcome: str) -> None:
    async with (
        ScriptedLlm(LlmScript(turns=(turn,))) as llm_server,
        ScriptedTts(TtsScript(turns=(segments,))) as tts_server,
    ):
        objective_ms = 1000 if outcome == "slow" else 60_000
        got, run = await run_json(llm_server.url, tts_server.url, objective_ms=objective_ms)
    assert (got, run["outcome"]) == (code, outcome)


async def test_the_report_for_a_person() -> None:
    async with ScriptedLlm() as llm_server, ScriptedTts() as tts_server:
        code, out, err = await probe("run", "--llm-url", llm_server.url, "--tts-url", tts_server.url, "--verbose")
    assert (code, err) == (0, "")
    for expected in ("TIMELINE", "SUMMARY", "CHUNK BREAKDOWN", "★ Combined TTFB", "token ' Hello'", "inference_start"):
        assert expected in out
    assert "\x1b[" not in out


@pytest.mark.parametrize("terminal", [True, False])
async def test_what_it_waits_for_is_said_on_a_terminal_alone(terminal: bool) -> None:
    master, slave = pty.openpty()
    slow = LlmScript(turns=((llm.last_chunk(" Hello.", first=1.5),),))
    with os.fdopen(master, "rb", buffering=0) as read, os.fdopen(slave, "wb", buffering=0) as written:
        async with ScriptedLlm(slow) as llm_server, ScriptedTts() as tts_server, asyncio.timeout(60):
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "probe", "run", "--llm-url", llm_server.url, "--tts-url", tts_server.url,
                stdout=asyncio.subprocess.PIPE, stderr=written if terminal else asyncio.subprocess.PIPE,
                env={**os.environ, **PATIENT, "TERM": "xterm"},
            )  # fmt: skip
            out, err = await process.communicate()
        os.set_blocking(master, False)
        said = read.read(1 << 16) or b"" if terminal else err
    assert process.returncode in {0, 3}
    waits = re.findall(rb"\rwaiting for the first token of chunk 1: (\d\.\d) s of 60 s\x1b\[K", said)
    assert (len(waits) > 1 and waits == sorted(waits)) == terminal
    assert said.endswith(b"\r\x1b[K") if terminal else said == b"", "nothing is left behind"
    assert b"waiting for the first" not in out


async def test_nobody_listens_is_one_line() -> None:
    with refusing_port() as port:
        code, _, err = await probe("run", "--llm-url", f"ws://127.0.0.1:{port}/ws")
    assert code == 1
    assert len(err.splitlines()) == 1
    assert "is the server running?" in err


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGQUIT])
async def test_signal_after_signal_cuts_no_report(number: signal.Signals) -> None:
    """As a supervisor in a hurry sends them: within a moment they are one, also while the report is printed."""
    turn = (llm.last_chunk(*["word "] * 200, gap=0.05),)
    async with ScriptedLlm(LlmScript(turns=(turn,))) as llm_server, ScriptedTts() as tts_server:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", HURRIED, "run", "--llm-url", llm_server.url, "--tts-url", tts_server.url,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, env={**os.environ, "NUMBER": f"{number:d}"},
        )  # fmt: skip
        await llm_server.log.until(lambda entry: entry.kind == "text")
        for _ in range(10):
            process.send_signal(number)
        async with asyncio.timeout(60):
            out, err = await process.communicate()
        assert not llm_server.active_streams
    assert process.returncode == 130
    stopped, _, last = out.decode().splitlines()[-3:]
    assert stopped == "INTERRUPTED: the run was stopped before its end"
    assert last.startswith("trace ")
    assert err.decode().endswith("probe run: interrupted\n")


async def test_an_interrupt_at_any_moment_frees_the_slot_and_leaves_a_record() -> None:
    turn = (llm.chunk(*["word "] * 10, first=0.2, gap=0.03), llm.last_chunk(*["word "] * 10, gap=0.03))
    speech = TtsTurn(segments=(tts.speech(500, first=0.2, gap=0.02),))
    moments = random.Random(7)

    async def moment(server: ScriptedLlm, run: int) -> None:
        """From the first connection to the end of the second turn."""
        await server.log.until(lambda entry: entry in server.log.received("http")[run:])
        await asyncio.sleep(moments.uniform(0.0, 3.0))

    async with (
        ScriptedLlm(LlmScript(turns=(turn,))) as llm_server,
        ScriptedTts(TtsScript(turns=(speech,))) as tts_server,
    ):
        urls = ("--llm-url", llm_server.url, "--tts-url", tts_server.url)
        for _ in range(8):
            started = len(llm_server.log.received("http"))
            arguments = ("run", "--json", "--turns", "2", *urls)
            code, out, err = await probe(*arguments, until=moment(llm_server, started))
            record = json.loads(out)
            assert (code, record["failure"], record["skipped"]) in [(0, None, None), (130, None, "interrupted")], err
            assert not llm_server.active_streams
