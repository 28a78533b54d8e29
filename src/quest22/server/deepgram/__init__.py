"""Deepgram's API: ``/v1/listen`` over websockets and HTTP."""
