"""OpenAI's Realtime transcription API.

settings      settings.py, fields.py               what a client can set, in GA and in the beta
events        event_sender.py                      events sent to the client
items         conversation.py, item.py             one item per turn
session       session.py, configured_session.py    independent of the transport
transports    websocket.py, webrtc/                carry events and audio
HTTP          call_routes.py, secret_routes.py     start calls, create client secrets
"""
