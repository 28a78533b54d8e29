"""Takes recordings from sockets to the decoder while they arrive; speaks no protocol."""
