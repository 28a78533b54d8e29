"""The web page at ``/``: transcribes recordings and live speech in a browser."""
