"""The Magpie TTS server, both generations."""
