"""The options of a server of `/v1/audio/transcriptions` in a target's configuration."""

from typing import Annotated

from msgspec import Meta, Struct

_Name = Annotated[str, Meta(min_length=1)]


class TranscriptionsOptions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What understands, and how it answers."""

    model: Annotated[_Name | None, Meta(description="a model of the server; most want one")] = None
    language: Annotated[_Name | None, Meta(description="of what is said, such as en")] = None
    stream: Annotated[
        bool, Meta(description="whether the transcript is wanted piece by piece (server-sent events)")
    ] = False
    sample_rate: Annotated[int, Meta(ge=8000, le=48_000, description="of the audio that it is sent, in Hz")] = 16_000
