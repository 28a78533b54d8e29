"""What training minimises: next tokens, letters by CTC, and where the guided heads look.

Sources: CTC (Graves et al., 2006); joint CTC and attention (Kim et al., 2017); guided attention
(Tachibana et al., 2017), here with the synthesiser's word marks for the diagonal.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from recipes.nano.model import Answer, Heard
from recipes.nano.vocabulary import TIMESTAMPS

IGNORED = -100
LEAST = 1e-9
LONGEST_WORD = 75  # encoder positions of 20 ms
NEIGHBOURS = ((-2, 0.05), (-1, 0.17), (0, 0.56), (1, 0.17), (2, 0.05))


@dataclass
class Batch:
    """Tensors of one step.

    ``spans`` holds first and last+1 encoder position of every target, counted from the window's
    own first position; -1 where a target is not guided.
    """

    heard: Heard
    tokens: Tensor
    targets: Tensor
    spans: Tensor
    letters: Tensor
    letter_counts: Tensor


def token_loss(logits: Tensor, targets: Tensor) -> Tensor:
    """Cross entropy; a timestamp shares its probability with its neighbours."""
    first = logits.shape[-1] - 1 - TIMESTAMPS
    last = first + TIMESTAMPS - 1
    stamp = (targets >= first) & (targets <= last)
    shifts = torch.tensor([shift for shift, _ in NEIGHBOURS], device=targets.device)
    shares = torch.tensor([share for _, share in NEIGHBOURS], device=targets.device)
    alone = (shifts == 0).float()
    near = (targets[..., None] + shifts).clamp(first, last)
    wanted = torch.where(stamp[..., None], near, targets[..., None].clamp(min=0))
    weights = torch.where(stamp[..., None], shares, alone) * (targets != IGNORED)[..., None]
    found = logits.log_softmax(-1).gather(-1, wanted)
    return -(found * weights).sum() / weights.sum().clamp(min=1)


def ctc_loss(log_probabilities: Tensor, batch: Batch) -> Tensor:
    """CTC over the letters, a mean per letter; windows without letters must be all blank."""
    steps = torch.full_like(batch.letter_counts, log_probabilities.shape[1])
    losses = F.ctc_loss(
        log_probabilities.transpose(0, 1), batch.letters, steps, batch.letter_counts,
        reduction="none", zero_infinity=True,
    )  # fmt: skip
    return losses.sum() / batch.letter_counts.sum().clamp(min=50)


def guide_loss(guided: list[Tensor], spans: Tensor) -> Tensor:
    """How far the guided heads' attention is from lying in each target's span.

    It should lie evenly over the span of a word, so that dynamic time warping finds every word's
    frames: the divergence of the even distribution from it. In a longer span, a sentence's, it may
    lie anywhere: minus the logarithm of what falls inside.
    """
    rows = spans[..., 0] >= 0
    if not bool(rows.any()):
        return spans.new_zeros((), dtype=torch.float32)
    places = torch.arange(guided[0].shape[-1], device=spans.device)
    first, last = spans[rows][:, :1], spans[rows][:, 1:]
    inside = ((places >= first) & (places < last)).float()
    size = inside.sum(-1)
    return torch.stack([_off_span(head[rows], inside, size) for head in guided]).mean()


def _off_span(weights: Tensor, inside: Tensor, size: Tensor) -> Tensor:
    anywhere = -(weights * inside).sum(-1).clamp(min=LEAST).log()
    evenly = -(weights.clamp(min=LEAST).log() * inside).sum(-1) / size - size.log()
    return torch.where(size > LONGEST_WORD, anywhere, evenly)


def losses(answer: Answer, batch: Batch, spell: bool = True) -> dict[str, Tensor]:
    """All three, by name; without ``spell`` CTC is left out: over 30 s it is a fifth of a step."""
    return {
        "token": token_loss(answer.logits, batch.targets),
        "ctc": ctc_loss(answer.ctc, batch) if spell else answer.ctc.new_zeros(()),
        "guide": guide_loss(answer.guided, batch.spans),
    }
