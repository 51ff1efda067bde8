"""`probe init` at servers that answer by script: who is found, and that nobody was made to work."""

import asyncio
import json
import sys
import tomllib
from pathlib import Path

import pytest
from other_speech import VOICE, piper
from others import llama_server, llama_url

from probe.cli.lookout import Asked, Place, look, to_ask
from probe.protocols.inquiries import Sign
from probe.protocols.registry import PROTOCOLS, STT, TTS
from probe.reference.faults import ScriptedHttp, refusing_port
from probe.reference.faults.wyoming import ScriptedWyoming
from probe.reference.faults.wyoming_hearing import ScriptedHearing


async def test_each_server_is_found_at_its_port_as_what_it_is_and_does_no_work() -> None:
    async with ScriptedHttp() as http, ScriptedWyoming() as wyoming, ScriptedHearing() as hearing:
        with refusing_port() as closed:
            known = tuple((role, each) for role, protocols in PROTOCOLS.items() for each in protocols.values())
            seen = await look(
                [
                    Asked("127.0.0.1", http.port, known),
                    # Its script knows nothing else.
                    Asked("127.0.0.1", wyoming.port, (("tts", TTS["wyoming"]),)),
                    Asked("127.0.0.1", hearing.port, (("tts", TTS["wyoming"]), ("stt", STT["wyoming"]))),
                    Asked("127.0.0.1", closed, known),
                ]
            )
        found = {(each.role, each.protocol.name): each for each in seen}
        assert set(found) == {("llm", "openai_chat"), ("tts", "openai_speech"), ("tts", "wyoming"), ("stt", "wyoming")}
        assert (found["stt", "wyoming"].url, found["stt", "wyoming"].sign) == (hearing.url, Sign("scripted", "1.3"))
        piper = found["tts", "wyoming"]
        assert (piper.url, piper.sign, piper.voices) == (wyoming.url, Sign("scripted", "1.2"), ("aria", "leo"))
        assert found["tts", "openai_speech"].voices == ("aria", "leo")
        assert found["llm", "openai_chat"].cold is False
        # PRI is how HTTP/2 begins, whatever is asked for; there are no other requests in it that are answered.
        assert {each.data.split()[0] for each in http.log.received("http")} <= {b"GET", b"PRI", b"SM"}
        assert {each.json["type"] for each in wyoming.log.received("event")} == {"describe"}


@pytest.mark.servers
async def test_servers_of_others_are_found_as_what_they_are(tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("llama", "piper")]
    for folder in folders:
        folder.mkdir()
    with llama_server(folders[0]) as running, piper(folders[1]) as spoken:
        places = [Place("127.0.0.1", int(url.rpartition(":")[2])) for url in (llama_url(running), spoken)]
        llama, voice = await look(to_ask(places))
    assert (llama.protocol.name, llama.sign.program, llama.cold) == ("openai_chat", "llama.cpp", False)
    assert len(llama.sign.models) == 1
    assert (voice.protocol.name, voice.name) == ("wyoming", "piper 2.5.2")
    assert VOICE in voice.voices


async def test_a_file_is_written_and_measured_with(tmp_path: Path) -> None:
    path = tmp_path / "probe.toml"
    async with ScriptedHttp() as http:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "probe", "init", "--host", f"127.0.0.1:{http.port}", "--yes", "--json",
            "--output", str(path), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        output, errors = await asyncio.wait_for(process.communicate(), 60)
        assert process.returncode in (0, 3, 4), errors.decode()
        document = json.loads(output)
        # Whatever else listens on this machine may have been found first.
        (target,) = tomllib.loads(path.read_text())["targets"].values()
        assert {role: each["url"] for role, each in document["chosen"].items()} == {
            role: target[role]["url"] for role in document["chosen"]
        }
        assert document["run"]["turns"]
