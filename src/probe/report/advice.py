"""What to try after a failure, by its stage and reason: the last column of docs/failures.md."""

from collections.abc import Mapping

from probe.record import Failure, Stage

_ADVICE: Mapping[tuple[Stage, str], str] = {
    ("connect", "refused"): "start the server, or correct host and port in its URL",
    ("connect", "dns"): "correct the host in the URL",
    ("connect", "timeout"): "look at the server's log, and for a firewall that swallows packets",
    ("connect", "unreachable"): "check the route and the address",
    ("connect", "tls"): "check the certificate, and whether the URL should begin with wss:// or https://",
    ("connect", "not_websocket"): "correct the URL: a server with an HTTP API has http://HOST:PORT/v1, the chunked "
    "LLM server ws://HOST:PORT/ws, its TTS server ws://HOST:PORT/ws/tts/stream",
    ("connect", "unauthorized"): "set headers of the target's llm or tts; the detail says whether any were sent",
    ("connect", "not_found"): "check the path; enter the address that it redirects to",
    ("connect", "loading"): "wait; a large model takes minutes",
    ("connect", "unavailable"): "see whether the server behind the proxy is running; look at its log",
    ("connect", "server_error"): "look at the server's log",
    ("connect", "closed"): "look at the server's log",
    ("stt", "timeout"): "see whether the STT server is frozen or overloaded",
    ("stt", "closed"): "look at the STT server's log",
    ("stt", "malformed"): "check that the URL is that of the STT server, and its protocol",
    ("stt", "server_error"): "do what the server says, or look at its log",
    (
        "stt",
        "never_ended",
    ): 'check the server\'s voice activity detection, or have the probe end the audio (endpointing = "probe")',
    ("stt", "ended_early"): "allow longer pauses in the server's voice activity detection (silence duration)",
    ("stt", "false_trigger"): "make the server's voice activity detection less sensitive (threshold, shortest speech)",
    ("stt", "no_transcript"): "check the model and the language of the STT server, and the level of the recording",
    ("stt", "not_understood"): "check the language of the STT server, and whether the recording says user_turns",
    ("stt", "audio_refused"): "see whether the server takes audio in, and in which form; without endpointing, an agent "
    "is asked in text",
    (
        "stt",
        "not_interrupted",
    ): "see whether the server lets speech interrupt it (interrupt_response of its turn detection)",
    ("stt", "flood"): "look at the STT server's log",
    ("stt", "run_deadline"): "a shorter recording, or a larger run_s",
    ("stt", "unauthorized"): "set headers of the target's stt",
    ("stt", "not_found"): "check the URL (does it end in /v1?) and the model",
    ("stt", "loading"): "wait; a large model takes minutes",
    ("stt", "unavailable"): "see whether the STT server is up; look at its log",
    ("llm", "timeout"): "see whether the LLM server, or what stands behind it, is frozen or overloaded",
    ("llm", "closed"): "look at the LLM server's log",
    ("llm", "malformed"): "check that the URL is that of the LLM server, and its protocol",
    ("llm", "server_error"): "do what the server says, or look at its log",
    ("llm", "connection_error"): "start what stands behind the LLM server again",
    ("llm", "empty_response"): "look at the LLM server's log, or try a simpler prompt",
    ("llm", "no_progress"): "look at the model's template and stop tokens",
    ("llm", "flood"): "look at the LLM server's log",
    ("llm", "run_deadline"): "a shorter prompt, or a larger run_s",
    ("llm", "unauthorized"): "set headers of the target's llm, or --llm-header",
    ("llm", "not_found"): "check the URL (does it end in /v1?) and the model",
    ("llm", "loading"): "wait; a large model takes minutes",
    ("llm", "unavailable"): "see whether the LLM server is up; look at its log",
    ("llm", "no_answer"): "turn thinking off, or allow more tokens",
    (
        "tts",
        "no_stream",
    ): "wait until the TTS server has loaded its model, or start it again; one that takes no streams "
    "of text wants whole ones",
    ("tts", "no_audio"): "choose another voice, or start the engine again; an older server with a large "
    'TARGET_AUDIO_MS needs a flush_ms to match, and generation = "older"',
    ("tts", "unknown_voice"): "choose one of its voices (--voice); the detail names them where the server does",
    ("tts", "timeout"): "look at the TTS server's log: its engine hangs",
    ("tts", "closed"): "look at the TTS server's log",
    ("tts", "malformed"): "check that the URL is that of the TTS server, and its protocol",
    ("tts", "server_error"): "do what the server says, or look at its log",
    ("tts", "ended_early"): "look at the TTS server's log: it dropped the stream",
    ("tts", "flood"): "look at the TTS server's log",
    ("tts", "run_deadline"): "a shorter response, or a larger run_s",
    ("tts", "unauthorized"): "set headers of the target's tts, or --tts-header",
    ("tts", "not_found"): "check the URL (does it end in /v1?), the model and the voice",
    ("tts", "loading"): "wait; a large model takes minutes",
    ("tts", "unavailable"): "see whether the TTS server is up; look at its log",
    ("tts", "wrong_format"): "have the server send wav or pcm (response_format); the detail names what came",
    ("audio", "missing"): "listen with --save-audio; look at the TTS server's log",
    ("audio", "silent"): "listen with --save-audio: the engine is broken",
    ("audio", "noise"): "listen with --save-audio: the engine's output is garbage (NaN, wrong sample "
    "format), or its noise floor",
    ("audio", "odd_bytes"): "check the encoding that the TTS server sends",
    ("audio", "hum"): "listen with --save-audio: the engine is broken, or a sound card's input was recorded",
    ("audio", "clicks"): "look at the TTS server's log: its buffers are empty or too short",
    ("audio", "text"): "look at the TTS server's log; --json says which chunk",
    ("audio", "too_short"): "look at the TTS server's log: the engine gave up",
    ("audio", "too_long"): "listen with --save-audio: the engine has lost its thread, or sample_rate is far off",
    ("internal", "interrupted"): "nothing: the LLM server's slot was released",
    ("internal", "user_audio"): (
        "check the recording, its rights and its level, or the TTS server that made it; the detail says what is wrong"
    ),
    ("internal", "error"): "do what the detail says, or report it",
}


_CREDENTIALS = "set headers of the target's agent; the detail says whether any were sent"


def advice(failure: Failure) -> str | None:
    """What to do about it; None for a reason that is not known here."""
    found = _ADVICE.get((failure.stage, failure.reason))
    if found is None or failure.server != "agent":
        return found
    # It is what the others are on other targets.
    of_agent = found.replace("LLM server", "agent").replace("TTS server", "agent").replace("STT server", "agent")
    return _CREDENTIALS if failure.reason == "unauthorized" else of_agent
