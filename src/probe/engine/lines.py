"""The servers of a run, and how many connections there are to each."""

from typing import NamedTuple

from probe.plan import Role


class Line(NamedTuple):
    """A conversation with a server, on a connection of its own. Most servers have one."""

    role: Role
    number: int = 1


STT, LLM, TTS, AGENT = Line("stt"), Line("llm"), Line("tts"), Line("agent")
