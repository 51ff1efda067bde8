"""What does a box cost a central store: series, samples per second, bytes per sample?

Boxes as their metrics pages, each with one target on which a run ends every second, scraped through one vmagent per
half of them into VictoriaMetrics, all on this machine. Needs the three programs of Debian's package victoria-metrics.

    python bench/fleet.py --binaries FOLDER --boxes 50 --minutes 3
"""

import argparse
import json
import os
import random
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import urlencode
from urllib.request import urlopen

from probe.config import ScenarioConfig, TargetConfig
from probe.daemon.composition import pages
from probe.daemon.health import Health
from probe.daemon.http_server import HttpServer
from probe.metrics.observations import SERIES
from probe.metrics.registry import Metrics
from probe.plan import new_plan
from probe.protocols.registry import answering
from probe.record import AudioAnalysis, Chunk, RunRecord, Turn

EVERY_S = 1.0
MS = 1_000_000
_TICKS = os.sysconf("SC_CLK_TCK")


def run() -> RunRecord:
    """One that is ok, with one chunk and a latency by chance."""
    plan = new_plan(TargetConfig().record("local"), ScenarioConfig().record("default"))
    start = time.time_ns()
    heard = start + random.randint(200, 900) * MS  # noqa: S311 - no secret
    chunk = Chunk(
        chunk_num=1, inference_start=start, llm_first_token=start + 50 * MS, llm_done=start + 90 * MS,
        tts_text_sent=start + 90 * MS, tts_first_audio=heard, tts_last_audio=heard + MS, tts_segment_done=heard + MS,
        text="so", token_count=4, final=True, segment_end="marker", sample_rate=22_000, audio_bytes=44_000,
        frames=((heard, 44_000),), sound=AudioAnalysis(22_000, 0, 0.2, 0.6, 0.98),
    )  # fmt: skip
    return RunRecord(plan, start, heard + 2 * MS, turns=(Turn(1, "", (chunk,), done=heard + 2 * MS),))


@contextmanager
def program(binaries: Path, name: str, folder: Path, *arguments: str) -> Iterator[int]:
    """A process until the context ends; its id."""
    with (folder / f"{name}.log").open("ab") as log:
        process = subprocess.Popen([binaries / name, *arguments], stdout=log, stderr=log)
    try:
        yield process.pid
    finally:
        process.terminate()
        process.wait(30)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
    return port


def asked(port: int, query: str) -> float:
    address = f"http://127.0.0.1:{port}/api/v1/query?{urlencode({'query': query, 'nocache': '1'})}"
    with urlopen(address, timeout=30) as answer:
        found = json.load(answer)["data"]["result"]
    return float(found[0]["value"][1]) if found else 0.0


def own(port: int, *names: str) -> float:
    """The sum of what a store says of itself."""
    with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as answer:
        lines = answer.read().decode().splitlines()
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(names))


def used(pid: int) -> tuple[float, float]:
    """CPU seconds and resident megabytes of a process."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS, int(fields[21]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def boxes(count: int) -> list[tuple[Metrics, HttpServer]]:
    target = TargetConfig().record("local")
    made = []
    for _ in range(count):
        metrics = Metrics("bench", ["history", "histograms", "drift", "spans", "log", "audio"])
        metrics.expect([("local", "default")], SERIES[answering(target)], [*target.servers])
        http = HttpServer("127.0.0.1", 0, pages(metrics, Health()))
        http.start()
        made.append((metrics, http))
    return made


def measure_forever(made: list[tuple[Metrics, HttpServer]]) -> None:
    while True:
        time.sleep(EVERY_S)
        for metrics, _ in made:
            metrics.write(run())


def scraping(ports: list[tuple[int, int]]) -> str:
    """The configuration of an agent, as JSON, which is YAML."""
    jobs = [
        {"targets": [f"127.0.0.1:{port}"], "labels": {"site": "bench", "box": f"box-{number}"}}
        for number, port in ports
    ]
    scrape = {"job_name": "voice-probe", "static_configs": jobs}
    return json.dumps({"global": {"scrape_interval": f"{EVERY_S:g}s"}, "scrape_configs": [scrape]})


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--binaries", type=Path, required=True, help="the folder with the three programs")
    parser.add_argument("--boxes", type=int, default=50)
    parser.add_argument("--minutes", type=float, default=3.0)
    options = parser.parse_args()
    made = boxes(options.boxes)
    threading.Thread(target=measure_forever, args=(made,), daemon=True).start()
    store = free_port()
    with tempfile.TemporaryDirectory() as work, ExitStack() as running:
        folder = Path(work)
        begin = running.enter_context
        data = (f"-storageDataPath={folder / 'store'}", f"-httpListenAddr=127.0.0.1:{store}")
        pids = {
            "store": begin(program(options.binaries, "victoria-metrics", folder, *data, "-search.latencyOffset=1s"))
        }
        ports = [(number, http.port) for number, (_, http) in enumerate(made)]
        for half in (0, 1):
            file = folder / f"agent-{half}.yml"
            file.write_text(scraping(ports[half::2]))
            agent = (
                f"-promscrape.config={file}", f"-remoteWrite.url=http://127.0.0.1:{store}/api/v1/write",
                f"-remoteWrite.tmpDataPath={folder / file.stem}", f"-httpListenAddr=127.0.0.1:{free_port()}",
            )  # fmt: skip
            pids[f"agent {half}"] = begin(program(options.binaries, "vmagent", folder, *agent))
        time.sleep(30)
        before = {name: used(pid)[0] for name, pid in pids.items()}
        rows, began = own(store, "vm_rows_inserted_total"), time.monotonic()
        time.sleep(options.minutes * 60)
        took, rows = time.monotonic() - began, own(store, "vm_rows_inserted_total") - rows
        series = asked(store, 'count({box!=""})')
        urlopen(f"http://127.0.0.1:{store}/internal/force_merge", timeout=60).close()
        time.sleep(10)
        stored, kept = own(store, 'vm_data_size_bytes{type="storage'), own(store, 'vm_rows{type="storage')
        print(f"{options.boxes} boxes: {series / options.boxes:.0f} series per box, {rows / took:.0f} samples/s")
        print(f"stored: {stored / kept:.2f} bytes per sample, of {kept:.0f} samples")
        for name, pid in pids.items():
            cpu, resident = used(pid)
            share = (cpu - before[name]) / took
            each = 1e6 * share / (rows / took)
            print(f"{name}: {100 * share:.1f} % of a core, {each:.1f} µs per sample, {resident:.0f} MB")


if __name__ == "__main__":
    main()
