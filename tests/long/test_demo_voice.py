"""`probe demo --voice`, as `make demo ARGS=--voice` runs it: a real recogniser, LLM and voice, asked by voice."""

import os
import re
import subprocess
import sys
from pathlib import Path

import patience

PATIENCE_S = 300


def test_it_is_asked_by_voice_and_explains_the_whole_wait(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "probe", "demo", "--voice", "--runs", "1", "--output", str(tmp_path / "out")]
    environment = {**os.environ, **patience.PATIENT_ENVIRONMENT}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=PATIENCE_S, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    # How long each part took is the machine's affair.
    for expected in ("The server found the end of the speech", "WATERFALL", "Voice to voice:", "THE WHOLE WAIT"):
        assert expected in done.stdout
    assert re.search(r"In run 1 a person would have waited \d+ms:", done.stdout)
    understood = re.search(r'It understood "([^"]*)" of "What is the capital of France\?"', done.stdout)
    assert understood is not None and {"capital", "france"} <= set(understood[1].split())
    metrics = (tmp_path / "out" / "metrics.txt").read_text()
    assert re.search(r'voice_probe_[a-z_]*voice_to_voice[a-z_]*\{[^}]*target="voice"', metrics)
