"""What does a fleet of real daemons cost, and does it lose anything while the store is away?

Real `probe daemon` processes on scripted servers, one target each, scraped through two vmagents into VictoriaMetrics,
whose rules vmalert evaluates, all on this machine. The store is stopped for a while and started again. Then the
daemons lose their schedule, and the contents of the store are compared with what each daemon shows. Needs the
programs of Debian's package victoria-metrics.

    python bench/fleet_daemons.py --binaries FOLDER --boxes 50 --outage-minutes 10
"""

import argparse
import json
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import median
from urllib.parse import urlencode
from urllib.request import urlopen

from fleet import asked, free_port, own, program, used
from prometheus_client.parser import text_string_to_metric_families as parse
from scripted_servers import Addresses, servers

RULES = Path(__file__).parents[1] / "deploy" / "fleet" / "voice_probe_fleet.yml"
SCRAPE_S = 15.0
# What is compared: every run, by outcome, and every observation.
COUNTED = ("voice_probe_runs_total", "voice_probe_combined_ttfb_seconds_bucket", "voice_probe_tts_ttfb_seconds_count")
PATIENCE_S = 1800.0
# So many daemons start at once.
TOGETHER = 10


@dataclass(frozen=True)
class Box:
    """A daemon with its configuration."""

    number: int
    process: subprocess.Popen[bytes]
    file: Path
    port: int

    def page(self) -> str:
        with urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=30) as answer:
            text: str = answer.read().decode()
        return text


def configuration(at: Addresses, folder: Path, number: int, port: int, schedule: str) -> str:
    return (
        f'[targets.local]\nllm_url = "{at.llm_url}"\ntts_url = "{at.tts_url}"\n{schedule}\n'
        f'[daemon]\nstate_dir = "{folder / f"state-{number}"}"\n[http]\nport = {port}\n'
        f'[otlp]\nendpoint = "{at.collector_url}"\n[log]\nformat = "json"\n'
    )


