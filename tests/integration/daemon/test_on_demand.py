"""Runs that a scrape asks for, by a real daemon and a real Prometheus."""

import asyncio
import re
from pathlib import Path

from prometheus import Prometheus
from service import service, write_config

from probe.measures import outcome
from probe.reference.faults import ScriptedLlm, ScriptedTts

DOCS = (Path(__file__).parents[3] / "docs" / "daemon.md").read_text("utf-8")
NOTHING_SCHEDULED = re.compile(r"\[schedules\.scripted\]\nevery_s = \S+\n")


def scrape_config(port: int) -> str:
    """The one of the docs, more often."""
    (documented,) = re.findall(r"```yaml\n(scrape_configs:\n.*?)```", DOCS, re.DOTALL)
    return (
        str(documented)
        .replace("127.0.0.1:9850", f"127.0.0.1:{port}")
        .replace("[spark, omni]", "[scripted]")
        .replace("scrape_interval: 1m", "scrape_interval: 11s")
        .replace("scrape_timeout: 30s", "scrape_timeout: 11s")
    )


async def test_prometheus_asks_for_runs_and_gets_their_metrics(prometheus_binaries: Path, tmp_path: Path) -> None:
    async with ScriptedLlm() as llm_server, ScriptedTts() as tts_server:
        config = write_config(tmp_path, llm_server.url, tts_server.url)
        config.write_text(NOTHING_SCHEDULED.sub("[schedules]\n", config.read_text()))
        async with service(config) as daemon:
            refused = await daemon.get("/probe?target=other")
            assert refused[0] == 400 and "there is: scripted" in refused[2]
            assert daemon.records() == []
            status, _, text = await daemon.get("/probe?target=scripted&debug=true")
            assert status == 200
            assert "default on scripted: ok" in text and "First token" in text
            assert "voice_probe_probe_success 1.0" in text
            scraping = tmp_path / "prometheus.yml"
            scraping.write_text(scrape_config(daemon.port))
            with Prometheus(prometheus_binaries, scraping) as prometheus:
                found = 'voice_probe_probe_success{job="voice-probe-on-demand",target="scripted",scenario="default"}'
                await asyncio.to_thread(prometheus.wait_for, found, 1)
            metrics = await daemon.metrics()
            await daemon.end()
    records = daemon.records()
    assert len(records) >= 2
    assert {outcome(each) for each in records} == {"ok"}
    # What was said is nowhere but in the history.
    said = {chunk.text.strip() for each in records for turn in each.turns for chunk in turn.chunks}
    assert said and not any(each in text for each in said)
    assert metrics['voice_probe_runs_total{outcome="ok",scenario="default",target="scripted"}'] == len(records)
