"""The page at ``/``: drop a recording, or speak."""
