"""Speech from free synthesisers, as samples with word marks."""
