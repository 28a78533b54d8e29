"""``quest22 live``: what people say, while they say it."""
