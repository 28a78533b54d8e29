"""Everything about the GPU engine in one command: checks, ceilings, speed, and other programs."""
