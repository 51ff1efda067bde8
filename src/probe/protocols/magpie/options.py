"""The options of a Magpie server in a target's configuration."""

from typing import Annotated, Literal

from msgspec import Meta, Struct


class MagpieOptions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The voice that speaks, the audio that comes, and how an older server's silences are read."""

    voice: Annotated[str, Meta(min_length=1, description="a voice of the TTS server")] = "aria"
    language: Annotated[str, Meta(min_length=1, description="a language of the TTS server")] = "en"
    sample_rate: Annotated[int, Meta(ge=8000, le=192_000, description="of the TTS server's audio, in Hz")] = 22000
    mode: Annotated[
        Literal["batch", "stream"], Meta(description="stream: audio frame by frame, newer servers only")
    ] = "batch"
    generation: Annotated[
        Literal["older", "newer"] | None,
        Meta(description="version of the server, if known: older ones keep short texts back, newer ones mark segments"),
    ] = None
    gap_ms: Annotated[float, Meta(gt=0, le=10_000, description="silence that ends a segment, where no marker does")] = (
        150.0
    )
    hold_s: Annotated[
        float,
        Meta(gt=0, le=3600, description="waiting for a text that the TTS server may be keeping until more comes"),
    ] = 2.0
    flush_ms: Annotated[
        float,
        Meta(
            ge=0,
            le=60_000,
            description="TARGET_AUDIO_MS of an older TTS server, which may keep shorter texts back",
        ),
    ] = 4000.0
