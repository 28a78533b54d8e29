"""Transcripts published as a dataset on the Hugging Face Hub."""
