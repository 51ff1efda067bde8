"""`probe web` as a process, on a port of loopback."""

import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_STARTS_S = 60


@dataclass(frozen=True)
class Served:
    """`address` is what it printed, with its key; `base` is that without path and key."""

    process: "subprocess.Popen[str]"
    address: str

    @property
    def base(self) -> str:
        return re.match(r"https?://[^/]+", self.address)[0]  # type: ignore[index]  # it printed one

    @property
    def port(self) -> int:
        return int(self.base.rpartition(":")[2])

    def stop(self) -> int:
        """End it as systemd would; its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(_STARTS_S)


@contextmanager
def served(state_dir: Path, *options: str) -> Iterator[Served]:
    command = [sys.executable, "-m", "probe", "web", "--port", "0", "--state-dir", str(state_dir), *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            # It is listening by then.
            line = process.stdout.readline()
            assert line, "it printed no address"
            yield Served(process, line.strip())
        finally:
            process.kill()
