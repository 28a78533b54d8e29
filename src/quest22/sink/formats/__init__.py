"""What transcripts are written as: JSON lines, Parquet, captions. Knows no network."""
