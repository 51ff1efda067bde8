"""The container image: built on a Debian of our own, and run by an arbitrary user on a read-only root."""

import asyncio
import json
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import images
import patience
import pytest
from images import Builder, Image
from service import PATIENCE_S, eventually, page

from probe.history.reader import reading
from probe.reference.faults import ScriptedLlm, ScriptedTts

UID = 54_321
MOST_MB = 150
MOST_MB_OF_DEMO = 600
COMMIT = "0123456789ab"


@pytest.fixture(scope="module")
def builder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Builder]:
    folder = tmp_path_factory.mktemp("images")
    yield images.builder(request.config, folder)
    # Many copies of the base.
    shutil.rmtree(folder / "store")


@pytest.fixture(scope="module")
def base(request: pytest.FixtureRequest, builder: Builder) -> Path:
    return images.base(request.config, builder)


@pytest.fixture(scope="module")
def image(builder: Builder, base: Path) -> Image:
    del base
    name = images.built(builder, "daemon", COMMIT, "daemon.txt", "build.txt")
    about = images.configuration(builder, name)
    assert about["User"] == "65532:65532"
    assert about["Entrypoint"] == ["probe"] and about["Cmd"] == ["daemon"]
    assert about["Healthcheck"]["Test"] == ["CMD", "python", "-I", "/opt/voice-probe/health.py"]
    return images.image(builder, name)


@pytest.fixture(scope="module")
def demo_image(builder: Builder, base: Path) -> Image:
    del base
    name = images.built(builder, "demo", COMMIT, "daemon.txt", "build.txt", "voice.txt")
    about = images.configuration(builder, name)
    assert about["User"] == "65532:65532"
    assert about["Entrypoint"] == ["probe"] and about["Cmd"] == ["demo"]
    assert about["Healthcheck"]["Test"] == ["NONE"]
    return images.image(builder, name)


@pytest.fixture
def volume(tmp_path: Path) -> Path:
    """As an engine makes one: of root, with the mode that the folder has in the image."""
    made = tmp_path / "volume"
    made.mkdir()
    made.chmod(0o1777)
    return made


@pytest.fixture
def work(tmp_path: Path) -> Path:
    made = tmp_path / "root"
    made.mkdir()
    return made


def test_it_adds_little_to_its_base(base: Path, image: Image) -> None:
    added = images.megabytes(image.root) - images.megabytes(base)
    assert 10 < added < MOST_MB


def test_it_knows_its_commit_and_has_nothing_to_install_with(image: Image, work: Path, volume: Path) -> None:
    nothing_to_install_with(image, work, volume)


def nothing_to_install_with(image: Image, work: Path, volume: Path) -> None:
    said = images.run(*image.command(work, volume, UID, ["probe", "--version"]))
    assert said.endswith(f"(commit {COMMIT})\n")
    environment = image.root / "opt" / "voice-probe"
    assert not [*environment.glob("bin/pip*"), *environment.glob("lib/*/site-packages/setuptools*")]
    with pytest.raises(subprocess.CalledProcessError, match="exit status 1"):
        images.run(*image.command(work, volume, UID, ["python", "-c", "open('/opt/voice-probe/x', 'w')"]))


async def test_a_daemon_in_it_measures_keeps_and_ends(image: Image, work: Path, volume: Path) -> None:
    async with ScriptedLlm() as llm_server, ScriptedTts() as tts_server:
        settings = {
            "PROBE_TARGETS__LOCAL__LLM__URL": llm_server.url,
            "PROBE_TARGETS__LOCAL__TTS__URL": tts_server.url,
            "PROBE_HTTP__PORT": "0",
            "PROBE_LOG__FORMAT": "json",
        }
        for runs in (1, 2):
            inside = Image(image.root, {**image.environment, **settings})
            process = await asyncio.create_subprocess_exec(
                *inside.command(work, volume, UID, ["probe", "daemon"]), stdout=asyncio.subprocess.PIPE
            )
            try:
                await _measured(process, inside, work, volume)
            finally:
                with suppress(ProcessLookupError):
                    process.kill()
            with reading(volume / "state") as history:
                assert len([*history.runs()]) >= runs
    assert owner_and_mode(volume / "state") == (UID, 0o700)


def owner_and_mode(path: Path) -> tuple[int, int]:
    return path.stat().st_uid, path.stat().st_mode & 0o777


async def _measured(process: asyncio.subprocess.Process, image: Image, work: Path, volume: Path) -> None:
    assert process.stdout is not None
    async with asyncio.timeout(2 * PATIENCE_S):
        while (line := json.loads(await process.stdout.readline()))["event"] != "started":
            pass
        port = line["http_port"]
        await eventually(lambda: page(port, "/readyz")[0] == 200)
        environment = {**image.environment, "PROBE_HTTP__PORT": str(port)}
        health = Image(image.root, environment).command(
            work, volume, UID, ["python", "-I", "/opt/voice-probe/health.py"]
        )
        await asyncio.to_thread(images.run, *health)
        process.send_signal(signal.SIGTERM)
        await process.stdout.read()
        assert await process.wait() == 0


# The image is built again, and then a daemon measures twice.
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("options", [(), ("--voice",)])
def test_the_demo_in_its_image(
    base: Path, demo_image: Image, work: Path, volume: Path, options: tuple[str, ...]
) -> None:
    added = images.megabytes(demo_image.root) - images.megabytes(base)
    assert added < MOST_MB_OF_DEMO
    nothing_to_install_with(demo_image, work, volume)
    patient = replace(demo_image, environment={**demo_image.environment, **patience.PATIENT_ENVIRONMENT})
    demo = patient.command(work, volume, UID, ["probe", "demo", "--runs", "1", *options])
    said = images.run(*images.without_network(demo))
    assert "TIMELINE" in said and "ALL RUNS:" in said
    assert ("THE WHOLE WAIT" in said) == ("--voice" in options)
    assert owner_and_mode(volume / "demo-output" / "state") == (UID, 0o700)
    with reading(volume / "demo-output" / "state") as history:
        measured = [record for record in history.runs() if record.skipped is None]
    # How long it took is the machine's affair.
    assert measured and all(record.failure is None for record in measured)
    assert [*(volume / "demo-output" / "audio").glob("*.wav")]
