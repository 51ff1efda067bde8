"""A real Prometheus and a real Alertmanager with our own rules, and the alert that waits for less than a minute."""

import asyncio
import re
from pathlib import Path

import pytest
from incident import Chain, chain
from prometheus import Prometheus
from service import eventually, service, write_config

from probe.reference.faults import ScriptedLlm, ScriptedTts, TtsScript, TtsTurn, tts

SILENT = TtsScript(turns=(TtsTurn(segments=(tts.pcm(b"\0" * 20_000),)),))
FAILING = "VoiceTargetFailing"
# They need days of data, a change, or a target that was removed, that hears, that is run on demand, or whose answers
# are transcribed; promtool's tests have that.
EMPTY = re.compile(
    r"voice_probe:(stage_seconds:baseline|stage_drift:ratio|unscheduled|hearing|voice_to_voice)"
    r"|voice_probe_(endpointing|transcription|voice_to_voice)_seconds_(sum|count)"
    r"|voice_probe_(drift_beside|(last_)?answer_word_error_ratio|last_on_demand_timestamp_seconds)"
)
SELECTOR = re.compile(r"\b(?:voice_probe[\w:]+|up\b)(?:{[^}]*})?")


@pytest.mark.timeout(180)
async def test_silence_wakes_somebody_and_every_rule_has_what_it_reads(
    prometheus_binaries: Path, alertmanager_binaries: Path, tmp_path: Path
) -> None:
    async with (
        ScriptedLlm() as llm_server,
        ScriptedTts() as tts_server,
        service(write_config(tmp_path, llm_server.url, tts_server.url, every_s=1)) as daemon,
    ):
        with chain(prometheus_binaries, alertmanager_binaries, tmp_path, [daemon.port]) as parts:
            await asyncio.to_thread(parts.prometheus.wait_for, "voice_probe:attempts:recent", 5)
            assert parts.webhook.messages == []
            tts_server.script = SILENT
            await _woken(parts)
            # The group of long ranges begins within a minute.
            await asyncio.to_thread(parts.prometheus.wait_for, "voice_probe:within_objective:ratio_30d", 0, 90)
            assert await asyncio.to_thread(_without_data, parts.prometheus) == []
        await daemon.end()


async def _woken(parts: Chain) -> None:
    [alert] = await eventually(lambda: parts.webhook.alerts(FAILING, "firing", target="scripted"), seconds=90)
    summary = alert["annotations"]["summary"]
    counted = r"\d+ of \d+ recent attempts, now \d+ in a row"
    assert re.fullmatch(rf"scripted/\w+ fails: {counted}, mostly audio/silent at tts", summary)
    assert alert["annotations"]["stage"] == "audio at tts"
    [mail] = await eventually(lambda: parts.mailbox.messages, seconds=30)
    assert mail["To"] == "on-call@example.org"
    assert FAILING in mail["Subject"]
    # One fault, one page: bad audio is not reported a second time.
    told = [alert for message in parts.webhook.messages for alert in message["alerts"]]
    assert {each["labels"]["alertname"] for each in told} == {FAILING}


def _without_data(prometheus: Prometheus) -> list[str]:
    """What rules read that is not there, rules that can't be evaluated, and records that recorded nothing."""
    rules = prometheus.rules()
    assert len(rules) > 40
    bad = [f"{rule['name']}: {rule['lastError']}" for rule in rules if rule["health"] != "ok"]
    read = {found for rule in rules for found in SELECTOR.findall(rule["query"])}
    recorded = {rule["name"] for rule in rules if rule["type"] == "recording"}
    wanted = {selector for selector in read | recorded if not EMPTY.match(selector)}
    return bad + sorted(selector for selector in wanted if not prometheus.query(selector))
