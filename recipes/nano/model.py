"""Whisper's architecture on the compact vocabulary, with the parameter names of Transformers.

Unlike ``WhisperForConditionalGeneration`` it takes windows of any length at any position, and
returns the cross attention of the heads whose alignment is guided.
Source: "Robust Speech Recognition via Large-Scale Weak Supervision" (2022), section 2.2.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from recipes.nano.config import Shape
from recipes.nano.vocabulary import LETTERS, TIMESTAMPS

FRAMES, POSITIONS, TEXT_POSITIONS, MELS = 3000, 1500, 448, 80
FUSED_FROM = 400
STAMP_FEATURES = 64


class Attention(nn.Module):
    """Multi-head attention; short products are written out, which is faster on a CPU."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.q_proj = nn.Linear(width, width)
        self.k_proj = nn.Linear(width, width, bias=False)
        self.v_proj = nn.Linear(width, width)
        self.out_proj = nn.Linear(width, width)

    def forward(
        self, x: Tensor, memory: Tensor, mask: Tensor | None, keep: bool = False
    ) -> tuple[Tensor, Tensor | None]:
        """Attend from ``x`` to ``memory``; with ``keep`` also return the probabilities."""
        q, k, v = self._split(self.q_proj(x)), self._split(self.k_proj(memory)), None
        v = self._split(self.v_proj(memory))
        if mask is None and not keep and x.shape[1] >= FUSED_FROM:
            return self.out_proj(self._joined(F.scaled_dot_product_attention(q, k, v))), None
        scores = (q * q.shape[-1] ** -0.5) @ k.transpose(-1, -2)
        if mask is not None:
            scores = scores + mask
        weights = scores.float().softmax(-1)
        mixed = weights.to(v.dtype) @ v
        return self.out_proj(self._joined(mixed)), weights if keep else None

    def _split(self, x: Tensor) -> Tensor:
        return x.view(*x.shape[:2], self.heads, -1).transpose(1, 2)

    @staticmethod
    def _joined(x: Tensor) -> Tensor:
        return x.transpose(1, 2).flatten(-2)


@dataclass
class Heard:
    """What the encoder is given.

    ``mel`` is ``[batch, 80, frames]``; ``places`` are the positions (20 ms, of the 30 s) of every
    two frames, ``[batch, positions]``. ``weight`` is None, or what to add to the score of each
    position, ``[batch, positions]``: the logarithm of how many alike it stands for.
    """

    mel: Tensor
    places: Tensor
    weight: Tensor | None = None


@dataclass
class Sound:
    """Encoder states ``[batch, positions, width]`` and their weights, to be broadcast."""

    states: Tensor
    weight: Tensor | None = None


class EncoderLayer(nn.Module):
    """Self attention and a feed-forward of four times the width, normalised before."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.self_attn = Attention(width, heads)
        self.self_attn_layer_norm = nn.LayerNorm(width)
        self.fc1 = nn.Linear(width, 4 * width)
        self.fc2 = nn.Linear(4 * width, width)
        self.final_layer_norm = nn.LayerNorm(width)

    def forward(self, x: Tensor, weight: Tensor | None) -> Tensor:
        """One layer over ``[batch, positions, width]``; ``weight`` is added to the keys' scores."""
        normal = self.self_attn_layer_norm(x)
        x = x + self.self_attn(normal, normal, weight)[0]
        return x + self.feed_forward(x)

    def feed_forward(self, x: Tensor) -> Tensor:
        """What the second half of the layer adds."""
        out: Tensor = self.fc2(F.gelu(self.fc1(self.final_layer_norm(x))))
        return out


class DecoderLayer(EncoderLayer):
    """An encoder layer, causal, with cross attention in its middle."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__(width, heads)
        self.encoder_attn = Attention(width, heads)
        self.encoder_attn_layer_norm = nn.LayerNorm(width)

    def decode(
        self, x: Tensor, sound: Sound, mask: Tensor, keep: bool
    ) -> tuple[Tensor, Tensor | None]:
        """One layer over text; returns its cross attention where asked."""
        normal = self.self_attn_layer_norm(x)
        x = x + self.self_attn(normal, normal, mask)[0]
        normal = self.encoder_attn_layer_norm(x)
        heard, weights = self.encoder_attn(normal, sound.states, sound.weight, keep)
        x = x + heard
        return x + self.feed_forward(x), weights


class Encoder(nn.Module):
    """Mel frames to positions of 20 ms."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        width = shape.d_model
        self.conv1 = nn.Conv1d(MELS, width, 3, padding=1)
        self.conv2 = nn.Conv1d(width, width, 3, stride=2, padding=1)
        layers = [EncoderLayer(width, shape.encoder_heads) for _ in range(shape.encoder_layers)]
        self.layers = nn.ModuleList(layers)
        self.layer_norm = nn.LayerNorm(width)
        self.register_buffer("positions", sinusoids(POSITIONS, width), persistent=False)

    def forward(self, heard: Heard) -> Sound:
        """The states of every position of the windows."""
        x = F.gelu(self.conv2(F.gelu(self.conv1(heard.mel)))).transpose(1, 2)
        assert isinstance(self.positions, Tensor)  # noqa: S101
        x = x + self.positions[heard.places]
        weight = None if heard.weight is None else heard.weight[:, None, None]
        for layer in self.layers:
            x = layer(x, weight)
        return Sound(self.layer_norm(x), weight)


