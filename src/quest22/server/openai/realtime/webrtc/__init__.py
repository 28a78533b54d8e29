"""Realtime sessions over WebRTC: audio as a media track, events on a data channel."""
