"""Long sound to 30 s windows, and the windows' hypotheses back to one transcript."""
