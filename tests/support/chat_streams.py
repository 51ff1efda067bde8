"""Answers of chat servers as they are on the wire, written by hand from what is known of each, and what they say."""

from dataclasses import dataclass

from probe.protocols.base import Answering, Done, Event, Malformed, Reasoned, Refused, ServerTimes, Token, Usage

REPORTED = "it reported an error"


@dataclass(frozen=True)
class Stream:
    """The body of one response of type text/event-stream, and the events that must result."""

    body: bytes
    events: tuple[Event, ...]


def thought(text: str) -> Token:
    return Token(text, "reasoning")


LLAMA_CPP = Stream(
    # The role and the first text at once; the server's times come with the usage.
    b': ping\n\n'
    b'data: {"choices":[{"finish_reason":null,"index":0,"delta":{"role":"assistant","content":null}}],"model":"m.gguf"}'
    b'\n\ndata: {"choices":[{"finish_reason":null,"index":0,"delta":{"role":"assistant"}}],'
    b'"prompt_progress":{"total":33,"cache":0,"processed":16,"time_ms":20}}\n\n'
    b'data: {"choices":[{"finish_reason":null,"index":0,"delta":{"content":"Caf\xc3\xa9"}}]}\n\n'
    b'data: {"choices":[{"finish_reason":null,"index":0,"delta":{"content":" \\ud83d\\udc67."}}]}\n\n'
    b'data: {"choices":[{"finish_reason":"stop","index":0,"delta":{}}]}\n\n'
    b'data: {"choices":[],"usage":{"completion_tokens":7,"prompt_tokens":33,"total_tokens":40,'
    b'"prompt_tokens_details":{"cached_tokens":0}},"timings":{"cache_n":0,"prompt_n":33,"prompt_ms":434.5,'
    b'"prompt_per_second":75.9,"predicted_n":7,"predicted_ms":46.25}}\n\n'
    b'data: [DONE]\n\n',
    (
        Answering("m.gguf"),
        Token("Café"),
        Token(" \U0001f467."),
        Done("stop"),
        ServerTimes({"prompt_ms": 434.5, "predicted_ms": 46.25}, 434.5),
        Usage(7, 33, 0),
    ),
)  # fmt: skip

# A reasoning parser that repeats its text under the older name; usage in each chunk; CRLF; no space behind the colon.
VLLM = Stream(
    b'data:{"id":"c","object":"chat.completion.chunk","model":"q","choices":[{"index":0,"delta":{"role":"assistant",'
    b'"content":""},"logprobs":null,"finish_reason":null}],"usage":{"prompt_tokens":9,"completion_tokens":0}}\r\n\r\n'
    b'data:{"choices":[{"index":0,"delta":{"reasoning":"Hm","reasoning_content":"Hm"},"finish_reason":null}],'
    b'"usage":{"prompt_tokens":9,"completion_tokens":2}}\r\n\r\n'
    b'data:{"choices":[{"index":0,"delta":{"content":"\\n\\n"},"finish_reason":null}]}\r\n\r\n'
    b'data:{"choices":[{"index":0,"delta":{"content":"Hello, you"},"finish_reason":null}]}\r\n\r\n'
    b'data:{"choices":[{"index":0,"delta":{"content":"."},"finish_reason":"length","stop_reason":null}]}\r\n\r\n'
    b'data:{"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":6,"total_tokens":15},'
    b'"metrics":{"time_to_first_token_ms":12.5,"queue_time_ms":0.5}}\r\n\r\n'
    b'data:[DONE]\r\n\r\n',
    (
        Answering("q"),
        Usage(0, 9),
        thought("Hm"),
        Usage(2, 9),
        thought("\n\n"),
        Token("Hello, you"),
        Token("."),
        Done("length"),
        ServerTimes({"time_to_first_token_ms": 12.5, "queue_time_ms": 0.5}, 12.5),
        Usage(6, 9),
    ),
)  # fmt: skip

OLLAMA = Stream(
    b'data: {"id":"chatcmpl-1","object":"chat.completion.chunk","model":"qwen3","system_fingerprint":"fp_ollama",'
    b'"choices":[{"index":0,"delta":{"role":"assistant","content":"","reasoning":"Well"},"finish_reason":null}]}\n\n'
    b'data: {"choices":[{"index":0,"delta":{"role":"assistant","content":"Yes"},"finish_reason":null}]}\n\n'
    b'data: {"choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":"stop"}]}\n\n'
    b'data: {"choices":[],"usage":{"prompt_tokens":11,"completion_tokens":3,"total_tokens":14}}\n\n'
    b'data: [DONE]\n\n',
    (Answering("qwen3"), thought("Well"), Token("Yes"), Done("stop"), Usage(3, 11)),
)  # fmt: skip


