"""Word and character error rates with confidence intervals, by group. Knows texts, not audio."""
