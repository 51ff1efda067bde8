"""What is right, wrong or unknown of a configured server, by what it says of itself; with what to do about it."""

from collections.abc import Iterator, Sequence
from typing import Any, Literal

from msgspec import Struct

from probe.plan import ServerPlan
from probe.protocols.inquiries import Sign
from probe.report.format import wrapped

State = Literal["ok", "wrong", "unknown"]
_MOST_NAMES = 12


class Finding(Struct, frozen=True):
    """One thing that was looked at.

    `about` is reachable, protocol, advice, model, voice, users or sample_rate; of an exporter reachable, figures or
    missing.
    """

    about: str
    state: State
    text: str

    def lines(self, width: int) -> Iterator[str]:
        yield from wrapped(self.text, width, f"  {self.state:<9}")


class Answers(Struct, frozen=True):
    """What a server that can be reached said. None where it did not, or can't be asked.

    `signs`: whether its protocol can be recognised at all; `instead`: who is there where this protocol was not
    recognised, and `does_the_same`: whether one of those does the same work, so that it may have both.
    `users`: None where it can't be asked. `audio_rate` is the one that it states. `hears`: its audio is ours.
    """

    sign: Sign | None
    signs: bool
    instead: Sequence[str]
    does_the_same: bool
    voices: tuple[str, ...] | None
    asks_voices: bool
    users: int | str | None
    audio_rate: int | None
    advice: str | None = None
    hears: bool = False


def unreachable(error: str, instead: Sequence[str]) -> Iterator[Finding]:
    """Of a server without a connection."""
    yield Finding("reachable", "wrong", error)
    if instead:
        yield Finding("protocol", "wrong", f"protocol: {_there(instead)}: set protocol and url to that")


def of(server: ServerPlan, answers: Answers) -> Iterator[Finding]:
    """All there is to say of one that is connected to, thing by thing."""
    yield _protocol(server, answers)
    if answers.advice is not None:
        # A server that is none of this protocol, or hides what it is, is only likely to be meant.
        yield Finding("advice", "unknown" if answers.sign is None else "wrong", answers.advice)
    yield from _model(server, answers)
    yield from _voice(server, answers)
    if answers.users == "unknown":
        text = "users: it does not say who uses it: the daemon can't wait for them; see courtesy.unknown"
        yield Finding("users", "unknown", text)
    elif answers.users is not None:
        yield Finding("users", "ok", f"users: {answers.users} now")
    if not answers.hears:
        yield from _sample_rate(server, answers)


def _protocol(server: ServerPlan, answers: Answers) -> Finding:
    sign, name = answers.sign, server.protocol
    if sign is not None:
        who = " ".join(filter(None, (sign.program, sign.version)))
        return Finding("protocol", "ok", f"protocol: {name}{f' ({who})' if who else ''}")
    if answers.instead:
        there = _there(answers.instead)
        if answers.does_the_same:
            text = f"protocol: nothing says that it is {name}; {there}: if that is meant, set protocol to it"
            return Finding("protocol", "unknown", text)
        return Finding("protocol", "wrong", f"protocol: not {name}; {there}: set url to another server")
    why = "it does not say that it speaks it" if answers.signs else "it can't be asked"
    return Finding("protocol", "unknown", f"protocol: {name}, but {why}; `probe run` shows it")


def _there(instead: Sequence[str]) -> str:
    return f"what answers there is {' and '.join(instead)}"


def _model(server: ServerPlan, answers: Answers) -> Iterator[Finding]:
    models = () if answers.sign is None else answers.sign.models
    wanted = server.options.get("model")
    if not models:
        if wanted is not None:
            yield Finding("model", "unknown", f"model: it lists none, so {wanted} may be right; `probe run` shows it")
    elif wanted is None and len(models) > 1:
        yield Finding("model", "unknown", f"model: none is set, and it has {_few(models)}; set model")
    elif wanted is None or wanted in models or f"{wanted}:latest" in models:
        yield Finding("model", "ok", f"model: {wanted or models[0]}")
    elif answers.sign is not None and answers.sign.program == "llama.cpp" and len(models) == 1:
        yield Finding(
            "model", "unknown", f"model: it answers with {models[0]}, whatever is asked for; set model to that"
        )
    else:
        yield Finding("model", "wrong", f"model: it has no {wanted}, but {_few(models)}; set model to one of them")


def _voice(server: ServerPlan, answers: Answers) -> Iterator[Finding]:
    voice = server.options.get("voice")
    if voice is None:
        return
    if answers.voices is None:
        why = "it does not list its voices" if answers.asks_voices else "servers take this name without listing it"
        yield Finding("voice", "unknown", f"voice: {voice}; {why}, `probe run` shows it")
    elif voice in answers.voices:
        yield Finding("voice", "ok", f"voice: {voice}")
    else:
        yield Finding(
            "voice", "wrong", f"voice: it has no {voice}, but {_few(answers.voices)}; set voice to one of them"
        )


def _sample_rate(server: ServerPlan, answers: Answers) -> Iterator[Finding]:
    expected: Any = server.options.get("sample_rate")
    stated = answers.audio_rate
    if stated is None:
        if expected is not None:
            text = (
                f"sample rate: not said before it speaks; {expected} Hz is taken where its audio does not say, either"
            )
            yield Finding("sample_rate", "unknown", text)
    elif expected is None or expected == stated:
        yield Finding("sample_rate", "ok", f"sample rate: {stated} Hz")
    else:
        text = f"sample rate: it states {stated} Hz, and {expected} are configured; set sample_rate = {stated}"
        yield Finding("sample_rate", "wrong", text)


def _few(names: Sequence[str]) -> str:
    more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    return f"{', '.join(names[:_MOST_NAMES])}{more}"
