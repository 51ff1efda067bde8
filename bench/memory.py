"""How much memory does a daemon take that measures targets of both pairs of protocols?

A real `probe daemon` with history, histograms, log and `/metrics`, which is scraped once a second: a target of the
founding pair and one of the OpenAI-compatible pair, each measured every second, on scripted servers in another process.
Once for each exporter of spans. Resident memory after so many seconds, and the most that it was.

    make bench-memory
"""

import argparse
import contextlib
import multiprocessing
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from scrape_lag import scrape
from scripted_servers import Addresses, servers

from probe.cli.processes import free_port
from probe.history.reader import reading
from probe.measures import outcome

EXPORTERS = ("http", "grpc", "none")
START_S = 3.0
LIMIT_MB = 80.0


def write_config(folder: Path, at: Addresses, exporter: str, port: int) -> Path:
    path = folder / "probe.toml"
    targets = {"founding": (at.llm_url, at.tts_url), "openai": (at.openai_url, at.openai_url)}
    tables = [
        f'[targets.{name}]\nllm = {{ url = "{llm_url}" }}\ntts = {{ url = "{tts_url}" }}\n'
        f'[schedules.{name}]\ntarget = "{name}"\nevery_s = 1'
        for name, (llm_url, tts_url) in targets.items()
    ]
    endpoint = f'\nendpoint = "{at.collector_url}"' if exporter == "http" else ""
    rest = f'[daemon]\nstate_dir = "{folder}/state"\n[http]\nport = {port}\n[otlp]\nprotocol = "{exporter}"{endpoint}'
    path.write_text("\n".join([*tables, rest, '[log]\nformat = "json"']))
    return path


def memory_mb(pid: int) -> tuple[float, float]:
    """What is resident now, and the most that ever was."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    fields = dict(line.split(":", 1) for line in lines)
    now, most = (int(fields[name].split()[0]) * 1024 / 1e6 for name in ("VmRSS", "VmHWM"))
    return now, most


def measure(exporter: str, seconds: float) -> None:
    port = free_port(9850)
    with servers() as at, tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        command = [sys.executable, "-m", "probe", "daemon", "--config", str(write_config(folder, at, exporter, port))]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            time.sleep(START_S)
            with scraped(port):
                time.sleep(seconds)
                now, most = memory_mb(process.pid)
        finally:
            process.terminate()
            process.wait(15)
        with reading(folder / "state") as history:
            ended = [(record.plan.target.name, outcome(record)) for record in history.runs(limit=10**6)]
    counts = ", ".join(f"{ended.count(each)} {' '.join(each)}" for each in sorted(set(ended)))
    print(f"spans by {exporter:5} {now:6.1f} MB, {most:6.1f} MB at most, {LIMIT_MB:g} MB wanted; runs: {counts}",
          flush=True)  # fmt: skip


@contextlib.contextmanager
def scraped(port: int) -> Iterator[None]:
    process = multiprocessing.get_context("spawn").Process(target=scrape, args=(port, 1.0), daemon=True)
    process.start()
    yield
    process.terminate()
    process.join()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0)
    seconds = parser.parse_args().seconds
    for exporter in EXPORTERS:
        measure(exporter, seconds)


if __name__ == "__main__":
    main()
