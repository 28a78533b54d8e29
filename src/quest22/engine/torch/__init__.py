"""Whisper in plain PyTorch, for GPUs: the extra ``quest22[torch]``.

Needs torch, numpy, safetensors and tokenizers, and none of the CPU engine's libraries.
"""
