"""Coverage-guided: any bytes, decoded as a frame of either server, are an event and never an exception.

make fuzz
"""

import sys

import atheris

with atheris.instrument_imports(include=["probe"]):
    from probe.protocols.llama_chunked import codec as chunked
    from probe.protocols.llama_chunked.codec import LlamaChunked
    from probe.protocols.llama_slots import slots_at_work
    from probe.protocols.magpie import codec as magpie
    from probe.protocols.magpie.codec import MagpieTts

STREAM = "s"
LLM, TTS = LlamaChunked(), MagpieTts()


def one_frame(data: bytes) -> None:
    """The first byte says how the frame came."""
    binary, frame = data[:1] == b"\x01", data[1:]
    for event in (LLM.decode(frame, binary=binary, stream_id=STREAM), TTS.decode(frame, binary=binary)):
        for name in ("content", "text", "reason", "message", "detail", "said"):
            text = getattr(event, name, None)
            if text is not None:
                text.encode()
    for number in (chunked.users(frame), slots_at_work(frame)):
        if number is not None and number < 0:
            raise AssertionError(f"{number} users")
    for voice in magpie.voices(frame) or ():
        voice.encode()


if __name__ == "__main__":
    atheris.Setup(sys.argv, one_frame)
    atheris.Fuzz()
