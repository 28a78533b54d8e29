"""The Wyoming protocol, as used by Home Assistant, over TCP."""