@contextmanager
def daemon(at: Addresses, folder: Path, number: int, schedule: str) -> Iterator[Box]:
    """A daemon until the context ends; it may not answer yet."""
    file, port = folder / f"box-{number}.toml", free_port()
    file.write_text(configuration(at, folder, number, port, schedule))
    command = [sys.executable, "-m", "probe", "daemon", "--config", str(file)]
    with (folder / f"box-{number}.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    box = Box(number, process, file, port)
    try:
        yield box
    finally:
        process.terminate()
        process.wait(30)


def answers(box: Box) -> bool:
    try:
        return bool(box.page())
    except OSError:
        return False


def wait_until(done: Callable[[], bool], complaint: str) -> None:
    ends = time.monotonic() + PATIENCE_S
    while not done():
        if time.monotonic() > ends:
            raise SystemExit(complaint)
        time.sleep(1)


def scraping(boxes: list[Box]) -> str:
    """The configuration of an agent, as JSON, which is YAML."""
    jobs = [
        {"targets": [f"127.0.0.1:{box.port}"], "labels": {"site": "bench", "box": f"box-{box.number}"}} for box in boxes
    ]
    scrape = {"job_name": "voice-probe", "static_configs": jobs}
    return json.dumps({"global": {"scrape_interval": f"{SCRAPE_S:g}s"}, "scrape_configs": [scrape]})


class Store:
    """The store, on the same folder each time."""

    def __init__(self, binaries: Path, folder: Path) -> None:
        self.port = free_port()
        self._binaries = binaries
        self._folder = folder
        self._running = ExitStack()
        self.pid = 0

    def start(self) -> None:
        data = f"-storageDataPath={self._folder / 'store'}"
        address = f"-httpListenAddr=127.0.0.1:{self.port}"
        self.pid = self._running.enter_context(
            program(self._binaries, "victoria-metrics", self._folder, data, address, "-search.latencyOffset=1s")
        )

    def stop(self) -> None:
        self._running.close()

    def latest(self) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
        """The last value of each series that is compared."""
        names = "|".join(COUNTED)
        query = f'last_over_time({{__name__=~"{names}",site="bench"}}[1h])'
        address = f"http://127.0.0.1:{self.port}/api/v1/query?{urlencode({'query': query, 'nocache': '1'})}"
        with urlopen(address, timeout=120) as answer:
            found = json.load(answer)["data"]["result"]
        return {
            (labels.pop("__name__"), frozenset(labels.items())): float(each["value"][1])
            for each in found
            if (labels := each["metric"])
        }

    def longest_gap_s(self, since: float) -> tuple[float, int]:
        """The longest time between two samples of a box since then, and how many samples there are."""
        wanted = {"match[]": 'voice_probe_build_info{site="bench"}', "start": f"{since:.0f}"}
        with urlopen(f"http://127.0.0.1:{self.port}/api/v1/export?{urlencode(wanted)}", timeout=120) as answer:
            lines = [json.loads(line)["timestamps"] for line in answer.read().decode().splitlines()]
        gaps = [(later - sooner) / 1000 for line in lines for sooner, later in pairwise(line)]
        return max(gaps, default=0.0), sum(map(len, lines))


def shown(boxes: list[Box]) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """What the daemons themselves show, with the labels of the store, without empty labels."""
    found = {}
    for box in boxes:
        own_labels = {("site", "bench"), ("box", f"box-{box.number}"), ("job", "voice-probe")}
        labels = own_labels | {("instance", f"127.0.0.1:{box.port}")}
        for family in parse(box.page()):
            for sample in family.samples:
                if sample.name in COUNTED:
                    of_sample = {(name, text) for name, text in sample.labels.items() if text}
                    found[sample.name, frozenset(labels | of_sample)] = sample.value
    return found


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--binaries", type=Path, required=True, help="the folder with the four programs")
    parser.add_argument("--boxes", type=int, default=50)
    parser.add_argument("--every-s", type=float, default=60.0, help="from one run of a daemon to the next")
    parser.add_argument("--steady-minutes", type=float, default=2.0)
    parser.add_argument("--outage-minutes", type=float, default=10.0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as work, servers() as at, ExitStack() as running:
        folder = Path(work)
        schedule = f"[schedules.a]\nevery_s = {options.every_s}\nphase_s = "
        boxes: list[Box] = []
        for number in range(options.boxes):
            phase_s = options.every_s * number / options.boxes
            boxes.append(running.enter_context(daemon(at, folder, number, f"{schedule}{phase_s}")))
            if len(boxes) % TOGETHER == 0 or len(boxes) == options.boxes:
                wait_until(lambda: all(map(answers, boxes)), "a daemon does not start")
                print(f"{time.strftime('%H:%M:%S')} {len(boxes)} daemons answer", file=sys.stderr)
        store = Store(options.binaries, folder)
        store.start()
        running.callback(store.stop)
        agents = [running.enter_context(agent(options.binaries, folder, half, boxes, store.port)) for half in (0, 1)]
        running.enter_context(judging(options.binaries, folder, store.port))
        time.sleep(2 * SCRAPE_S)
        steady(boxes, agents, store, options.steady_minutes * 60)
        down = time.time()
        store.stop()
        time.sleep(options.outage_minutes * 60)
        waiting = sum(own(port, "vmagent_remotewrite_pending_data_bytes") for _, port in agents)
        store.start()
        began = time.monotonic()
        wait_until(lambda: delivered(store, down), "samples are missing")
        print(
            f"store away for {options.outage_minutes:g} min: {waiting / 1e3:.0f} kB waited with the agents, "
            f"delivered {time.monotonic() - began:.0f} s after its start"
        )
        compare(boxes, store, down, lambda number, port: configuration(at, folder, number, port, "[schedules]"))


@contextmanager
def agent(binaries: Path, folder: Path, half: int, boxes: list[Box], store: int) -> Iterator[tuple[int, int]]:
    """A vmagent for half of the boxes: its process, and its port."""
    file, port = folder / f"agent-{half}.yml", free_port()
    file.write_text(scraping(boxes[half::2]))
    options = (
        f"-promscrape.config={file}", f"-remoteWrite.url=http://127.0.0.1:{store}/api/v1/write",
        f"-remoteWrite.tmpDataPath={folder / file.stem}", f"-httpListenAddr=127.0.0.1:{port}",
    )  # fmt: skip
    with program(binaries, "vmagent", folder, *options) as pid:
        yield pid, port


@contextmanager
def judging(binaries: Path, folder: Path, store: int) -> Iterator[int]:
    """The rules over boxes."""
    url = f"http://127.0.0.1:{store}"
    options = (
        f"-rule={RULES}", f"-datasource.url={url}", f"-remoteWrite.url={url}", "-notifier.url=http://127.0.0.1:1",
        "-evaluationInterval=15s", f"-httpListenAddr=127.0.0.1:{free_port()}",
    )  # fmt: skip
    with program(binaries, "vmalert", folder, *options) as pid:
        yield pid


def delivered(store: Store, down: float) -> bool:
    """Whether the store answers again, and no sample is missing."""
    try:
        return 0 < store.longest_gap_s(down - 2 * SCRAPE_S)[0] < 2 * SCRAPE_S
    except OSError:
        return False


def steady(boxes: list[Box], agents: list[tuple[int, int]], store: Store, seconds: float) -> None:
    """What all of it costs while nothing is wrong."""
    pids = {f"box-{box.number}": box.process.pid for box in boxes} | {"store": store.pid}
    pids |= {f"agent {number}": pid for number, (pid, _) in enumerate(agents)}
    before = {name: used(pid)[0] for name, pid in pids.items()}
    runs, rows, began = total(boxes), own(store.port, "vm_rows_inserted_total"), time.monotonic()
    time.sleep(seconds)
    took = time.monotonic() - began
    rows = (own(store.port, "vm_rows_inserted_total") - rows) / took
    cpu = {name: 100 * (used(pid)[0] - before[name]) / took for name, pid in pids.items()}
    resident = {name: used(pid)[1] for name, pid in pids.items()}
    of_boxes = [name for name in pids if name.startswith("box-")]
    print(f"{len(boxes)} daemons: {(total(boxes) - runs) / took:.2f} runs/s, {rows:.0f} samples/s into the store")
    for what, figures, unit in (("CPU", cpu, "% of a core"), ("RSS", resident, "MB")):
        each = [figures[name] for name in of_boxes]
        print(f"a daemon's {what}: {median(each):.2f} {unit} (most {max(each):.2f})")
    shares = [shared_fairly(box.process.pid) for box in boxes]
    print(f"a daemon's share of the memory that several have in common counted once (PSS): {median(shares):.0f} MB")
    for name in [*pids][len(boxes):]:  # fmt: skip
        print(f"{name}: {cpu[name]:.1f} % of a core, {resident[name]:.0f} MB")
    wait_until(
        lambda: asked(store.port, "voice_probe_fleet:boxes:reporting") == len(boxes), "the rules do not see all boxes"
    )


def total(boxes: list[Box]) -> float:
    return sum(value for (name, _), value in shown(boxes).items() if name == "voice_probe_runs_total")


def shared_fairly(pid: int) -> float:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) / 1e3 for line in lines if line.startswith("Pss:"))


def compare(boxes: list[Box], store: Store, since: float, still: Callable[[int, int], str]) -> None:
    """With no more runs: is what the store has what the daemons show?"""
    for box in boxes:
        box.file.write_text(still(box.number, box.port))
        box.process.send_signal(signal.SIGHUP)
    time.sleep(30 + 3 * SCRAPE_S)
    daemons, stored = shown(boxes), store.latest()
    wrong = [key for key, value in daemons.items() if stored.get(key) != value]
    runs = sum(value for (name, _), value in daemons.items() if name == "voice_probe_runs_total")
    gap, samples = store.longest_gap_s(since)
    print(f"{len(daemons)} series compared, {runs:.0f} runs: {len(wrong)} differ between store and daemons")
    print(f"longest time between two samples of a box since the outage began: {gap:.1f} s, of {samples} samples")
    if wrong:
        raise SystemExit(f"lost: {wrong[:3]}")


if __name__ == "__main__":
    main()
