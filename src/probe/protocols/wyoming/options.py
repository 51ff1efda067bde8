"""The options of a Wyoming server in a target's configuration."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

_Name = Annotated[str, Meta(min_length=1)]


class WyomingOptions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who speaks, and how a text is handed over. Without a voice, the server's own one speaks."""

    voice: Annotated[_Name | None, Meta(description="a voice of the server, by its name")] = None
    language: Annotated[_Name | None, Meta(description="chooses a voice where none is named, such as en_US")] = None
    speaker: Annotated[_Name | None, Meta(description="of a voice that has several")] = None
    mode: Annotated[
        Literal["whole", "streamed"],
        Meta(description="streamed: the answer as the LLM writes it, which the server cuts into sentences itself"),
    ] = "whole"


class WyomingHearingOptions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What understands, and who finds the end of the speech."""

    model: Annotated[_Name | None, Meta(description="a model of the server, by its name")] = None
    language: Annotated[_Name | None, Meta(description="of what is said, such as en")] = None
    endpointing: Annotated[
        Literal["probe", "server"],
        Meta(
            description="who finds the end of the speech: the probe, which knows it and ends the audio there (push to "
            "talk), or the server, which is sent silence until it says voice-stopped or the transcript"
        ),
    ] = "probe"
    sample_rate: Annotated[int, Meta(ge=8000, le=48_000, description="of the audio that it is sent, in Hz")] = 16_000
