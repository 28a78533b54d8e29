"""Where clips come from: datasets that stream, files, folders, URLs, standard input."""
