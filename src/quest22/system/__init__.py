"""What the operating system gives: cores, memory, mapped files."""
