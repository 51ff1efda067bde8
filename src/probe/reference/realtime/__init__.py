"""A reference agent: OpenAI Realtime on llama.cpp and a real speech engine, asked in text or by voice."""
