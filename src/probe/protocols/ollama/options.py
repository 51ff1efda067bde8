"""The options of an Ollama server in a target's configuration."""

from typing import Annotated, Any

from msgspec import Meta, Struct, field

_LEVELS = ("low", "medium", "high")
_TRUTH = {"true": True, "false": False}


def _thinking(value: Any) -> Any:
    # A variable of the environment is a text.
    value = _TRUTH.get(value, value) if isinstance(value, str) else value
    if not isinstance(value, bool) and value not in _LEVELS:
        raise ValueError(f"should be true, false or one of {', '.join(_LEVELS)}")
    return value


def _duration(value: Any) -> Any:
    """Seconds, or a text with a unit. Ollama refuses a text that is a bare number, as one of the environment may be."""
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            value = value.strip()
    if isinstance(value, bool) or not isinstance(value, str | int | float) or value == "":
        raise ValueError('should be seconds, or a text such as "10m"; -1 keeps it for ever')
    return value


class OllamaOptions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Options of the request."""

    model: Annotated[
        Annotated[str, Meta(min_length=1)] | None, Meta(description="the name in `ollama list`; Ollama requires one")
    ] = None
    keep_alive: Annotated[
        Any, _duration, Meta(description='how long the model stays loaded afterwards: seconds, "10m", -1 for ever')
    ] = None
    think: Annotated[
        Any, _thinking, Meta(description="true, false or a level; without it, models that can reason do")
    ] = None
    num_ctx: Annotated[
        Annotated[int, Meta(ge=1, le=2**31)] | None,
        Meta(description="the size of the context in tokens; what is beyond it is cut without a word"),
    ] = None
    max_tokens: Annotated[
        int,
        Meta(
            ge=0, le=1_000_000,
            description="the longest answer, reasoning included, sent as `num_predict`; 0 sends no limit",
        ),
    ] = 1024  # fmt: skip
    extra_options: Annotated[
        dict[str, Any], Meta(description="of the model, such as { seed = 1, top_p = 0.9 }, over anything of the above")
    ] = field(default_factory=dict)
