"""A real Prometheus that holds a case: blocks made by promtool, exemplars scraped, recording rules filled in."""

import json
import re
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.request import urlopen

from demo_data.cases import DAY, END, HOUR, Case
from demo_data.rules import levels, recorded, recording_rules
from demo_data.scrapes import OPENMETRICS, Sample, scrapes

PATIENCE_S, START_S = 300, 60
EXEMPLARS_FOR_S = 6 * HOUR
CONFIG = """
global: {{evaluation_interval: 1h}}
rule_files: [{rules}]
scrape_configs:
  - job_name: exemplars
    honor_labels: true
    scrape_interval: 2s
    scrape_timeout: 2s
    static_configs: [{{targets: [{targets}]}}]
"""


@contextmanager
def prometheus(case: Case, binaries: Path, folder: Path, rules: Path) -> Iterator[str]:
    """The address of a Prometheus that holds the case up to `END`; it stops when the context closes.

    `rules` is the folder of the files whose recording rules are filled in. `folder` is to be empty.
    """
    page = _blocks(case, binaries, folder)
    with _running(binaries, folder, CONFIG.format(targets="", rules=f"'{rules}/*record*.yml'"), "no-data") as url:
        known = recording_rules(url)
    for level in levels(known):
        with _running(binaries, folder, CONFIG.format(targets="", rules="")) as url:
            start = END - min(case.days, 9) * DAY
            (folder / "level.om").write_text("\n".join([*recorded(url, level, start, END), "# EOF\n"]))
        _promtool(binaries, folder, "level.om")
    with (
        _served(page) as port,
        _running(binaries, folder, CONFIG.format(targets=f"'127.0.0.1:{port}'", rules="")) as url,
    ):
        _wait_until_scraped(url)
        yield url


def _blocks(case: Case, binaries: Path, folder: Path) -> str:
    """Make the blocks of the case; return the page that has its exemplars."""
    recent: list[Sample] = []
    seen: dict[str, str] = {}
    with (folder / "case.om").open("w") as file:
        for samples in scrapes(case):
            file.writelines(f"{each.series} {each.value} {each.at_s:.3f}\n" for each in samples)
            new = [each for each in samples if each.exemplar and seen.get(each.series) != each.exemplar]
            seen |= {each.series: each.exemplar for each in new if each.exemplar}
            recent += [each for each in new if each.at_s > END - EXEMPLARS_FOR_S]
        file.write("# EOF\n")
    _promtool(binaries, folder, "case.om")
    return _exemplar_page(recent)


def _exemplar_page(samples: Sequence[Sample]) -> str:
    """A page with an exemplar on each line. Its samples must be newer than the blocks; its exemplars needn't be."""
    lines = [
        f"{each.series} {each.value} {END + 60 + number / 1000:.3f} # {each.exemplar} {each.at_s:.3f}"
        for number, each in enumerate(samples)
    ]
    return "\n".join([*lines, "# EOF\n"])


def _promtool(binaries: Path, folder: Path, source: str) -> None:
    command = [str(binaries / "promtool"), "tsdb", "create-blocks-from", "openmetrics", "--max-block-duration=200h"]
    done = subprocess.run(
        [*command, source, "data"], cwd=folder, check=False, capture_output=True, text=True, timeout=PATIENCE_S
    )
    assert done.returncode == 0, done.stderr
    (folder / source).unlink()


@contextmanager
def _running(binaries: Path, folder: Path, config: str, data: str = "data") -> Iterator[str]:
    (folder / "prometheus.yml").write_text(config)
    log = folder / "prometheus.log"
    with log.open("w") as out:
        process = subprocess.Popen(
            [
                binaries / "prometheus", "--config.file=prometheus.yml", f"--storage.tsdb.path={data}",
                "--storage.tsdb.retention.time=20y", "--web.listen-address=127.0.0.1:0",
                "--enable-feature=exemplar-storage",
            ],
            cwd=folder, stdout=out, stderr=out,
        )  # fmt: skip
    try:
        deadline = time.monotonic() + START_S
        while "Server is ready" not in log.read_text():
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.1)
        yield "http://" + re.findall(r'msg="Listening on" address=(\S+)', log.read_text())[0]
    finally:
        process.terminate()
        process.wait(30)


@contextmanager
def _served(page: str) -> Iterator[int]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", f"{OPENMETRICS}; version=1.0.0; charset=utf-8")
            self.end_headers()
            self.wfile.write(page.encode())

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as it is in http.server
            """Prometheus asks again and again."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


def _wait_until_scraped(url: str) -> None:
    deadline = time.monotonic() + START_S
    while True:
        with urlopen(f"{url}/api/v1/query?query=up", timeout=10) as answer:
            if json.load(answer)["data"]["result"]:
                return
        assert time.monotonic() < deadline, "Prometheus did not scrape the exemplars"
        time.sleep(0.2)
