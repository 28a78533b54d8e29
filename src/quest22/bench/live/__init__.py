"""``quest22 bench live``: sound at its own pace into live sessions, and when each word came out."""
