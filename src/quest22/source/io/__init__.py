"""Bytes over a network: fetched ahead, by ranges, retried, named in errors."""
