"""`probe demo`, as `make demo` runs it: everything real, and nothing left behind."""

import os
import signal
import socket
import subprocess
import sys
import time
import wave
from contextlib import suppress
from pathlib import Path

import patience
import pytest

pytestmark = pytest.mark.timeout(150)


def start(output: Path, *options: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "probe", "demo", "--output", str(output), *options]
    # The daemon shares the machine with other tests here: it may well be slower than a measurement should allow.
    environment = {**os.environ, **patience.PATIENT_ENVIRONMENT}
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment, start_new_session=True
    )


def children(pid: int) -> list[int]:
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    # One whose new parent does not wait for it stays a zombie.
    return state != "Z"


def test_the_demo_measures_reports_and_saves(tmp_path: Path) -> None:
    output = tmp_path / "out"
    with start(output, "--runs", "1") as process:
        out, err = process.communicate(timeout=120)
    assert process.returncode == 0, out + err
    for expected in ("TIMELINE", "SUMMARY", "ALL RUNS:", "probe history --state-dir"):
        assert expected in out
    table = [line.split()[:2] for line in out.partition("ALL RUNS:")[2].splitlines()]
    # Where one is slow, the other may be measured once more meanwhile.
    assert ["chunked", "1"] in table and ["openai", "1"] in table
    recorded = list((output / "audio").glob("*.wav"))
    assert len(recorded) >= 2
    for audio in recorded:
        with wave.open(str(audio)) as file:
            assert file.getnframes() > 0
    metrics = (output / "metrics.txt").read_text()
    for target in ("chunked", "openai"):
        assert f'voice_probe_up{{scenario="default",target="{target}"}} 1.0' in metrics


def servers_and_daemon(process: "subprocess.Popen[str]") -> list[int]:
    """Wait for all four."""
    deadline = time.monotonic() + 60
    while len(found := children(process.pid)) < 4:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline, "the servers and the daemon are not all there"
        time.sleep(0.1)
    return found


def test_a_killed_demo_leaves_no_process_and_gave_way_on_a_port(tmp_path: Path) -> None:
    with socket.socket() as taken:
        held = False
        with suppress(OSError):  # where it is another's, that may be over before the demo looks
            taken.bind(("127.0.0.1", 9850))
            taken.listen()
            held = True
        with start(tmp_path / "out", "--keep") as process:
            left = servers_and_daemon(process)
            process.kill()
            process.communicate(timeout=30)
        assert not held or "port = 9850" not in (tmp_path / "out" / "probe.toml").read_text()
    deadline = time.monotonic() + 30
    while any(alive(pid) for pid in left):
        assert time.monotonic() < deadline, left
        time.sleep(0.1)


def test_an_ended_demo_leaves_no_process(tmp_path: Path) -> None:
    with start(tmp_path / "out", "--keep") as process:
        servers = servers_and_daemon(process)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)
    # A shell shows both as 130: which one it is depends on where in its start the interrupt met it.
    assert process.returncode in (130, -signal.SIGINT)
    assert [pid for pid in servers if alive(pid)] == []
