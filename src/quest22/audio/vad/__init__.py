"""Where in a clip's sound somebody speaks (voice activity detection)."""
