"""A realtime session over WebRTC: sound as a track, events on a data channel."""
