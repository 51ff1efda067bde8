"""A real Prometheus scrapes the daemon and returns what it measured."""

import asyncio
from pathlib import Path

from prometheus import Prometheus
from service import service, write_config

from probe.reference.faults import ScriptedLlm, ScriptedTts

SCRAPE = """
global: {{scrape_interval: 1s, scrape_timeout: 1s}}
scrape_configs:
  - job_name: probe
    static_configs: [{{targets: ['127.0.0.1:{port}']}}]
"""


async def test_series_labels_values_and_exemplars_come_back(prometheus_binaries: Path, tmp_path: Path) -> None:
    async with ScriptedLlm() as llm_server, ScriptedTts() as tts_server:
        config = write_config(tmp_path, llm_server.url, tts_server.url, every_s=1)
        async with service(config) as daemon:
            scraping = tmp_path / "prometheus.yml"
            scraping.write_text(SCRAPE.format(port=daemon.port))
            with Prometheus(prometheus_binaries, scraping) as prometheus:
                await asyncio.to_thread(_compare, prometheus)
                exemplars = await asyncio.to_thread(prometheus.exemplars, "voice_probe_combined_ttfb_seconds_bucket")
            await daemon.end()
    trace_ids = {record.plan.run_id: record.plan.trace_id for record in daemon.records()}
    assert exemplars
    assert all(trace_ids[each["run_id"]] == each["trace_id"] for each in exemplars)


def _compare(prometheus: Prometheus) -> None:
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
