"""`/v1/chat/completions`, as defined by OpenAI and implemented by llama.cpp, vLLM, Ollama, SGLang and many others."""

from probe.protocols.declaration import ServerProtocol
from probe.protocols.openai_chat import questions
from probe.protocols.openai_chat.conversation import ChatConversation
from probe.protocols.openai_chat.options import ChatOptions

PROTOCOL = ServerProtocol(
    name="openai_chat",
    schemes=("http", "https"),
    default_url="http://localhost:8080/v1",
    framing="http1",
    options=ChatOptions,
    converse=ChatConversation,
    users=questions.users,
    identity=questions.identity,
    cold=questions.cold,
    advice=questions.advice,
    # vLLM and NIM, SGLang, LM Studio, TensorRT-LLM, llama.cpp by its newest documents, `probe serve openai`.
    ports=(8000, 30000, 1234, 8355, 9931, 8003),
    signs=questions.signs,
)
