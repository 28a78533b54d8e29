"""``python -m recipes.nano.train``: train nano; run it again to continue where it stopped.

Writes ``training.pt`` (model, optimisers, time spent) every few minutes and a line of
``curves.csv`` every 20 steps.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch.multiprocessing.spawn import spawn
from torch.optim import Optimizer

from recipes.nano.batches import Batches
from recipes.nano.config import Config, load
from recipes.nano.grammar.sentences import compose, templates
from recipes.nano.losses import losses
from recipes.nano.model import FRAMES, Nano
from recipes.nano.optimisers import optimisers, step
from recipes.nano.schedule import draw_kind, rate_factor, stage_at
from recipes.nano.shards import Shards
from recipes.nano.transcript import SPELLINGS
from recipes.nano.unpack import begin_from
from recipes.nano.vocabulary import Vocabulary
from recipes.nano.workers import Team

REPORT_STEPS = 20
FULL_SPELL_SHARE = 0.25
WORDS_FROM = 300_000
PORT = 29722
TOKENIZER = "tokenizer.json"


@dataclass
class Progress:
    """Where training stands."""

    step: int = 0
    spent_s: float = 0.0


def vocabulary(config: Config, tokenizer: Path) -> Vocabulary:
    """All words of the grammar, as tokens; the word list is kept beside the corpus."""
    path = config.cache / "words.json"
    if not path.exists():
        words = {word + end for word in SPELLINGS.values() for end in ("", ".", ",", "!", "?")}
        rng = random.Random(config.seed)
        for index in range(WORDS_FROM):
            sentence = compose(index % len(templates()), rng)
            words |= {*sentence.en.split(), *sentence.ru.split()}
        path.write_text(json.dumps(sorted(words), ensure_ascii=False), encoding="utf-8")
    return Vocabulary.of_words(tokenizer, set(json.loads(path.read_text(encoding="utf-8"))))


def train(rank: int, config: Config, begin: Path | None) -> None:
    """One worker's whole training."""
    training = config.training
    team = Team(rank, training.workers, PORT)
    torch.manual_seed(config.seed)
    words = vocabulary(config, config.tokenizer)
    model = Nano(config.shape, len(words.used), words.unused)
    both, state = optimisers(model, training), Progress()
    path = config.cache / "training.pt"
    if path.exists():
        _restore(path, model, both, state)
    elif begin is not None:
        begin_from(begin, model, words)
    batches = Batches(Shards(config.cache / "corpus", words.covers), words)
    sums: dict[str, list[list[float]]] = {}
    share, saved, started = state.spent_s / 60 / training.minutes, state.spent_s, time.monotonic()
    before = state.spent_s
    while share < 1.0:
        stage = stage_at(share, training)
        kind = draw_kind(stage, random.Random(f"{config.seed} {state.step}"))
        rng = random.Random(f"{config.seed} {state.step} {rank}")
        batch = batches.batch(kind, stage, rng)
        with torch.autocast("cpu", torch.bfloat16):
            answer = model(batch.heard, batch.tokens)
        spell = batch.heard.mel.shape[-1] < FRAMES or rng.random() < FULL_SPELL_SHARE
        parts = losses(answer, batch, spell)
        total = (
            parts["token"] + training.ctc_weight * parts["ctc"]
            + training.guide_weight * parts["guide"]
        )  # fmt: skip
        torch.autograd.backward(total)
        spent = before + time.monotonic() - started
        values = [float(part.detach()) for part in parts.values()]
        state.spent_s, *values = team.average(model, [spent, *values])
        share = state.spent_s / 60 / training.minutes
        step(model, both, rate_factor(state.step, share, training))
        state.step += 1
        sums.setdefault(kind, []).append(values)
        if team.leads and state.step % REPORT_STEPS == 0:
            _report(config.cache / "curves.csv", state, sums)
            sums.clear()
        if team.leads and (state.spent_s - saved > 60 * training.save_minutes or share >= 1.0):
            _save(path, model, both, state, config)
            saved = state.spent_s
    team.close()


def _report(path: Path, state: Progress, sums: dict[str, list[list[float]]]) -> None:
    lines = []
    for kind, rows in sorted(sums.items()):
        means = [sum(column) / len(rows) for column in zip(*rows, strict=True)]
        numbers = ",".join(f"{mean:.4f}" for mean in means)
        lines.append(f"{state.step},{state.spent_s:.0f},{kind},{len(rows)},{numbers}")
    with path.open("a", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")
    print("\n".join(lines), flush=True)


def _save(path: Path, model: Nano, both: list[Optimizer], state: Progress, config: Config) -> None:
    part = path.with_suffix(".part")
    content = {
        "model": model.state_dict(), "optimisers": [one.state_dict() for one in both],
        "step": state.step, "spent_s": state.spent_s, "seed": config.seed,
    }  # fmt: skip
    torch.save(content, part)
    part.rename(path)


def _restore(path: Path, model: Nano, both: list[Optimizer], state: Progress) -> None:
    content = torch.load(path, weights_only=True)
    model.load_state_dict(content["model"])
    for optimiser, kept in zip(both, content["optimisers"], strict=True):
        wanted = [{k: v for k, v in g.items() if k != "params"} for g in optimiser.param_groups]
        optimiser.load_state_dict(kept)
        for group, settings in zip(optimiser.param_groups, wanted, strict=True):
            group.update(settings)  # the configuration's, should it have changed
    state.step, state.spent_s = content["step"], content["spent_s"]


def main() -> None:
    """Train with the configuration, or with other minutes for a trial."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, help="in place of the configuration's")
    parser.add_argument("--begin-from", type=Path, help="a packed checkpoint to train further")
    options = parser.parse_args()
    config = load()
    if options.minutes:
        config = replace(config, training=replace(config.training, minutes=options.minutes))
    vocabulary(config, config.tokenizer)
    if config.training.workers == 1:
        train(0, config, options.begin_from)
    else:
        spawn(train, (config, options.begin_from), config.training.workers)  # type: ignore[no-untyped-call]


if __name__ == "__main__":
    main()
