"""Reads configurations and records of version 0.1, where a target was one flat table.

Standard library only: the record reads its own past with it.
"""

import re
from collections.abc import Mapping
from typing import Any

# A target's flat key -> the server that it belongs to, and its name there.
KEYS: Mapping[str, tuple[str, str]] = {
    "llm_url": ("llm", "url"),
    "llm_protocol": ("llm", "protocol"),
    "llama_url": ("llm", "llama_url"),
    "tts_url": ("tts", "url"),
    "tts_protocol": ("tts", "protocol"),
    "voice": ("tts", "voice"),
    "language": ("tts", "language"),
    "sample_rate": ("tts", "sample_rate"),
    "tts_mode": ("tts", "mode"),
}
# All that there were when failures did not name their server.
_SERVER_OF_STAGE: Mapping[str, str] = {"llm": "llm", "tts": "tts", "audio": "tts"}
# Each reason to skip a run that is ours, and what came before the quotation in a doubt.
_OUR_SKIPS = re.compile(
    r"the previous run is still going|interrupted"
    r"|(\d{1,10} streams? in use|a server does not say whether it is in use)(, still so after [\d.e+]{1,16} s)?"
)
_QUOTED = ", beginning with "
# Where something was only asked, beside every measure: it moved no latency.
ASKED_BESIDE = ("llama_url",)
# The same as KEYS, for those of its `limits`.
LIMITS: Mapping[str, tuple[str, str]] = {
    "gap_ms": ("tts", "gap_ms"),
    "hold_s": ("tts", "hold_s"),
    "flush_ms": ("tts", "flush_ms"),
}


def is_flat(target: Mapping[str, Any]) -> bool:
    """Whether a target's table has a key of version 0.1."""
    limits = target.get("limits")
    return not KEYS.keys().isdisjoint(target) or (isinstance(limits, Mapping) and not LIMITS.keys().isdisjoint(limits))


def record_as_today(record: dict[str, Any]) -> dict[str, Any]:
    """A record's JSON object as today's version writes it; what is written so already stays as it is.

    Raises KeyError, TypeError and AttributeError for what is no record at all.
    """
    record = _with_server_named(_with_stops_apart(record))
    record = record if "said" in record else _with_words_apart(record)
    target = record["plan"]["target"]
    if not is_flat(target):
        return record
    servers: dict[str, dict[str, Any]] = {"llm": {"options": {}}, "tts": {"options": {}}}
    for table, keys in ((target, KEYS), (target["limits"], LIMITS)):
        for key, (role, name) in keys.items():
            if table.get(key) is not None:
                place = servers[role] if name in ("url", "protocol") else servers[role]["options"]
                place[name] = table[key]
    rate = target["sample_rate"]
    kept = {key: value for key, value in target.items() if key not in KEYS}
    limits = {key: value for key, value in target["limits"].items() if key not in LIMITS}
    plan = record["plan"] | {"target": kept | {"limits": limits, "servers": servers}}
    turns = [turn | {"chunks": [_with_rate(each, rate) for each in turn["chunks"]]} for turn in record["turns"]]
    return record | {"plan": plan, "turns": turns}


def _with_stops_apart(record: dict[str, Any]) -> dict[str, Any]:
    """A run that its operator stopped used to count as one that failed."""
    failure = record.get("failure")
    if not failure or (failure["stage"], failure["reason"]) != ("internal", "interrupted"):
        return record
    return record | {"failure": None, "skipped": "interrupted"}


def _with_server_named(record: dict[str, Any]) -> dict[str, Any]:
    """Failures used to leave open which server it was: the one whose stage it is, or the last that did not open."""
    failure = record.get("failure")
    if not failure or "server" in failure:
        return record
    unopened = [each["server"] for each in record["connects"] if each["end"] is None and each["start"] <= failure["at"]]
    last = unopened[-1] if unopened else None
    server = last if failure["stage"] == "connect" else _SERVER_OF_STAGE.get(failure["stage"])
    return record | {"failure": failure | {"server": server}}


def _with_words_apart(record: dict[str, Any]) -> dict[str, Any]:
    """Messages used to quote what servers said: those of before are all treated as a server's words."""
    failure, skipped, doubts = record.get("failure"), record.get("skipped"), record.get("doubts") or ()
    said = [failure["detail"]] if failure else []
    ours = skipped is None or _OUR_SKIPS.fullmatch(skipped)
    return record | {
        "failure": failure | {"detail": ""} if failure else failure,
        "skipped": skipped if ours else "all its slots are taken",
        "doubts": [each.partition(_QUOTED)[0] for each in doubts],
        "said": said if ours else [*said, skipped],
    }


def _with_rate(chunk: dict[str, Any], rate: int) -> dict[str, Any]:
    return chunk | {"sample_rate": rate if chunk["frames"] else None}


def flat_target(target: Mapping[str, Any]) -> dict[str, Any]:
    """A target (a record's, as a dictionary) with the keys of version 0.1, and `role.key` for those that it had not.

    So that what was computed of a configuration then is computed of the same configuration now.
    """
    names = {place: key for key, place in KEYS.items()}
    limit_names = {place: key for key, place in LIMITS.items()}
    flat = {key: value for key, value in target.items() if key != "servers"}
    limits = dict(flat["limits"])
    for role, server in target["servers"].items():
        values = {"protocol": server["protocol"], "url": server["url"], **server["options"]}
        for name, value in values.items():
            if (role, name) in limit_names:
                limits[limit_names[role, name]] = value
            else:
                flat[names.get((role, name), f"{role}.{name}")] = value
    return flat | {"limits": limits}
