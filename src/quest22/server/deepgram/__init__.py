"""Deepgram's protocol: ``/v1/listen`` over websocket and REST."""
