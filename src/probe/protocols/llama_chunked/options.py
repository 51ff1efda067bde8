"""The options of the chunked LLM server in a target's configuration."""

from typing import Annotated

from msgspec import Meta, Struct

from probe.urls import HttpUrl


class ChunkedOptions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the llama.cpp behind it can be asked."""

    llama_url: Annotated[
        HttpUrl | None,
        Meta(description="llama.cpp's own address: its slots show users that the chunked server does not know"),
    ] = None
