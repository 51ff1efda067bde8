"""The OpenAI-compatible reference server: chat by llama.cpp's own server, speech by a real engine, on one port."""
