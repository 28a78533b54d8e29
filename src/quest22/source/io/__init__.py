"""Reading bytes over a network: range requests, prefetching, retries, and error messages."""
