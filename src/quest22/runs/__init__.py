"""Runs into a folder: begun, continued after a crash, retried, sharded, published, described."""
