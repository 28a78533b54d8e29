"""Encoder and decoder in machine code of our own; see ``quest22/native``."""
