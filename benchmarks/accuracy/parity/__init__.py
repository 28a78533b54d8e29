"""The product beside its references on real weights and people's recordings, in float32.

``python -m benchmarks.accuracy.parity`` compares token by token, and names the cause of each
difference. Needs PyTorch, Transformers, openai-whisper and faster-whisper, the weights that ``make
weights`` fetches, and a folder of recordings (``$QUEST22_SPEECH``).
"""
