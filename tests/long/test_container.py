"""The container image: built on a Debian of our own, and run by an arbitrary user on a read-only root."""

import asyncio
import json
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import images
import pytest
from images import Image
from released import ROOT
from service import PATIENCE_S, eventually, page

from probe.history.reader import reading
from probe.reference.faults import ScriptedLlm, ScriptedTts

UID = 54_321
MOST_MB = 150
COMMIT = "0123456789ab"


@pytest.fixture(scope="module")
def base_and_image(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Path, Image]]:
    folder = tmp_path_factory.mktemp("images")
    builder = images.builder(request.config, folder)
    base = images.base(request.config, builder)
    locks = (ROOT / "requirements" / name for name in ("daemon.txt", "build.txt"))
    wheels = images.wheels(folder / "wheels", *locks)
    pip = folder / "pip.conf"
    pip.write_text("[global]\nno-index = true\nfind-links = /wheels\n")
    builder.run(
        "bud", "--isolation", "chroot", "--pull-never", "--format", "docker", f"--secret=id=pip,src={pip}",
        f"--volume={wheels}:/wheels:ro", f"--build-arg=BASE={images.BASE}", f"--build-arg=COMMIT={COMMIT}",
        "-f", ROOT / "deploy" / "Containerfile", "-t", "localhost/voice-probe", ROOT,
    )  # fmt: skip
    container = builder.run("from", "--pull-never", "localhost/voice-probe")
    about = json.loads(builder.run("inspect", "--type", "image", "localhost/voice-probe"))["Docker"]["config"]
    assert about["User"] == "65532:65532"
    assert about["Entrypoint"] == ["probe"] and about["Cmd"] == ["daemon"]
    assert about["Healthcheck"]["Test"] == ["CMD", "python", "-I", "/opt/voice-probe/health.py"]
    environment = dict(each.split("=", 1) for each in about["Env"])
    yield base, Image(Path(builder.run("mount", container)), environment)
    # Some copies of the base.
    shutil.rmtree(folder / "store")


@pytest.fixture
def image(base_and_image: tuple[Path, Image]) -> Image:
    return base_and_image[1]


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


def megabytes(folder: Path) -> float:
    # Entries of /proc and /dev are none of the image's.
    return sum(each.lstat().st_size for each in folder.rglob("*") if each.is_file() or each.is_symlink()) / 1e6


def test_it_adds_little_to_its_base(base_and_image: tuple[Path, Image]) -> None:
    base, image = base_and_image
    added = megabytes(image.root) - megabytes(base)
    assert 10 < added < MOST_MB


def test_it_knows_its_commit_and_has_nothing_to_install_with(image: Image, work: Path, volume: Path) -> None:
    said = images.run(*image.command(work, volume, UID, ["probe", "--version"]))
    assert said.endswith(f"(commit {COMMIT})\n")
    assert not [*(image.root / "opt" / "voice-probe" / "bin").glob("pip*")]
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
