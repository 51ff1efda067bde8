"""What makes audio and texts doubtful, beside how they sound: files among the samples, what no person should hear."""

import pytest
from fakes import tone
from slices import whole

from probe.engine.doubts import of_audio, spoken_markup
from probe.engine.speech import Heard
from probe.protocols.segments import InOrder

RIFF = b"RIFF\x24\0\0\0WAVEfmt " + bytes(28)
TITLES = b"LIST\x1a\0\0\0INFOISFT\x0e\0\0\0Lavf60.16.100\0"


def doubts(pcm: bytes, text: str = "Hello there.") -> list[str]:
    segments = InOrder(22_000)
    segments.speak(1, text, 0)
    segments.audio(pcm, 1)
    return whole(of_audio(Heard([segments])))


@pytest.mark.parametrize(
    ("pcm", "said"),
    [
        (tone(300), []),
        (RIFF + tone(300), ["chunk 1: its audio begins with a WAV header, which is no sound"]),
        (b"RF64" + RIFF[4:] + tone(300), ["chunk 1: its audio begins with a RF64 header, which is no sound"]),
        (b"FORM\0\0\0\0AIFFCOMM" + tone(300), ["chunk 1: its audio begins with a FORM header, which is no sound"]),
        (tone(300) + RIFF + tone(300), ["chunk 1: the header of another file stands in its audio, which is no sound"]),
        (tone(301)[1:] + RIFF, ["chunk 1: the header of another file stands in its audio, which is no sound"]),
        (tone(300) + TITLES, ["chunk 1: its audio ends with a file's titles, which are no sound"]),
        (tone(300) + b"ID3\x04\0" + bytes(80), ["chunk 1: its audio ends with a file's titles, which are no sound"]),
    ],
)  # fmt: skip
def test_a_file_among_the_samples(pcm: bytes, said: list[str]) -> None:
    assert doubts(pcm) == said


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("<think>Okay, a joke.", ["the model's thinking"]),
        ("So be it.</think> Why not?", ["the model's thinking"]),
        ("<THINK>\n", ["the model's thinking"]),
        ("[THINK]Hm.[/THINK]", ["the model's thinking"]),
        ("Why not?<|im_end|>", ["chat markup"]),
        ("<|channel|>final<|message|>Why not?", ["chat markup"]),
        ("Why not?<end_of_turn>", ["chat markup"]),
        ("Why not?</s>", ["chat markup"]),
        ("[INST] Tell me a joke. [/INST]", ["chat markup"]),
        ('<tool_call>\n{"name": "weather"}', ["a tool call"]),
        ('{"name": "get_weather", "arguments": {"city": "Paris"}}', ["a tool call"]),
        ("Why **not**?", ["markdown"]),
        ("```python\nprint()\n```", ["markdown"]),
        ("# Jokes\nWhy not?", ["markdown"]),
        ("Two jokes:\n* One.\n* Two.", ["markdown"]),
        ("See [this](https://example.org).", ["markdown"]),
        ("| a | b |\n|---|---|", ["markdown"]),
        ("<think>**Hm**</think><|im_end|>", ["the model's thinking", "chat markup", "markdown"]),
        # What a person says, and what servers take for directions to the voice.
        ("Why did the unicorn cross the road? Because it could - twice!", []),
        ("I think 2 * 3 < 7, and 5 > 4; it's #1.", []),
        ("1. Preheat the oven.\n2. Wait.\n- Or don't.", []),
        ("<laugh> Why not? <break time='1s'/> [sighs]", []),
        ('She said {well} and "no": so?', []),
        ("独角兽为什么要过马路。", []),
        ("", []),
    ],
)  # fmt: skip
def test_what_no_person_should_hear(text: str, kinds: list[str]) -> None:
    assert list(dict.fromkeys(spoken_markup(text))) == kinds
    assert doubts(tone(300), text) == [
        f"chunk 1: its text has {kind} in it, which a person would hear" for kind in kinds
    ]
