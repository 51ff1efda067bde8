"""Targets and scenarios that do not go together."""

from pathlib import Path

import pytest

from probe import config
from probe.config import ConfigError

AGENT = """
[targets.omni]
{measure}
[targets.omni.agent]
endpointing = "{endpointing}"
[scenarios.said]
user_turns = ["Good morning."]
{audio}
"""
AUDIO = 'user_audio = ["morning.wav"]'
VOICE_TO_VOICE = 'objective_measure = "voice_to_voice"'


def loaded(folder: Path, endpointing: str, *, audio: str = AUDIO, measure: str = VOICE_TO_VOICE) -> config.Config:
    path = folder / "probe.toml"
    path.write_text(AGENT.format(endpointing=endpointing, audio=audio, measure=measure))
    return config.load(path)


@pytest.mark.parametrize("endpointing", ["server", "probe"])
def test_an_agent_that_hears_has_no_voice_that_could_speak_to_it(tmp_path: Path, endpointing: str) -> None:
    assert loaded(tmp_path, endpointing).schedules
    with pytest.raises(ConfigError, match=r"'said' can't be run: target 'omni' hears.*user_audio in scenarios.said"):
        loaded(tmp_path, endpointing, audio="")


def test_only_an_agent_that_finds_the_end_itself_can_be_spoken_into(tmp_path: Path) -> None:
    interrupted = f"{AUDIO}\ninterrupt_after_ms = 500"
    assert loaded(tmp_path, "server", audio=interrupted).scenarios["said"].interrupt_after_ms == 500
    with pytest.raises(ConfigError, match=r"interrupt_after_ms is for agents that find the end"):
        loaded(tmp_path, "probe", audio=interrupted)


def test_a_recording_of_the_usual_words_keeps_them_when_something_is_overridden() -> None:
    usual = config.ScenarioConfig().user_turns
    scenario = config.ScenarioConfig.of(user_turns=usual, user_audio=["said.wav"])
    assert config.override(scenario, {"turns": 2}).user_turns == usual
    with pytest.raises(ConfigError, match="one recording for each text of user_turns: it has 1, not 2"):
        config.override(scenario, {"user_turns": ["One.", "Two."]})


def test_a_target_that_is_asked_in_text_has_no_whole_wait_to_judge(tmp_path: Path) -> None:
    """Each of its runs was slow."""
    path = tmp_path / "probe.toml"
    path.write_text(f"[targets.a]\n{VOICE_TO_VOICE}\n")
    with pytest.raises(ConfigError, match=r"toml:2: targets.a.objective_measure: voice_to_voice is for targets"):
        config.load(path)
    path.write_text(f"[targets.a]\n{VOICE_TO_VOICE}\n[targets.a.stt]\nurl = 'tcp://localhost:10300'\n")
    assert config.load(path).targets


def test_an_agent_that_answers_by_itself_is_judged_by_the_whole_wait(tmp_path: Path) -> None:
    assert loaded(tmp_path, "probe", measure="").targets
    with pytest.raises(ConfigError, match=r"omni.objective_measure: must be voice_to_voice"):
        loaded(tmp_path, "server", measure="")
