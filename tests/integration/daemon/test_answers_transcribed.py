"""The daemon has answers transcribed after their runs: in the history with the words, elsewhere as a figure alone."""

from pathlib import Path

from service import Service, eventually, service, write_config

from probe.measures import outcome
from probe.reference.faults import LlmScript, ScriptedLlm, ScriptedTts, llm
from probe.reference.faults.wyoming_hearing import HearingScript, ScriptedHearing, transcript

RATIO = 'voice_probe_last_answer_word_error_ratio{scenario="default",target="scripted"}'
COUNT = 'voice_probe_answer_word_error_ratio_count{scenario="default",target="scripted"}'


async def test_the_answer_of_the_first_run_is_transcribed_when_it_is_over(tmp_path: Path) -> None:
    heard = HearingScript(answers=((transcript("hello popcorn unicorn"),),))
    async with (
        ScriptedLlm(LlmScript(turns=((llm.last_chunk("Hello there, unicorn."),),))) as llm_server,
        ScriptedTts() as tts_server,
        ScriptedHearing(heard) as stt,
        service(
            write_config(tmp_path, llm_server.url, tts_server.url, more=f'[intelligibility.stt]\nurl = "{stt.url}"\n')
        ) as daemon,
    ):
        line = await daemon.until("answer transcribed")
        await eventually(lambda: shows(daemon, COUNT))
        metrics = await daemon.metrics()
        assert await daemon.end() == 0
    (record,) = daemon.records()
    assert outcome(record) == "ok", record.failure
    found = record.transcription
    assert found is not None and found.started >= record.ended
    assert [each.transcript for each in found.turns] == ["hello popcorn unicorn"]
    assert (line["run_id"], line["word_error_ratio"]) == (record.plan.run_id, 0.3333)
    assert metrics[RATIO] == found.word_error_ratio
    assert "popcorn" not in str(daemon.lines)
    stopped = [each.json["type"] for each in stt.log.received("event")]
    assert stopped == ["transcribe", "audio-start", "audio-stop"]


async def shows(daemon: Service, name: str) -> bool:
    return (await daemon.metrics()).get(name) == 1
