"""Who may use the server, how much, and whether there is room now."""
