"""How many recordings a second a server transcribes, and what becomes of live sessions beside."""
