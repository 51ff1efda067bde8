"""The chunked LLM server, and the llama.cpp behind it."""
