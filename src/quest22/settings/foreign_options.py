"""Options of other Whisper libraries for Python, and what they are called here."""

from __future__ import annotations

from types import MappingProxyType

FOREIGN_OPTIONS = MappingProxyType(
    {
        # faster-whisper
        "vad_filter": "vad='on'",
        "vad_parameters": "each is an option of its own, such as vad_min_silence_duration_ms",
        "without_timestamps": "timestamps=False, the default",
        "log_progress": "progress=True",
        "chunk_length": "chunk_length_s",
        "cpu_threads": "threads",
        "num_workers": "threads; workers are those that decode audio",
        "device_index": "device='cuda:1', or devices='0,1'",
        "download_root": "the environment's HF_HOME; a folder may be the model",
        "local_files_only": "the environment's HF_HUB_OFFLINE=1",
        "use_auth_token": "token",
        "language_detection_segments": "the windows of a recording vote on its language",
        "prompt_reset_on_temperature": "as in openai/whisper, above 0.5",
        # openai/whisper
        "fp16": "compute_type='float32' for fp16=False",
        "verbose": "progress=True",
        "in_memory": "the model is always in memory",
        "temperature_increment_on_fallback": "temperature=(0.0, 0.2, 0.4)",
        # Transformers
        "return_timestamps": "timestamps=True, or word_timestamps=True",
        "generate_kwargs": "what it holds are options here",
        "torch_dtype": "compute_type",
        "num_beams": "beam_size",
        "attn_implementation": "attention is always fused",
    }
)
"""By the name there: what says the same here, or why nothing does."""
