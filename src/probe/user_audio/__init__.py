"""What a person says to a target that hears: recordings, or texts that the target's own TTS speaks once."""