class Decoder(nn.Module):
    """Text so far to the next token."""

    def __init__(self, shape: Shape, tokens: int) -> None:
        super().__init__()
        width = shape.d_model
        self.embed_tokens = nn.Embedding(tokens, width)
        self.embed_positions = nn.Embedding(TEXT_POSITIONS, width)
        layers = [DecoderLayer(width, shape.decoder_heads) for _ in range(shape.decoder_layers)]
        self.layers = nn.ModuleList(layers)
        self.layer_norm = nn.LayerNorm(width)
        self.stamp_proj = nn.Linear(STAMP_FEATURES, width, bias=False)
        self.register_buffer("stamps", stamp_features(), persistent=False)
        nn.init.normal_(self.embed_tokens.weight, std=0.02)
        nn.init.normal_(self.embed_positions.weight, std=0.01)

    def embeddings(self) -> Tensor:
        """All token vectors: timestamps add a projection of their time to a free row."""
        weight = self.embed_tokens.weight
        assert isinstance(self.stamps, Tensor)  # noqa: S101
        times = self.stamp_proj(self.stamps).to(weight.dtype)
        words = weight.shape[0] - 1 - TIMESTAMPS
        return torch.cat([weight[:words], weight[words:-1] + times, weight[-1:]])


@dataclass
class Answer:
    """Logits ``[batch, tokens, vocabulary]``, CTC log-probabilities, guided attentions."""

    logits: Tensor
    ctc: Tensor
    guided: list[Tensor]


class Nano(nn.Module):
    """The model and its CTC head."""

    def __init__(self, shape: Shape, tokens: int, unused: int) -> None:
        super().__init__()
        self.shape, self.unused = shape, unused
        self.encoder = Encoder(shape)
        self.decoder = Decoder(shape, tokens + 1)
        self.ctc = nn.Linear(shape.d_model, len(LETTERS) + 1)

    def forward(self, heard: Heard, tokens: Tensor) -> Answer:
        """The whole model on one batch."""
        sound = self.encoder(heard)
        logits, guided = self.decode(sound, tokens)
        return Answer(logits, self.ctc(sound.states).float().log_softmax(-1), guided)

    def decode(self, sound: Sound, tokens: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Logits for every next token, and the attention of the guided heads."""
        table, length = self.decoder.embeddings(), tokens.shape[1]
        x = F.embedding(tokens, table) + self.decoder.embed_positions.weight[:length]
        mask = torch.full((length, length), -math.inf, device=x.device).triu(1)
        guided = []
        for index, layer in enumerate(self.decoder.layers):
            heads = [head for at, head in self.shape.guided_heads if at == index]
            assert isinstance(layer, DecoderLayer)  # noqa: S101
            x, weights = layer.decode(x, sound, mask, keep=bool(heads))
            guided += [weights[:, head] for head in heads if weights is not None]
        shift = torch.zeros(len(table), device=x.device)
        shift[-1] = math.log(self.unused)
        return F.linear(self.decoder.layer_norm(x), table, shift).float(), guided


def sinusoids(length: int, channels: int, longest: float = 10000.0) -> Tensor:
    """Whisper's fixed positions: all sines, then all cosines."""
    step = math.log(longest) / (channels // 2 - 1)
    rates = torch.exp(-step * torch.arange(channels // 2))
    angles = torch.arange(length)[:, None] * rates[None]
    return torch.cat([angles.sin(), angles.cos()], dim=1)


def stamp_features() -> Tensor:
    """Sines of the time of every timestamp, from the fastest (0.1 s) to the slowest (60 s)."""
    periods = torch.logspace(math.log10(5), math.log10(3000), STAMP_FEATURES // 2)
    angles = 2 * math.pi * torch.arange(TIMESTAMPS)[:, None] / periods[None]
    return torch.cat([angles.sin(), angles.cos()], dim=1)
