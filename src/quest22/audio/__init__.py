"""From a container's bytes to mono 16 kHz samples, and from samples to log-mel features."""
