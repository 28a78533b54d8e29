"""Our own protocol for live sound: a plain websocket, for the page and for programs."""
