"""Realtime transcription as OpenAI's clients speak it.

settings      settings.py, fields.py      what a client sets, in GA's words and the beta's
events        event_sender.py                 events on their way to the client
items         conversation.py, item.py    what was said, turn by turn
session       session.py, configured.py      the session itself; knows no transport
transports    websocket.py, webrtc/       carry events and sound
"""
