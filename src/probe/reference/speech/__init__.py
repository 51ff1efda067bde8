"""Text to PCM: the speech engines of the reference TTS server and what turns their audio into bytes for the wire."""
