"""Sources of clips: streamed datasets, files, folders, URLs and standard input."""
