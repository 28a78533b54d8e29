"""The embedded sample dataset, and a local server to stream it from."""
