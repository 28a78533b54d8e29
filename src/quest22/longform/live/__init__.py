"""Speech that is still going on: text while it is said, committed word by word."""
