"""Cuts long audio into windows of 30 s, and joins their hypotheses into one transcript."""
