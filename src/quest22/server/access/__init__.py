"""Access control: keys, limits, capacity, origins, slow clients."""
