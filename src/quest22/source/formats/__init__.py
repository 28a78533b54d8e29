"""Readers of data files: Parquet, JSON lines, CSV, WebDataset, and all that ``datasets`` reads."""
