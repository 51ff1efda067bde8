"""The options of a server of `/v1/audio/speech` in a target's configuration."""

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct


class SpeechOptions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is asked for. What comes is read from the answer itself, whatever was asked for.

    The voice is OpenAI's own first one: servers with other voices mostly map OpenAI's names to theirs. PCM is the
    default format because a container is a header to wait for, and a compressed one can't be measured.
    """

    model: Annotated[str | None, Meta(min_length=1, description="a model of the server; some want none")] = None
    voice: Annotated[str, Meta(min_length=1, description="a voice of the server")] = "alloy"
    language: Annotated[
        str | None, Meta(min_length=1, description="sent as `language`, which only some servers know")
    ] = None
    response_format: Annotated[Literal["pcm", "wav"], Meta(description="the audio that is asked for")] = "pcm"
    stream_format: Annotated[
        Literal["none", "audio", "sse"],
        Meta(description="bytes or server-sent events; none: not sent, for older servers"),
    ] = "none"
    sample_rate: Annotated[
        int, Meta(ge=8000, le=192_000, description="of raw PCM whose answer does not say, in Hz; it is not sent")
    ] = 24000
    speed: Annotated[float | None, Meta(ge=0.25, le=4.0, description="1 is the voice's own")] = None
    instructions: Annotated[str | None, Meta(min_length=1, description="how to speak, for models that listen")] = None
    concurrency: Annotated[
        int, Meta(ge=1, le=8, description="requests that may be unanswered at a time, each on its own connection")
    ] = 1
    extra_body: Annotated[
        dict[str, Any], Meta(description="what else goes into the request's JSON, over anything of the above")
    ] = {}
