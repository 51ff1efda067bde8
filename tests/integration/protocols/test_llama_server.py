"""What only llama.cpp's own program shows: a key that it wants, and the time before its model is loaded."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import patience
import pytest
from others import free_port, llama_server, llama_url

from probe import config
from probe.daemon import questions
from probe.daemon.attempt import Attempt, attempt
from probe.daemon.plans import entries
from probe.daemon.reports import Reports
from probe.measures import measure_run
from probe.outside import outside_ms
from probe.plan import Target
from probe.reference.faults import ScriptedTts
from probe.server_state import ServerFigures

pytestmark = pytest.mark.servers

KEY = "a-key-of-the-test"
WITH_KEY = f'headers = {{ authorization = "Bearer {KEY}" }}\n'
Settings = Callable[[str, str], config.Config]


@pytest.fixture(scope="module")
def guarded_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server that answers nobody without the key."""
    with llama_server(tmp_path_factory.mktemp("llama"), "--api-key", KEY, "--metrics") as server:
        yield llama_url(server)


@pytest.fixture
async def settings(tmp_path: Path) -> AsyncIterator[Settings]:
    async with ScriptedTts() as tts:
        yield lambda url, headers: load(tmp_path / "probe.toml", url, headers, tts.url)


def load(path: Path, url: str, headers: str, tts_url: str) -> config.Config:
    path.write_text(
        "[targets.t]\nobjective_ms = 60000\nlimits = { connect_s = 60, llm_s = 60, tts_s = 60, run_s = 150 }\n"
        f'[targets.t.llm]\nurl = "{url}/v1"\nmax_tokens = 20\n{headers}[targets.t.tts]\nurl = "{tts_url}"\n'
        f"[courtesy]\nmax_wait_s = 0\n{patience.PATIENT_TOML}"
    )
    return config.load(path)


async def attempted(settings: config.Config) -> Attempt:
    (entry,) = entries(settings)
    done = await attempt(entry, settings, asyncio.Event())
    assert done is not None
    return done


def target_of(settings: config.Config) -> Target:
    (entry,) = entries(settings)
    return entry.target


@asynccontextmanager
async def a_user(url: str) -> AsyncIterator[None]:
    """Somebody else who keeps the only slot at work."""
    at = urlsplit(url)
    reader, writer = await asyncio.open_connection(at.hostname, at.port)
    body = json.dumps({"prompt": "Once upon a time", "stream": True, "ignore_eos": True, "n_predict": -1})
    head = f"POST /completion HTTP/1.1\r\nHost: {at.netloc}\r\nAuthorization: Bearer {KEY}\r\n"
    writer.write(f"{head}Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode())
    try:
        async with asyncio.timeout(60):
            await reader.readuntil(b"data: ")
        yield
    finally:
        writer.transport.abort()


async def test_without_the_key_it_refuses_the_run(guarded_url: str, settings: Settings) -> None:
    done = await attempted(settings(guarded_url, ""))
    assert done.record.failure is not None
    assert (done.record.failure.stage, done.record.failure.reason) == ("llm", "unauthorized")
    assert "HTTP 401" in done.record.failure.detail and "Invalid API Key" in " ".join(done.record.said)
    assert done.unknown_users is True


async def test_with_the_key_it_is_measured_and_asked(guarded_url: str, settings: Settings) -> None:
    done = await attempted(settings(guarded_url, WITH_KEY))
    assert done.record.failure is None, done.record.failure
    assert (done.unknown_users, done.record.cold) == (False, False)
    assert done.record.served.model is not None and done.record.served.build is not None
    assert done.record.reported["llm"] == ServerFigures(running=0, waiting=0)
    (turn,) = done.record.turns
    assert turn.prompt_tokens is not None and turn.cached_tokens is not None
    assert 0 <= turn.cached_tokens <= turn.prompt_tokens
    assert outside_ms(turn, measure_run(done.record)[0]) is not None


async def test_with_the_key_its_users_come_first(guarded_url: str, settings: Settings) -> None:
    usual = settings(guarded_url, WITH_KEY)
    async with a_user(guarded_url):
        done = await attempted(usual)
    assert done.record.skipped is not None and done.record.skipped.startswith("1 stream in use")
    assert done.record.reported["llm"].running == 1
    reports = Reports(target_of(usual))
    (asked,) = reports.about_users()
    async with asyncio.timeout(60):
        while await reports.users(asked):
            pass


async def test_while_it_loads_its_model_it_is_cold_and_a_run_says_so(tmp_path: Path, settings: Settings) -> None:
    """It listens before its model is loaded, for less than a second: where that was missed, it is started again."""
    seen: list[tuple[bool | None, str | None]] = []
    for _ in range(10):
        port = free_port()
        usual = settings(f"http://127.0.0.1:{port}", "")
        with llama_server(tmp_path, "--port", str(port)):
            seen.append(await first_words(usual))
        if seen[-1] == (True, "loading"):
            return
    pytest.fail(f"it was never seen loading: {seen}")


async def first_words(settings: config.Config) -> tuple[bool | None, str | None]:
    """What the record of the first run after it began to listen says: whether it is cold, and why the run failed."""
    async with asyncio.timeout(60):
        while await questions.cold(target_of(settings)) is None:
            pass
    record = (await attempted(settings)).record
    return record.cold, None if record.failure is None else record.failure.reason
