"""``python -m recipes.nano.data``: synthesise the training corpus, shard by shard."""

from __future__ import annotations

import multiprocessing
import os
import time
from functools import partial

from recipes.nano.config import load
from recipes.nano.corpus import Job, make_noises, make_shard
from recipes.nano.synthesis.espeak import extended_data
from recipes.nano.synthesis.voices import RANDOM_VARIANTS


def main() -> None:
    """Make every shard that is missing, both languages in turn, then the noises."""
    config = load()
    data, folder = config.data, config.cache / "corpus"
    jobs = [
        Job(language, index, data.shard_size, config.seed)
        for index in range(data.shards_a_language)
        for language in ("en", "ru")
    ]
    extended_data(config.cache / "espeak", RANDOM_VARIANTS, config.seed)
    make = partial(make_shard, folder, config.cache / "espeak")
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # one process a core does better
    begin = time.monotonic()
    with multiprocessing.get_context("spawn").Pool(data.processes, maxtasksperchild=4) as pool:
        for done, path in enumerate(pool.imap_unordered(make, jobs), 1):
            print(f"{done}/{len(jobs)} {path.name} {time.monotonic() - begin:.0f} s", flush=True)
            if done == min(len(jobs), 8) and not (folder / "noise.json").exists():
                make_noises(folder, data.noises, config.seed)
                print("noises made", flush=True)


if __name__ == "__main__":
    main()
