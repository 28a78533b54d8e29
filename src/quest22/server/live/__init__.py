"""``/live``: a plain websocket for live audio, for the page and for programs."""
