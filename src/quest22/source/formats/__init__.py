"""The kinds of data files: rows out of Parquet, JSON lines, CSV, WebDataset and the rest."""
