"""The page at ``/``: recordings and speech become text in a browser."""
