"""A real Prometheus that holds a case: blocks made by promtool, exemplars scraped, recording rules filled in."""

import json
import re
import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from urllib.request import urlopen

from demo_data.cases import DAY, HOUR, Case
from demo_data.fleet import pages
from demo_data.rules import STEP_S, fired, levels, recorded, rules
from demo_data.scrapes import OPENMETRICS, Sample

PATIENCE_S, START_S = 300, 60
EXEMPLARS_FOR_S = 6 * HOUR
NO_RULES = "global: {evaluation_interval: 1h}"
RULES = """
global: {{evaluation_interval: {every}}}
rule_files: ['{rules}/voice_probe_*.yml']
"""
SCRAPED = """
scrape_configs:
  - job_name: {job}
    honor_labels: true
    scrape_interval: {every}
    scrape_timeout: 2s
    static_configs: [{{targets: ['127.0.0.1:{port}']}}]
"""
Pages = Iterator[list[Sample]]


@contextmanager
def prometheus(case: Case, binaries: Path, folder: Path, rule_files: Path) -> Iterator[str]:
    """The address of a Prometheus that holds the case up to its end; it stops when the context closes.

    `rule_files` is the folder of the files whose rules are filled in. `folder` must be empty.
    """
    with _filled(case, pages(case), binaries, folder, rule_files) as page:
        config = NO_RULES + SCRAPED.format(job="exemplars", every="2s", port=page.port)
        with _running(binaries, folder, config) as url:
            _wait_until_scraped(url)
            yield url


@contextmanager
def living_prometheus(case: Case, binaries: Path, folder: Path, rule_files: Path, port: int) -> Iterator[str]:
    """As `prometheus`, at `port` (0: any). The case goes on: it is scraped, and the rules are evaluated."""
    going_on = pages(case)
    with _filled(case, going_on, binaries, folder, rule_files) as page:
        config = RULES.format(rules=rule_files, every="15s") + SCRAPED.format(job="demo", every="15s", port=page.port)
        with _running(binaries, folder, config, port=port) as url:
            _wait_until_scraped(url)
            page.text = _going_on(going_on)
            yield url


class _Page:
    """What is scraped: one text at first, then whatever `text` makes."""

    def __init__(self, first: str) -> None:
        self.text: Callable[[], str] = lambda: first
        self.port = 0


@contextmanager
def _filled(case: Case, sent: Pages, binaries: Path, folder: Path, rule_files: Path) -> Iterator[_Page]:
    """Blocks of the case, of what the rules make of it, and a page that has its exemplars; `sent` goes on after it."""
    page = _Page(_blocks(case, sent, binaries, folder))
    with _running(binaries, folder, RULES.format(rules=rule_files, every="1h"), "no-data") as url:
        recording, alerts = rules(url, "recording"), rules(url, "alerting")
    start_s = _whole_steps(case, 9 * DAY)
    for level in levels(recording):
        with _running(binaries, folder, NO_RULES) as url:
            lines = list(recorded(url, level, start_s, case.end_s))
        _add(binaries, folder, lines)
    with _running(binaries, folder, NO_RULES) as url:
        lines = list(fired(url, alerts, _whole_steps(case, DAY), case.end_s))
    _add(binaries, folder, lines)
    with _served(page):
        yield page


def _whole_steps(case: Case, longest_s: float) -> float:
    """The beginning of the case, or that of its last part; the last step is at its end."""
    return case.end_s - min(case.days * DAY, longest_s) // STEP_S * STEP_S


def _add(binaries: Path, folder: Path, lines: Iterable[str]) -> None:
    text = "\n".join([*lines, "# EOF\n"])
    if text != "# EOF\n":
        (folder / "rules.om").write_text(text)
        _promtool(binaries, folder, "rules.om")


