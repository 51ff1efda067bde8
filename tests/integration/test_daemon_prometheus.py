"""A real Prometheus scrapes the daemon and gives back what it measured."""

import asyncio
import json
import subprocess
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from urllib.request import urlopen

import pytest
from service import service, write_config

from probe.reference.faults import ScriptedLlm, ScriptedTts

SCRAPE = """
global: {{scrape_interval: 1s, scrape_timeout: 1s}}
scrape_configs:
  - job_name: probe
    static_configs: [{{targets: ['127.0.0.1:{port}']}}]
"""


@pytest.mark.timeout(120)
async def test_series_labels_values_and_exemplars_come_back(prometheus_binaries: Path, tmp_path: Path) -> None:
    async with ScriptedLlm() as llm_server, ScriptedTts() as tts_server:
        config = write_config(tmp_path, llm_server.url, tts_server.url, every_s=1)
        async with service(config) as daemon:
            prometheus = Prometheus(prometheus_binaries, tmp_path, daemon.port)
            try:
                await asyncio.to_thread(_compare, prometheus)
                exemplars = await asyncio.to_thread(prometheus.exemplars, "voice_probe_combined_ttfb_seconds_bucket")
            finally:
                prometheus.end()
            await daemon.end()
    trace_ids = {record.plan.run_id: record.plan.trace_id for record in daemon.records()}
    assert exemplars
    assert all(trace_ids[each["run_id"]] == each["trace_id"] for each in exemplars)


def _compare(prometheus: "Prometheus") -> None:
    labels = 'scenario="default",target="scripted"'
    series = {
        f'voice_probe_runs_total{{outcome="ok",{labels}}}': 2,
        f"voice_probe_up{{{labels}}}": 1,
        f'voice_probe_combined_ttfb_seconds_count{{position="first",{labels}}}': 2,
        f'voice_probe_combined_ttfb_seconds_bucket{{position="first",le="1.0",{labels}}}': 2,
    }
    for query, least in series.items():
        prometheus.wait_for(query, least)
    failures = prometheus.query('voice_probe_run_failures_total{target="scripted"} == 0')
    assert len(failures) > 20
    assert prometheus.query('up{job="probe"}')[0]["value"][1] == "1"
    outcomes = {each["metric"]["outcome"] for each in prometheus.query("voice_probe_runs_total")}
    assert outcomes == {"ok", "slow", "failed", "skipped", "suspect"}


class Prometheus:
    def __init__(self, binaries: Path, folder: Path, scraped_port: int) -> None:
        (folder / "prometheus.yml").write_text(SCRAPE.format(port=scraped_port))
        self._log = folder / "prometheus.log"
        with self._log.open("w") as log:
            self._process = subprocess.Popen(
                [
                    binaries / "prometheus", f"--config.file={folder}/prometheus.yml",
                    f"--storage.tsdb.path={folder}/tsdb", "--web.listen-address=127.0.0.1:0",
                    "--enable-feature=exemplar-storage",
                ],
                stdout=log, stderr=log,
            )  # fmt: skip

    def wait_for(self, query: str, least: float) -> None:
        deadline = time.monotonic() + 60
        while not any(float(each["value"][1]) >= least for each in self.query(query)):
            assert time.monotonic() < deadline, f"{query} never came to {least}: {self._log.read_text()}"
            time.sleep(0.2)

    def query(self, query: str) -> list[dict[str, Any]]:
        return list(self._api("query", query=query)["result"])

    def exemplars(self, query: str) -> list[dict[str, str]]:
        now = time.time()
        found = self._api("query_exemplars", query=query, start=now - 600, end=now + 60)
        return [exemplar["labels"] for series in found for exemplar in series["exemplars"]]

    def end(self) -> None:
        self._process.terminate()
        self._process.wait(20)

    def _api(self, path: str, **parameters: Any) -> Any:
        with urlopen(f"http://{self._address()}/api/v1/{path}?{urlencode(parameters)}", timeout=10) as answer:
            return json.load(answer)["data"]

    def _address(self) -> str:
        deadline = time.monotonic() + 60
        while "Listening on" not in (text := self._log.read_text()) or "Server is ready" not in text:
            assert self._process.poll() is None and time.monotonic() < deadline, text
            time.sleep(0.1)
        line = next(line for line in text.splitlines() if 'msg="Listening on"' in line)
        return line.rpartition("address=")[2].strip()
