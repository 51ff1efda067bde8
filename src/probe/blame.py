"""Which server of a target caused a failure."""

from collections.abc import Collection, Iterator, Mapping

from probe.plan import Role
from probe.record import REASONS, Stage

# As a person reads it.
NAMES: Mapping[Role, str] = {"stt": "STT", "llm": "LLM", "tts": "TTS", "agent": "agent"}
# The server whose work a stage is, on a target that has one for it; an agent does the work of all.
_WORK: Mapping[Stage, Role] = {"stt": "stt", "llm": "llm", "tts": "tts", "audio": "tts"}

# Only a target that hears is played anything.
_OF_SPEECH = ("user_audio",)


def server_of(stage: Stage, servers: Collection[Role]) -> Role | None:
    """The server of a target that does the work of a stage; None where that is any of them (connect), or none."""
    role = _WORK.get(stage)
    return next((each for each in (role, "agent") if role and each in servers), None)


def may_fail(servers: Collection[Role], *, hears: bool = False) -> Iterator[tuple[Role | None, Stage, str]]:
    """Every failure that a target with these servers can have: who, at which stage, and why.

    `hears`: it is asked with speech, though none of its servers does nothing else.
    """
    hears |= "stt" in servers
    for stage, reasons in REASONS.items():
        if stage == "stt" and not hears:
            continue
        to_blame = servers if stage == "connect" else (server_of(stage, servers),)
        known = [reason for reason in reasons if hears or reason not in _OF_SPEECH]
        yield from ((server, stage, reason) for server in to_blame for reason in known)