def said(*contents: str) -> bytes:
    """Content by content, as a server without a reasoning parser sends it."""
    return b"".join(b'data: {"choices":[{"delta":{"content":"%s"}}]}\n\n' % each.encode() for each in contents)


FINISH = b'data: {"choices":[{"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'

THINKING = Stream(
    said("<th", "ink>", "So", " 1 <", " 2</", "think>\\n", "\\n", "Is 1 <", " 2? <b>", " <") + FINISH,
    (
        thought(""), thought("<think>"), thought("So"), thought(" 1 "), thought("< 2"), thought("</think>"),
        thought("\n"), thought("\n"), Token("Is 1 "), Token("< 2? <b>"), Token(" "), Token("<"), Done("stop"),
    ),
)  # fmt: skip

# Of llama.cpp, about which nobody knows whether the last event ends: the line that is whole counts.
WITHOUT_LAST_EMPTY_LINE = Stream(said("Hi.") + FINISH.rstrip(), (Token("Hi."), Done("stop")))
WITHOUT_EMPTY_LINES = Stream(
    (said("Hi", ".") + FINISH).replace(b"\n\n", b"\n"), (Token("Hi"), Token("."), Done("stop"))
)
IN_SEVERAL_LINES = Stream(
    b'data: {"choices":\ndata: [{"delta":\ndata: {"content":"Hi"}}]}\n\n' + FINISH, (Token("Hi"), Done("stop"))
)
ONLY_DONE = Stream(said("Hi.") + b"data: [DONE]\n\n", (Token("Hi."), Done(None)))
ERROR_BEFORE_DONE = Stream(
    said("Hi") + b'data: {"error":{"message":"engine\\n died","type":"x","code":500}}\n\ndata: [DONE]\n\n',
    (Token("Hi"), Refused(REPORTED, "engine died"), Done(None)),
)
ERROR_FIELD = Stream(
    said("Hi") + b'error: {"code":500,"message":"out of memory","type":"server_error"}\n\n',
    (Token("Hi"), Refused(REPORTED, "out of memory"), Refused(
        "the LLM server ended its response before the end of its answer", reason="closed"
    )),
)  # fmt: skip
ERROR_EVENT = Stream(
    b'event: error\ndata: {"message":"no room","code":1}\n\n' + FINISH, (Refused(REPORTED, "no room"), Done("stop"))
)
FLAT_ERROR = Stream(
    b'data: {"object":"error","message":"too long","code":400}\n\n' + FINISH,
    (Refused(REPORTED, "too long"), Done("stop")),
)
NO_END = Stream(
    said("Hi"),
    (Token("Hi"), Refused("the LLM server ended its response before the end of its answer", reason="closed")),
)
TOOL = Stream(
    b'data: {"choices":[{"delta":{"content":null,"tool_calls":[{"index":0,"function":{"name":"f","arguments":""}}]}}]}'
    b'\n\ndata: {"choices":[{"delta":{},"finish_reason":"tool_calls"}]}\n\ndata: [DONE]\n\n',
    (Refused("the model called a tool (tool_calls) instead of answering", reason="no_answer"),),
)
GIVEN_UP = Stream(
    said("Hi") + b'data: {"choices":[{"delta":{},"finish_reason":"abort"}]}\n\n',
    (Token("Hi"), Refused("it gave up the answer (finish_reason abort)")),
)
UNOPENED = Stream(
    said("Hm", ".", "</think>", "\\n", "Hi") + FINISH,
    (Token("Hm"), Token("."), Reasoned(), thought("</think>"), thought("\n"), Token("Hi"), Done("stop")),
)
# In one piece there is nothing to be taken back.
UNOPENED_IN_ONE = Stream(
    said("Hm.</think>\\nHi") + FINISH, (thought("Hm."), thought("</think>"), Token("\nHi"), Done("stop"))
)
# Behind reasoning that was opened, such a word is one, and the answer stays the answer.
CLOSED_AGAIN = Stream(
    said("<think>", "Hm", "</think>", "Hi", "</think>", " there") + FINISH,
    (
        thought("<think>"), thought("Hm"), thought("</think>"), Token("Hi"), thought("</think>"), Token(" there"),
        Done("stop"),
    ),
)  # fmt: skip
CLOSED_FIRST = Stream(
    said("</think>", "\\n", "Hi") + FINISH, (thought("</think>"), thought("\n"), Token("Hi"), Done("stop"))
)
NOT_JSON = Stream(b"data: {oops\n\n" + FINISH, (Malformed("not JSON", "{oops"), Done("stop")))

STREAMS = {name: value for name, value in globals().items() if isinstance(value, Stream)}
