"""``quest22 models``: what there is, what is on this machine, and what it takes; see ``app``."""
