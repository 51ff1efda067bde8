"""A run's talk with a server of `/v1/audio/speech`."""

from urllib.parse import urlsplit

from probe.protocols.base import Terms
from probe.protocols.http_speech import HttpSpeech, Reading
from probe.protocols.openai_speech import request
from probe.protocols.openai_speech.answer import reading_of
from probe.transport.framing.base import Request, Response


class SpeechConversation(HttpSpeech):
    """A request for each text, whose answer says itself what it is."""

    def __init__(self, terms: Terms) -> None:
        super().__init__(terms)
        self._path = urlsplit(request.target(terms.server)).path

    def request(self, text: str) -> Request:
        return request.speech(self._server, text)

    def reading(self, response: Response) -> Reading:
        return reading_of(response, self._path, self.sample_rate)
