"""What an agent says that went wrong, as a reason, and whether it is busy with others. Pure."""

from collections.abc import Mapping
from typing import Any

from probe.protocols.base import Refused
from probe.protocols.fields import REPORTED, complaint

# As OpenAI and others write them, in the error's `code` or in its `type`.
_BUSY = frozenset(
    ("session_limit_reached", "rate_limit_exceeded", "too_many_sessions", "max_sessions_reached", "server_busy")
)
_REASONS: Mapping[str, str] = {
    "invalid_api_key": "unauthorized", "unauthorized": "unauthorized", "authentication_error": "unauthorized",
    "model_not_found": "not_found", "not_found": "not_found", "not_found_error": "not_found",
    "model_loading": "loading", "model_load_error": "unavailable", "service_unavailable": "unavailable",
}  # fmt: skip
# There is nothing to be cancelled: the answer was over.
_OVER = frozenset(("response_cancel_not_active",))


def refusal(error: Mapping[str, Any], frame: bytes, *, fatal: bool) -> Refused:
    """The `error` of an event, or of a response that failed.

    With who is busy the run can't go on; and with another voice than the one that was asked for, it must not.
    """
    names = _names(error)
    busy = not names.isdisjoint(_BUSY)
    reason = next((_REASONS[name] for name in names if name in _REASONS), "server_error")
    if str(error.get("param")).endswith("voice"):
        reason = "unknown_voice"
    fatal = fatal or busy or reason == "unknown_voice"
    message = "all its sessions are taken, or too many requests were made" if busy else REPORTED
    return Refused(message, complaint(error.get("message"), frame), fatal=fatal, busy=busy, reason=reason)


def is_about_nothing(error: Mapping[str, Any]) -> bool:
    """Whether it only says that a response was over before we cancelled it."""
    return not _names(error).isdisjoint(_OVER)


def _names(error: Mapping[str, Any]) -> set[str]:
    return {value for name in ("code", "type") if isinstance(value := error.get(name), str)}
