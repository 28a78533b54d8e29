"""How right the product is on real weights: error rates, invented words, times."""
