"""A Whisper checkpoint as files: finds it, reads its configuration, tokens and weights."""
