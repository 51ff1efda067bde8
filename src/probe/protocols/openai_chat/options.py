"""The options of an OpenAI-compatible chat server in a target's configuration."""

from typing import Annotated, Any

from msgspec import Meta, Struct, field

# What the probe itself decides.
_OURS = ("messages", "stream")
_MOST_STOPS = 16


def _additions(body: dict[str, Any]) -> dict[str, Any]:
    if taken := [name for name in _OURS if name in body]:
        raise ValueError(f"{' and '.join(taken)} can't be replaced")
    return body


def _few(stops: list[str]) -> list[str]:
    if len(stops) > _MOST_STOPS:
        raise ValueError(f"should be at most {_MOST_STOPS}")
    return stops


class ChatOptions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Options of the request."""

    model: Annotated[
        Annotated[str, Meta(min_length=1)] | None,
        Meta(description="as the server calls it; without it, none is named, which servers of one model take"),
    ] = None
    max_tokens: Annotated[
        int, Meta(ge=0, le=1_000_000, description="the longest answer, reasoning included; 0 sends no limit")
    ] = 1024
    seed: Annotated[
        Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)] | None, Meta(description="makes a sampled answer repeatable")
    ] = None
    stop: Annotated[list[Annotated[str, Meta(min_length=1)]], _few, Meta(description="texts that end the answer")] = (
        field(default_factory=list)
    )
    # None: a setting that older runs had not is no change of what was measured.
    opens_reasoning: Annotated[
        bool | None,
        Meta(description="whether the chat template opens <think> itself: what comes before </think> is no answer"),
    ] = None
    extra_body: Annotated[
        dict[str, Any],
        _additions,
        Meta(description="merged into the request, such as { chat_template_kwargs = { enable_thinking = false } }"),
    ] = field(default_factory=dict)
