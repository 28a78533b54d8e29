"""``python -m recipes.nano.pack``: turn the training state into a standard Whisper checkpoint.

Writes float16 weights under the names of Transformers, with the whole official vocabulary: rows
that training never used share one vector, so the file packs small.
"""

from __future__ import annotations

import argparse
import json
import lzma
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from quest22.settings.languages import LANGUAGES as OFFICIAL
from recipes.nano.config import ROOT, Config, Shape, load
from recipes.nano.model import FRAMES, MELS, POSITIONS, TEXT_POSITIONS, Nano, sinusoids
from recipes.nano.train import vocabulary
from recipes.nano.vocabulary import (
    END,
    LANGUAGES,
    LETTERS,
    NO_SPEECH,
    NO_TIMESTAMPS,
    OFFICIAL_SIZE,
    PREVIOUS,
    START,
    TRANSCRIBE,
    TRANSLATE,
    Vocabulary,
)

FOLDER = ROOT / "src" / "quest22" / "checkpoint" / "nano"
LARGEST_FILE, LARGEST_PACKED = 16_000_000, 6_000_000
NOT_SPEECH = (
    1, 2, 7, 8, 9, 10, 14, 25, 26, 27, 28, 29, 31, 58, 59, 60, 61, 62, 63, 90, 91, 92, 93, 359,
    503, 522, 542, 873, 893, 902, 918, 922, 931, 1350, 1853, 1982, 2460, 2627, 3246, 3253, 3268,
    3536, 3846, 3961, 4183, 4667, 6585, 6647, 7273, 9061, 9383, 10428, 10929, 11938, 12033, 12331,
    12562, 13793, 14157, 14635, 15265, 15618, 16553, 16604, 18362, 18956, 20075, 21675, 22520,
    26130, 26161, 26435, 28279, 29464, 31650, 32302, 32470, 36865, 42863, 47425, 49870, 50254,
)  # fmt: skip
SUPPRESSED = (*NOT_SPEECH, START, TRANSLATE, TRANSCRIBE, 50360, PREVIOUS, NO_SPEECH)
OFFICIAL_LANGUAGES = 99


def weights(model: Nano, words: Vocabulary) -> dict[str, Tensor]:
    """All tensors of the checkpoint, float16."""
    state = model.state_dict()
    table = model.decoder.embeddings().detach()
    rows = table[-1:].repeat(OFFICIAL_SIZE, 1)
    rows[torch.tensor(words.used)] = table[:-1]
    skipped = ("ctc.", "decoder.stamp_proj.", "decoder.embed_tokens.")
    tensors = {
        f"model.{name}": value for name, value in state.items() if not name.startswith(skipped)
    }
    for name in ("encoder", "decoder"):
        position = f"model.{name}.embed_positions.weight"
        if position not in tensors:
            tensors[position] = sinusoids(POSITIONS, model.shape.d_model)
    tensors["model.decoder.embed_tokens.weight"] = rows
    return {name: value.half().contiguous() for name, value in sorted(tensors.items())}


def model_config(shape: Shape) -> dict[str, Any]:
    """``config.json``."""
    return {
        "architectures": ["WhisperForConditionalGeneration"], "model_type": "whisper",
        "activation_function": "gelu", "activation_dropout": 0.0, "attention_dropout": 0.0,
        "dropout": 0.0, "init_std": 0.02, "is_encoder_decoder": True, "scale_embedding": False,
        "tie_word_embeddings": True, "use_cache": True, "dtype": "float16",
        "vocab_size": OFFICIAL_SIZE, "d_model": shape.d_model, "num_mel_bins": MELS,
        "num_hidden_layers": shape.encoder_layers,
        "encoder_layers": shape.encoder_layers, "encoder_attention_heads": shape.encoder_heads,
        "encoder_ffn_dim": 4 * shape.d_model, "encoder_layerdrop": 0.0,
        "decoder_layers": shape.decoder_layers, "decoder_attention_heads": shape.decoder_heads,
        "decoder_ffn_dim": 4 * shape.d_model, "decoder_layerdrop": 0.0,
        "max_source_positions": POSITIONS, "max_target_positions": TEXT_POSITIONS,
        "bos_token_id": END, "eos_token_id": END, "pad_token_id": END,
        "decoder_start_token_id": START, "median_filter_width": 7,
    }  # fmt: skip


def generation_config(shape: Shape) -> dict[str, Any]:
    """``generation_config.json``, as the official multilingual checkpoints have it.

    Only the space begins suppressed: were end-of-text too, silence would have to say a word.
    """
    first = LANGUAGES["en"]
    return {
        "alignment_heads": [list(head) for head in shape.alignment_heads],
        "begin_suppress_tokens": [220], "bos_token_id": END, "decoder_start_token_id": START,
        "eos_token_id": END, "forced_decoder_ids": [[1, None], [2, TRANSCRIBE]],
        "is_multilingual": True,
        "lang_to_id": {
            f"<|{code}|>": first + index
            for index, code in enumerate(islice(OFFICIAL, OFFICIAL_LANGUAGES))
        },
        "max_initial_timestamp_index": 50, "max_length": TEXT_POSITIONS,
        "no_timestamps_token_id": NO_TIMESTAMPS, "pad_token_id": END,
        "prev_sot_token_id": PREVIOUS, "return_timestamps": False,
        "suppress_tokens": list(SUPPRESSED),
        "task_to_id": {"transcribe": TRANSCRIBE, "translate": TRANSLATE},
    }  # fmt: skip


