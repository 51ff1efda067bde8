"""Servers become slow, recover and die, and whoever is on call hears of it: our own rules, shorter intervals."""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from incident import Chain, chain
from service import eventually, service, write_config

from probe.reference.faults import ScriptedLlm, ScriptedTts, TtsScript, TtsTurn, tts

HEALTHY = TtsScript()
SLOW = TtsScript(turns=(TtsTurn(segments=(tts.speech(first=1.2),)),))
LATE, FAILING, ABSENT = "VoiceEveryAttemptMissed", "VoiceTargetFailing", "VoiceProbeAbsent"
# Alerts wait for up to 3 minutes; a busy machine may take its time on top of that.
PATIENCE_S = 300.0

pytestmark = pytest.mark.timeout(900)


async def test_an_incident_from_its_first_alert_to_the_last(
    prometheus_binaries: Path, alertmanager_binaries: Path, tmp_path: Path
) -> None:
    async with AsyncExitStack() as stack:
        llm_server = ScriptedLlm()
        llm = await stack.enter_async_context(AsyncExitStack())
        await llm.enter_async_context(llm_server)
        tts_server = await stack.enter_async_context(ScriptedTts())
        daemon = await stack.enter_async_context(service(_config(tmp_path / "a", "spark", llm_server, tts_server)))
        other = await stack.enter_async_context(service(_config(tmp_path / "b", "other", llm_server, tts_server)))
        with chain(prometheus_binaries, alertmanager_binaries, tmp_path, [daemon.port, other.port]) as parts:
            await asyncio.to_thread(parts.prometheus.wait_for, "voice_probe:attempts:recent", 5)
            assert parts.webhook.messages == []
            await other.end()
            await _slow_then_quick(parts, tts_server)
            await _dead(parts, llm)
            [absent] = await eventually(lambda: parts.webhook.alerts(ABSENT, "firing"), seconds=PATIENCE_S)
            assert absent["labels"]["instance"] == f"127.0.0.1:{other.port}"
            await daemon.end()


def _config(folder: Path, target: str, llm_server: ScriptedLlm, tts_server: ScriptedTts) -> Path:
    folder.mkdir()
    config = write_config(folder, llm_server.url, tts_server.url, every_s=1, objective_ms=1000)
    config.write_text(config.read_text().replace("targets.scripted", f"targets.{target}"))
    return config


async def _slow_then_quick(parts: Chain, tts_server: ScriptedTts) -> None:
    tts_server.script = SLOW
    [late] = await eventually(lambda: parts.webhook.alerts(LATE, "firing", target="spark"), seconds=PATIENCE_S)
    assert late["annotations"]["stage"] == "tts_ttfb"
    assert "took more than 1.00 s to the first byte; first byte after 1.2" in late["annotations"]["summary"]
    tts_server.script = HEALTHY
    await eventually(lambda: parts.webhook.alerts(LATE, "resolved", target="spark"), seconds=PATIENCE_S)


async def _dead(parts: Chain, llm: AsyncExitStack) -> None:
    told = len(parts.webhook.alerts(LATE, "firing"))
    await llm.aclose()
    [failing] = await eventually(lambda: parts.webhook.alerts(FAILING, "firing", target="spark"), seconds=PATIENCE_S)
    assert failing["annotations"]["stage"] == "connect at llm"
    assert "connect/refused at llm" in failing["annotations"]["summary"]
    [late] = await eventually(lambda: parts.alertmanager.alerts(LATE), seconds=PATIENCE_S)
    assert late["status"]["state"] == "suppressed"
    assert late["status"]["inhibitedBy"]
    assert len(parts.webhook.alerts(LATE, "firing")) == told
