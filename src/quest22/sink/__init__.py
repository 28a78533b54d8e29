"""Where transcripts and failures are written."""
