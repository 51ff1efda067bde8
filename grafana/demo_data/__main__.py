"""Keep a Prometheus that holds a case running: `python -m demo_data CASE` prints its address, and one to look at."""

import argparse
import shutil
import signal
import socket
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from demo_data.cases import CASES, MINUTE
from demo_data.tsdb import living_prometheus

DEPLOY = Path(__file__).parents[2] / "deploy"
# Where Grafana's data source in grafana/provisioning looks.
USUAL_PORT = 9090
SHOWN = {
    "prometheus": "voice_probe:stage_seconds:p50_30m",
    "fleet": "voice_probe_fleet:box_first_audio_seconds:p50_30m",
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="demo_data", description=__doc__)
    parser.add_argument("case", choices=CASES)
    parser.add_argument("--binaries", type=Path, default=Path(shutil.which("promtool") or "promtool").parent)
    parser.add_argument("--port", type=int, help=f"{USUAL_PORT}, or any where that is taken")
    arguments = parser.parse_args()
    port = _usual_port() if arguments.port is None else arguments.port
    for ends in (signal.SIGINT, signal.SIGTERM):
        signal.signal(ends, lambda *_: sys.exit())
    case = replace(CASES[arguments.case], end_s=time.time() // MINUTE * MINUTE)
    with (
        tempfile.TemporaryDirectory() as folder,
        living_prometheus(case, arguments.binaries.resolve(), Path(folder), DEPLOY / case.rules, port) as url,
    ):
        _say(f"Prometheus, until Ctrl-C: {url}\nLook at it: {_to_look_at(url, SHOWN[case.rules])}")
        signal.pause()


def _usual_port() -> int:
    with socket.socket() as tried:
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            tried.bind(("127.0.0.1", USUAL_PORT))
        except OSError:
            return 0
    return USUAL_PORT


def _to_look_at(url: str, shown: str) -> str:
    """A graph, where this Prometheus has the pages for it: Debian's, unpacked without being installed, has not."""
    graph = f"{url}/graph?g0.expr={shown}&g0.tab=0&g0.range_input=6h"
    try:
        with urlopen(graph, timeout=10):
            return graph
    except URLError:
        return f"{url}/api/v1/query?query={shown}"


def _say(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - what it is for


if __name__ == "__main__":
    main()