def _blocks(case: Case, sent: Pages, binaries: Path, folder: Path) -> str:
    """Make the blocks of the case; return the page that has its exemplars."""
    recent: list[Sample] = []
    seen: dict[str, str] = {}
    last: dict[str, str] = {}
    with (folder / "case.om").open("w") as file:
        for samples in sent:
            if samples[0].at_s > case.end_s:
                break
            file.writelines(f"{each.series} {each.value} {each.at_s:.3f}\n" for each in samples)
            new = [each for each in samples if each.exemplar and seen.get(each.series) != each.exemplar]
            seen |= {each.series: each.exemplar for each in new if each.exemplar}
            last |= {each.series: each.value for each in samples if each.exemplar}
            recent += [each for each in new if each.at_s > case.end_s - EXEMPLARS_FOR_S]
        file.write("# EOF\n")
    _promtool(binaries, folder, "case.om")
    # One line for each exemplar. Its sample must be newer than the blocks, and no counter may fall.
    lines = [
        f"{each.series} {last[each.series]} {case.end_s + 1 + number / 1000:.3f} # {each.exemplar} {each.at_s:.3f}"
        for number, each in enumerate(recent)
    ]
    return "\n".join([*lines, "# EOF\n"])


def _going_on(sent: Pages) -> Callable[[], str]:
    """Each time it is called: what a daemon has answered since, with the time of each answer."""
    ahead = next(sent)

    def text() -> str:
        nonlocal ahead
        lines: list[str] = []
        while ahead[0].at_s <= time.time():
            lines += map(_line, ahead)
            ahead = next(sent)
        return "\n".join([*lines, "# EOF\n"])

    return text


def _line(sample: Sample) -> str:
    exemplar = f" # {sample.exemplar} {sample.at_s:.3f}" if sample.exemplar else ""
    return f"{sample.series} {sample.value} {sample.at_s:.3f}{exemplar}"


def _promtool(binaries: Path, folder: Path, source: str) -> None:
    command = [str(binaries / "promtool"), "tsdb", "create-blocks-from", "openmetrics", "--max-block-duration=200h"]
    done = subprocess.run(
        [*command, source, "data"], cwd=folder, check=False, capture_output=True, text=True, timeout=PATIENCE_S
    )
    assert done.returncode == 0, done.stderr
    (folder / source).unlink()


@contextmanager
def _running(binaries: Path, folder: Path, config: str, data: str = "data", port: int = 0) -> Iterator[str]:
    (folder / "prometheus.yml").write_text(config)
    log = folder / "prometheus.log"
    with log.open("w") as out:
        process = subprocess.Popen(
            [
                binaries / "prometheus", "--config.file=prometheus.yml", f"--storage.tsdb.path={data}",
                "--storage.tsdb.retention.time=20y", f"--web.listen-address=127.0.0.1:{port}",
                "--enable-feature=exemplar-storage", "--rules.alert.for-grace-period=1s",
            ],
            cwd=folder, stdout=out, stderr=out,
        )  # fmt: skip
    try:
        yield _address(process, log)
    finally:
        process.terminate()
        process.wait(30)


def _address(process: subprocess.Popen[bytes], log: Path) -> str:
    """Where it listens, once it is ready: in the log, in either order."""
    deadline = time.monotonic() + START_S
    while True:
        text = log.read_text()
        listening = re.search(r'msg="Listening on" address=(\S+)\n', text)
        if listening and "Server is ready" in text:
            return f"http://{listening[1]}"
        assert process.poll() is None, text
        assert time.monotonic() < deadline, text
        time.sleep(0.1)


@contextmanager
def _served(page: _Page) -> Iterator[None]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", f"{OPENMETRICS}; version=1.0.0; charset=utf-8")
            self.end_headers()
            self.wfile.write(page.text().encode())

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as it is in http.server
            """Prometheus asks again and again."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        page.port = server.server_port
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield
        server.shutdown()


def _wait_until_scraped(url: str) -> None:
    deadline = time.monotonic() + START_S
    while True:
        with urlopen(f"{url}/api/v1/query?query=up", timeout=60) as answer:
            if json.load(answer)["data"]["result"]:
                return
        assert time.monotonic() < deadline, "Prometheus did not scrape the exemplars"
        time.sleep(0.2)
