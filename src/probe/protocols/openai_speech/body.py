"""The audio in a body: its own first bytes decide how it is read, then its type, and never what was asked for."""

from collections.abc import Iterator

from msgspec.structs import replace

from probe.protocols.base import Audio, AudioFormat, Refused
from probe.protocols.http_answers import MAX_BODY_BYTES, words_in
from probe.protocols.http_speech import Reading, Said
from probe.protocols.openai_speech.content_type import ContentType
from probe.protocols.openai_speech.wav import Wav
from probe.protocols.recognise import recognised
from probe.protocols.samples import Samples, wrong


class Document:
    """Words where audio should be, with a status that promises it."""

    complaint = True
    empty = ""

    def __init__(self, name: str) -> None:
        self._name = name
        self._body = bytearray()

    def feed(self, data: bytes) -> Iterator[Refused]:
        self._body += data[:MAX_BODY_BYTES]
        if len(self._body) >= MAX_BODY_BYTES:
            yield from self.end()

    def end(self) -> Iterator[Refused]:
        refused, words = wrong(self._name), words_in(bytes(self._body))
        yield replace(refused, said=words)


class Raw:
    """Samples and nothing else."""

    complaint = False
    empty = "an empty body"

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._samples = Samples()
        self._begun = False

    def feed(self, data: bytes) -> Iterator[Audio | AudioFormat]:
        if not self._begun:
            self._begun = True
            yield AudioFormat(self._rate)
        yield from self._samples.take(data)

    def end(self) -> Iterator[Audio]:
        return self._samples.rest()


class Body:
    """A body whose first bytes say what it is. `rate` is that of raw samples."""

    def __init__(self, declared: ContentType, rate: int) -> None:
        self._declared = declared
        self._rate = rate
        self._begin = bytearray()
        self._inner: Reading | None = None

    @property
    def complaint(self) -> bool:
        return self._inner is not None and self._inner.complaint

    @property
    def empty(self) -> str:
        return Raw.empty if self._inner is None else self._inner.empty

    def feed(self, data: bytes) -> Iterator[Said]:
        if self._inner is not None:
            yield from self._inner.feed(data)
            return
        self._begin += data
        yield from self._begun(whole=False)

    def end(self) -> Iterator[Said]:
        if self._inner is None and self._begin:
            yield from self._begun(whole=True)
        if self._inner is not None:
            yield from self._inner.end()

    def _begun(self, *, whole: bool) -> Iterator[Said]:
        begin = bytes(self._begin)
        known = recognised(begin, whole=whole)
        if known is None:
            return
        kind, name = known
        if kind == "compressed":
            yield wrong(name)
            return
        self._begin.clear()
        self._inner = self._of(kind, name)
        if self._inner is None:
            yield replace(wrong(self._declared.name), said=f"content-type: {self._declared.said}")
        else:
            yield from self._inner.feed(begin)

    def _of(self, kind: str, name: str) -> Reading | None:
        """How such a body is read; None where it is nothing that can be, and only its type names it."""
        if kind == "wav":
            return Wav()
        if kind == "text" or self._declared.kind == "text":
            return Document(self._declared.name if self._declared.kind == "text" else name)
        return Raw(self._rate) if self._declared.kind == "raw" else None
