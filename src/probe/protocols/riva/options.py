"""What one of NVIDIA's speech servers takes: its part of a target's configuration."""

from typing import Annotated, Literal

from msgspec import Meta, Struct


class NimOptions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who speaks, in which language, and how samples are asked for, of which no answer says how they are made."""

    voice: Annotated[
        str | None, Meta(min_length=1, description="a voice such as Magpie-Multilingual.EN-US.Aria; else the server's")
    ] = None
    language: Annotated[str, Meta(min_length=1, description="of the text, a BCP 47 tag")] = "en-US"
    sample_rate: Annotated[
        int, Meta(ge=8000, le=48_000, description="asked for, in Hz; another than the voice's own is resampled")
    ] = 22_050
    concurrency: Annotated[
        int, Meta(ge=1, le=8, description="texts that may be unanswered at a time, each on its own connection")
    ] = 1


class RivaOptions(NimOptions, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The same over gRPC, whose calls have a deadline."""

    deadline_s: Annotated[
        float, Meta(gt=0, le=3600, description="for one text, as `grpc-timeout`: the server gives up then")
    ] = 120.0
    mode: Annotated[
        Literal["each", "stitched"],
        Meta(description="each: a call for each text; stitched: one for all texts of a turn, as in pipecat"),
    ] = "each"
    gap_ms: Annotated[
        float, Meta(gt=0, le=10_000, description="stitched: silence of the server that ends what it says of a text")
    ] = 300.0


class RivaHearingOptions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What understands, in which language, and who finds the end of the speech."""

    model: Annotated[
        str | None, Meta(min_length=1, description="a model of the server; else it chooses one by the language")
    ] = None
    language: Annotated[str, Meta(min_length=1, description="of what is said, a BCP 47 tag")] = "en-US"
    endpointing: Annotated[
        Literal["probe", "server"],
        Meta(
            description="who finds the end of the speech: the probe, which knows it and ends the audio there (push to "
            "talk), or the server, which is sent silence until it sends a final result"
        ),
    ] = "probe"
    stop_history_ms: Annotated[
        int | None, Meta(ge=1, le=60_000, description="silence that the server takes for the end; else its own setting")
    ] = None
    interim_results: Annotated[bool, Meta(description="whether the server sends what it understands so far")] = True
    punctuation: Annotated[bool, Meta(description="whether the server adds punctuation")] = True
    sample_rate: Annotated[int, Meta(ge=8000, le=48_000, description="of the audio that it is sent, in Hz")] = 16_000
