"""PCM to text: the speech recogniser of the reference STT server."""