def preprocessor_config() -> dict[str, Any]:
    """``preprocessor_config.json``."""
    return {
        "chunk_length": 30, "dither": 0.0, "feature_extractor_type": "WhisperFeatureExtractor",
        "feature_size": MELS, "hop_length": 160, "n_fft": 400, "n_samples": 480_000,
        "nb_max_frames": FRAMES, "padding_side": "right", "padding_value": 0.0,
        "processor_class": "WhisperProcessor", "return_attention_mask": False,
        "sampling_rate": 16_000,
    }  # fmt: skip


def tokenizer_config() -> dict[str, Any]:
    """``tokenizer_config.json``."""
    end = "<|endoftext|>"
    return {
        "add_prefix_space": False, "bos_token": end, "eos_token": end, "unk_token": end,
        "pad_token": end, "errors": "replace", "model_max_length": 1024,
        "processor_class": "WhisperProcessor", "return_attention_mask": False,
        "tokenizer_class": "WhisperTokenizer",
    }  # fmt: skip


def ctc_config(shape: Shape) -> dict[str, Any]:
    """``ctc_head.json``: what the CTC head's outputs mean."""
    return {
        "input": "encoder output", "width": shape.d_model, "frame_s": 0.02, "blank": 0,
        "labels": ["", *LETTERS],
    }  # fmt: skip


def mean_state(paths: Sequence[Path]) -> dict[str, Tensor]:
    """The mean of the weights of several training states (Wortsman et al., 2022)."""
    states = [torch.load(path, weights_only=True)["model"] for path in paths]
    return {name: torch.stack([one[name] for one in states]).mean(0) for name in states[0]}


def write_checkpoint(config: Config, states: Sequence[Path], folder: Path) -> None:
    """Write every file of the checkpoint but the tokenizer and the model card."""
    words = vocabulary(config, config.tokenizer)
    model = Nano(config.shape, len(words.used), words.unused)
    model.load_state_dict(mean_state(states))
    folder.mkdir(parents=True, exist_ok=True)
    metadata = {"format": "pt"}
    save_file(weights(model, words), folder / "model.safetensors", metadata)
    ctc = {"weight": model.ctc.weight.detach().half(), "bias": model.ctc.bias.detach().half()}
    save_file(ctc, folder / "ctc_head.safetensors", metadata)
    for path in folder.glob("*.safetensors"):
        path.chmod(0o644)
    documents = {
        "config": model_config(config.shape), "generation_config": generation_config(config.shape),
        "preprocessor_config": preprocessor_config(), "tokenizer_config": tokenizer_config(),
        "ctc_head": ctc_config(config.shape),
    }  # fmt: skip
    for name, document in documents.items():
        text = json.dumps(document, indent=1, ensure_ascii=False)
        (folder / f"{name}.json").write_text(text + "\n", encoding="utf-8")
    if folder != config.tokenizer.parent:
        (folder / "tokenizer.json").write_bytes(config.tokenizer.read_bytes())


def write_older_tokenizer(folder: Path) -> None:
    """``vocab.json`` and ``added_tokens.json``, which whisper.cpp's converter still reads."""
    tokenizer = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    vocabulary_ids: dict[str, int] = tokenizer["model"]["vocab"]
    added = {one["content"]: one["id"] for one in tokenizer["added_tokens"]}
    beyond = {token: index for token, index in added.items() if token not in vocabulary_ids}
    for name, ids in (("vocab", vocabulary_ids), ("added_tokens", beyond)):
        text = json.dumps(ids, ensure_ascii=False)
        (folder / f"{name}.json").write_text(text, encoding="utf-8")


def check_size(folder: Path) -> tuple[int, int]:
    """Bytes of the weights as a file and packed; raises where they are more than promised."""
    data = (folder / "model.safetensors").read_bytes()
    packed = len(lzma.compress(data, preset=1))
    if len(data) > LARGEST_FILE or packed > LARGEST_PACKED:
        raise ValueError(
            f"The weights have {len(data)} bytes, {packed} packed; at most {LARGEST_FILE} and "
            f"{LARGEST_PACKED} were expected. Choose a smaller d_model in nano.toml."
        )
    return len(data), packed


def main() -> None:
    """Pack the latest training state, or the mean of those that are named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--states", type=Path, nargs="+", help="their mean is taken")
    parser.add_argument("--out", type=Path, default=FOLDER)
    parser.add_argument("--older-tokenizer", action="store_true", help="for whisper.cpp")
    options = parser.parse_args()
    config = load()
    states = options.states or [config.cache / "training.pt"]
    write_checkpoint(config, states, options.out)
    if options.older_tokenizer:
        write_older_tokenizer(options.out)
    size, packed = check_size(options.out)
    print(f"{options.out}: {size / 1e6:.2f} MB, {packed / 1e6:.2f} MB packed")


if __name__ == "__main__":
    main()
