"""Sound that is still being spoken: microphones, pipes, connections, files at their own pace."""
