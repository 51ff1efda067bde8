"""Who is it? What the answers of servers that are looked for say, and what those of others do not."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.plan import ServerPlan
from probe.protocols import openai_models
from probe.protocols.inquiries import Exchange, Inquiry, Sign
from probe.protocols.llama_chunked import codec as chunked
from probe.protocols.magpie import codec as magpie
from probe.protocols.ollama_pages import listing
from probe.protocols.openai_chat import questions
from probe.protocols.registry import PROTOCOLS
from probe.protocols.wyoming import info

KNOWN = [each for protocols in PROTOCOLS.values() for each in protocols.values()]


def page(*models: dict[str, Any]) -> bytes:
    return json.dumps({"object": "list", "data": models}).encode()


VLLM = page({"id": "Qwen/Qwen3-8B", "owned_by": "vllm"})
KOKORO = page(*({"id": name, "owned_by": "kokoro"} for name in ("tts-1", "tts-1-hd", "kokoro")))
SPEACHES = page(
    {"id": "Systran/faster-whisper-small", "owned_by": "Systran", "task": "automatic-speech-recognition"},
    {"id": "speaches-ai/af", "owned_by": "speaches-ai", "task": "text-to-speech"},
)
LLAMA = page({"id": "/models/qwen3.gguf", "owned_by": "llamacpp"})


def test_a_list_of_models_says_who_chats_and_who_speaks() -> None:
    assert openai_models.chatting(VLLM) == Sign("vLLM", None, ("Qwen/Qwen3-8B",))
    assert openai_models.chatting(LLAMA) == Sign("llama.cpp", None, ("/models/qwen3.gguf",))
    assert openai_models.speaking(KOKORO) == Sign("Kokoro-FastAPI", None, ("tts-1", "tts-1-hd", "kokoro"))
    assert openai_models.speaking(SPEACHES) == Sign(None, None, ("speaches-ai/af",))
    assert [openai_models.chatting(each) for each in (KOKORO, SPEACHES)] == [None, None]
    assert [openai_models.speaking(each) for each in (VLLM, LLAMA)] == [None, None]


def test_a_server_of_both_is_both() -> None:
    both = page({"id": "gemma-3"}, {"id": "piper-en"}, {"id": "whisper-1"}, {"id": "nomic-embed-text"})
    assert openai_models.chatting(both) == Sign(None, None, ("gemma-3",))
    assert openai_models.speaking(both) == Sign(None, None, ("piper-en",))
    assert openai_models.hearing(both) == Sign(None, None, ("whisper-1",))


def test_who_hears_is_known_by_the_task_or_the_name_of_a_model() -> None:
    assert openai_models.hearing(SPEACHES) == Sign(None, None, ("Systran/faster-whisper-small",))
    assert openai_models.hearing(page({"id": "nvidia/parakeet-tdt"})) == Sign(None, None, ("nvidia/parakeet-tdt",))
    assert [openai_models.hearing(each) for each in (VLLM, KOKORO, LLAMA, b"{}", b"?")] == [None] * 5


def test_the_founding_servers_are_known_by_what_no_other_says() -> None:
    health = {"status": "ok", "llama_server": "healthy", "active_streams": 0}
    assert chunked.sign(json.dumps(health).encode()) == Sign("chunked LLM server")
    assert chunked.sign(b'{"status": "ok"}') is None
    config = {"sample_rate": 22000, "voices": ["aria"], "languages": ["en"]}
    assert magpie.sign(json.dumps(config).encode()) == Sign("Magpie TTS server")
    assert magpie.sample_rate(json.dumps(config).encode()) == 22000
    assert magpie.sign(b'{"voices": ["aria"]}') is None


def test_ollama_and_llama_cpp_are_known_by_their_own_pages() -> None:
    assert listing(b'{"models": [{"name": "a:1b"}, {"name": 3}, 4]}') == Sign("Ollama", None, ("a:1b",))
    assert listing(b'{"models": []}') == Sign("Ollama")
    assert listing(b'{"models": "none"}') is None
    props = {"model_path": "/m/q.gguf", "build_info": "b1"}
    assert questions.llama(json.dumps(props).encode()) == Sign("llama.cpp", "b1")
    assert questions.llama(b'{"build_info": "b1"}') is None


def test_a_wyoming_server_is_one_that_speaks_only_where_it_has_a_voice() -> None:
    assert info.sign({"tts": [{"name": "piper", "version": "2.5.2"}]}) == Sign("piper", "2.5.2")
    assert info.sign({"tts": [], "asr": [{"name": "whisper"}]}) is None
    assert info.sign({}) is None


def test_what_is_said_twice_is_said_once_and_the_first_word_counts() -> None:
    assert Sign("a", None, ("m",)) | Sign("b", "1", ("n", "m")) == Sign("a", "1", ("m", "n"))


SESSIONS = {"openai_realtime", "nim_realtime", "vllm_speech"}


@pytest.mark.parametrize("protocol", KNOWN, ids=lambda each: str(each.name))
def test_to_be_known_a_server_is_only_asked_what_makes_it_do_no_work(protocol: Any) -> None:
    """Over HTTP all of it is GET; over other framings it is a question of the protocol itself.

    Where a connection is a session, there are none: a server may have only one session.
    """
    signs = protocol.signs(ServerPlan(protocol.name, protocol.default_url))
    asked = signs or protocol.identity(ServerPlan(protocol.name, protocol.default_url))
    assert bool(asked) == (protocol.name not in SESSIONS)
    for each in signs:
        assert isinstance(each, Inquiry | Exchange)


_KEYS = st.sampled_from(["data", "models", "id", "name", "voices", "task", "tts"])
_FOREIGN = st.one_of(
    st.binary(max_size=60),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=9),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=3),
        max_leaves=8,
    ).map(lambda document: json.dumps(document).encode()),
)


@given(_FOREIGN)
def test_no_answer_raises(document: bytes) -> None:
    for protocol in KNOWN:
        for each in protocol.signs(ServerPlan(protocol.name, protocol.default_url)):
            if isinstance(each, Inquiry):
                found = each.read(document)
                assert found is None or isinstance(found, Sign)
