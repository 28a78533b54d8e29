"""Whisper on a CPU through OpenVINO: graphs made straight from a checkpoint's weights."""
