"""OpenAI's protocols: REST, and Realtime transcription over websocket and WebRTC."""
