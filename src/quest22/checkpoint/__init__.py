"""A Whisper checkpoint as files: found, read, its tokens and weights named. Runs nothing."""
