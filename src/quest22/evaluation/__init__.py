"""How well speech was heard: error rates with intervals, by group. Knows texts, not sound."""
