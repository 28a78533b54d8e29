"""The native library: Whisper in C, compiled at installation where there is a C compiler."""
