"""A run's talk with a Riva server: a call of `SynthesizeOnline` for each text, on one connection while it is open."""

from collections.abc import Iterable

from probe.plan import ServerPlan
from probe.protocols.base import Close, Step
from probe.protocols.http_speech import HttpSpeech, Reading, Said
from probe.protocols.riva import wire
from probe.protocols.riva.call import Call, called, read_as
from probe.transport.framing.base import BodyEnd, Request, Response

SERVICE = "/nvidia.riva.tts.RivaSpeechSynthesis"
SYNTHESIZE = f"{SERVICE}/SynthesizeOnline"
# 16 bit, of the encodings that there are.
_LINEAR_PCM = 1
_TEXT, _LANGUAGE, _ENCODING, _RATE, _VOICE = range(1, 6)


class RivaConversation(HttpSpeech):
    """One text per call. The answer is messages of samples, and ends with a status behind them."""

    @property
    def sample_rate(self) -> int:
        rate: int = self._server.options["sample_rate"]
        return rate

    def request(self, text: str) -> Request:
        return called(SYNTHESIZE, spoken(self._server, text), self._server.options.get("deadline_s"))

    def reading(self, response: Response) -> Reading:
        return read_as(response, SYNTHESIZE, self.sample_rate)

    def trailed(self, reading: Reading, end: BodyEnd) -> Iterable[Said]:
        return reading.trailed(end.trailers) if isinstance(reading, Call) else reading.end()

    def cancel(self) -> Iterable[Step]:
        """Reset the call: not every proxy reports the end of a connection to the server."""
        return (Close(),)


def spoken(server: ServerPlan, text: str) -> bytes:
    """The message that has a text spoken."""
    options = server.options
    return wire.message(
        {
            _TEXT: text,
            _LANGUAGE: options["language"],
            _ENCODING: _LINEAR_PCM,
            _RATE: options["sample_rate"],
            _VOICE: options.get("voice", ""),
        }
    )
