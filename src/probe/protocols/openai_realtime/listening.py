"""The speech of one turn, as a server hears it: its end, and its words. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any

from msgspec.structs import replace

from probe.protocols.base import Event, Malformed, Refused, SpeechStopped, Unknown
from probe.protocols.hearing import MAX_EVENTS, understood
from probe.protocols.openai_realtime.errors import refusal

_STARTED = "input_audio_buffer.speech_started"
_STOPPED = "input_audio_buffer.speech_stopped"
_TRANSCRIPT = "conversation.item.input_audio_transcription."
# Each of these names the item that the speech becomes.
_NAMING = (_STARTED, _STOPPED, "input_audio_buffer.committed")
_UNDERSTOOD = (f"{_TRANSCRIPT}completed", f"{_TRANSCRIPT}failed")
# More than a turn has.
_MOST_ITEMS = 50
# All that is said of it begins so.
OF_SPEECH = ("input_audio_buffer.", _TRANSCRIPT)
# Of an `error`: what was sent was wrong, not the server out of order.
_OURS = "invalid_request_error"


class Listening:
    """What a server says of one turn's speech. `earlier` are the items of other turns.

    `open`: the server is being sent audio, and neither it nor the probe has found the end. `unsaid`: a server that
    finds it has not said so, though it may have begun to answer.
    """

    def __init__(self, earlier: frozenset[str] = frozenset(), *, unsaid: bool = False) -> None:
        self.open = True
        self.unsaid = unsaid
        self._events = 0
        # Whether a person speaks into the answer: what is named for the first time now is that speech.
        self.spoken_into = False
        # The events with audio that were sent, by their names.
        self.sent: set[str] = set()
        self._earlier = earlier
        # What is said becomes an item; so does what is said into the answer.
        self._own: set[str] = set()
        self._into: set[str] = set()

    @property
    def items(self) -> frozenset[str]:
        """Of this turn and of those before."""
        return self._earlier.union(self._own, self._into)

    def take(self, kind: str, event: Mapping[str, Any], frame: bytes) -> Iterator[Event]:
        """Read one of the events whose names begin as OF_SPEECH says."""
        self._events += 1
        if self._events > MAX_EVENTS:
            yield Refused(f"more than {MAX_EVENTS} events about what was said in one turn", reason="flood")
            return
        item = event.get("item_id")
        if kind in (*_NAMING, *_UNDERSTOOD) and isinstance(item, str):
            self._note(kind, item)
        if isinstance(item, str) and (item in self._earlier or item in self._into):
            # What was said before, understood late; or into the answer.
            yield Unknown()
            return
        if kind == _STOPPED and (self.open or self.unsaid):
            self.open = self.unsaid = False
            yield SpeechStopped()
        elif kind == f"{_TRANSCRIPT}completed":
            text = event.get("transcript")
            yield understood(text) if isinstance(text, str) else Malformed("a transcript without a text")
        elif kind == f"{_TRANSCRIPT}failed":
            error = event.get("error")
            refused = refusal(error if isinstance(error, dict) else {}, frame, fatal=True)
            yield replace(refused, message="it could not transcribe the speech", busy=False, reason="no_transcript")
        else:
            yield Unknown()

    def _note(self, kind: str, item: str) -> None:
        if kind == _STARTED and self.open:
            # What was said into an answer is cleared and becomes no item: some servers use its name again.
            self._earlier -= {item}
        if len(self._own) + len(self._into) >= _MOST_ITEMS:
            return
        if (kind == _STARTED and not self.open) or (self.spoken_into and kind in _NAMING and item not in self._own):
            self._into.add(item)
        elif item not in self._into:
            self._own.add(item)

    def is_meant(self, error: Mapping[str, Any]) -> bool:
        """Whether an `error` is about the audio; one that names nothing is, as long as nothing else was sent."""
        about = error.get("event_id")
        if isinstance(about, str) and about:
            return about in self.sent
        return self.open or _of_audio(error)

    def refusal(self, error: Mapping[str, Any], frame: bytes) -> Refused:
        """What an `error` about the audio says."""
        refused = refusal(error, frame, fatal=True)
        named = isinstance(about := error.get("event_id"), str) and about != ""
        wrong = named or error.get("type") == _OURS or _of_audio(error)
        refuses = wrong and refused.reason == "server_error" and not refused.busy
        return replace(refused, message="it does not take audio", reason="audio_refused") if refuses else refused


def _of_audio(error: Mapping[str, Any]) -> bool:
    return str(error.get("code")).startswith("input_audio_buffer")
