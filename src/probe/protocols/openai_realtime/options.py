"""What an agent behind the OpenAI Realtime protocol takes: its part of a target's configuration."""

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct, field

_Name = Annotated[str, Meta(min_length=1)]
# What the probe itself decides.
_OURS = ("instructions", "type")


def _additions(session: dict[str, Any]) -> dict[str, Any]:
    if taken := [name for name in _OURS if name in session]:
        raise ValueError(f"{' and '.join(taken)} can't be replaced")
    return session


class RealtimeOptions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which model answers, who speaks, and how the session is set up."""

    model: Annotated[_Name | None, Meta(description="goes into the URL (?model=), as the server calls it")] = None
    voice: Annotated[_Name | None, Meta(description="a voice of the server; without it, its own one speaks")] = None
    dialect: Annotated[
        Literal["ga", "beta"] | None,
        Meta(description="how the session is set up; without it, as the server's first word (session.created) is"),
    ] = None
    sample_rate: Annotated[
        int, Meta(ge=8000, le=192_000, description="of the audio, in Hz, where the server does not state it")
    ] = 24_000
    max_tokens: Annotated[
        int, Meta(ge=0, le=1_000_000, description="the longest answer, as the server counts it; 0 sends no limit")
    ] = 0
    endpointing: Annotated[
        Literal["server", "probe"] | None,
        Meta(
            description="the agent is asked with speech, and who finds its end: the server (turn detection), or the "
            "probe, which then asks for the answer; without it, the agent is asked in text"
        ),
    ] = None
    turn_detection: Annotated[
        dict[str, Any],
        Meta(description='how the server finds the end, merged into { type = "server_vad" }'),
    ] = field(default_factory=dict)
    transcription_model: Annotated[
        _Name | None, Meta(description="transcribes what is said; without it, no transcript is asked for")
    ] = None
    input_rate: Annotated[int, Meta(ge=8000, le=48_000, description="of the speech that is sent, in Hz")] = 24_000
    extra_session: Annotated[
        dict[str, Any],
        _additions,
        Meta(description="merged into the session, such as { tools = [] }; tables are replaced, not merged"),
    ] = field(default_factory=dict)
