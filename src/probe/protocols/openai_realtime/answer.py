"""One response, event by event: its words as they are shown, its sound, and how it ended. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any

from probe.protocols.base import Done, Event, Malformed, Refused, SegmentEnd, Token, Unknown, Usage
from probe.protocols.base64_audio import MAX_PARSED_BYTES, decoded
from probe.protocols.fields import count_or_none, finish_reason
from probe.protocols.openai_realtime.errors import refusal
from probe.protocols.recognise import recognised
from probe.protocols.samples import Samples, wrong
from probe.text import storable

# Both dialects' names.
AUDIO = ("response.output_audio.delta", "response.audio.delta")
_AUDIO_DONE = ("response.output_audio.done", "response.audio.done")
_WORDS = (
    "response.output_audio_transcript.delta", "response.audio_transcript.delta",
    "response.output_text.delta", "response.text.delta",
)  # fmt: skip
_WORDS_DONE = (
    "response.output_audio_transcript.done", "response.audio_transcript.done",
    "response.output_text.done", "response.text.done",
)  # fmt: skip
DONE = "response.done"
# Why a response was cancelled: the server heard speech.
TURN_DETECTED = "turn_detected"


class Answer:
    """What a server says of one response, from its request on. `earlier` are those that were begun before that."""

    def __init__(self, earlier: frozenset[str] = frozenset()) -> None:
        # As the server calls it, once it has been created.
        self.name: str | None = None
        self.over = False
        # Whether we have asked for its end.
        self.cancelled = False
        # Whether a person speaks into it, so that the server may end it.
        self.spoken_into = False
        # The item that it becomes.
        self.item: str | None = None
        self._earlier = earlier
        self._samples = Samples()
        self._heard = False
        # Whether words have come since the last of them were said to be all; and how the text ends.
        self._going_on = False
        self._tail = ""

    def is_of_another(self, kind: str, name: Any) -> bool:
        """Whether an event that names this response is what is left of another, or of one that was there before.

        A name that is used again is that of a new one.
        """
        if not isinstance(name, str) or kind == "response.created":
            return False
        return name in self._earlier if self.name is None else name != self.name

    def take(self, kind: str, event: Mapping[str, Any], frame: bytes) -> Iterator[Event]:
        """What an event says; a Done or a fatal Refused is the end."""
        if self.item is None and isinstance(item := event.get("item_id"), str):
            self.item = item
        if kind in AUDIO:
            yield from self._audio(event.get("delta"), frame)
        elif kind in _AUDIO_DONE:
            yield SegmentEnd()
        elif kind in _WORDS:
            self._going_on = True
            yield from self._words(event.get("delta"))
        elif kind in _WORDS_DONE:
            yield from self._all_words(event)
        elif kind == DONE:
            yield from self._end(event.get("response"), frame)
        else:
            yield Unknown()

    def _words(self, text: Any) -> Iterator[Event]:
        if isinstance(text, bytes):
            yield Refused(f"a piece of text of more than {MAX_PARSED_BYTES // 2**10} KiB", reason="flood")
        if isinstance(text, str) and text:
            self._tail = text[-1]
            yield Token(storable(text))

    def _all_words(self, event: Mapping[str, Any]) -> Iterator[Event]:
        """Some show no piece by itself, but each sentence as a whole."""
        going_on, self._going_on = self._going_on, False
        text = next((each for name in ("transcript", "text") if isinstance(each := event.get(name), str)), "")
        if not going_on and text:
            apart = self._tail and not self._tail.isspace() and not text[0].isspace()
            yield from self._words(f" {text}" if apart else text)

    def _audio(self, delta: Any, frame: bytes) -> Iterator[Event]:
        if not isinstance(delta, str | bytes):
            yield Malformed("an event of audio without any")
            return
        pcm = decoded(delta, frame)
        if isinstance(pcm, Malformed):
            yield pcm
            return
        if pcm and not self._heard:
            self._heard = True
            kind, name = recognised(pcm, whole=True) or ("raw", "")
            if kind in ("wav", "compressed"):
                yield wrong(name)
                return
        yield from self._samples.take(pcm)

    def _end(self, response: Any, frame: bytes) -> Iterator[Event]:
        self.over = True
        found = response if isinstance(response, dict) else {}
        details = found.get("status_details")
        details = details if isinstance(details, dict) else {}
        status, reason = found.get("status"), finish_reason(details.get("reason"))
        yield from self._samples.rest()
        yield from _usage(found.get("usage"))
        if status == "failed":
            error = details.get("error")
            yield refusal(error if isinstance(error, dict) else {}, frame, fatal=True)
        elif status == "cancelled" and not (self.cancelled or self.spoken_into):
            yield _unasked(reason)
        else:
            # Whatever the server calls it.
            interrupted = status == "cancelled" and self.spoken_into
            yield Done(reason=TURN_DETECTED if interrupted else reason or finish_reason(status))


def _unasked(reason: str | None) -> Refused:
    if reason == TURN_DETECTED:
        return Refused("it took silence for speech, and ended its answer for it", reason="false_trigger")
    return Refused("it cancelled its response by itself")


def _usage(usage: Any) -> Iterator[Usage]:
    """The tokens of the text, if the server counts them separately from those of the sound."""
    usage = usage if isinstance(usage, dict) else {}
    details = usage.get("output_token_details")
    text = count_or_none(details.get("text_tokens")) if isinstance(details, dict) else None
    tokens = text or count_or_none(usage.get("output_tokens"))
    if tokens:
        yield Usage(tokens)
