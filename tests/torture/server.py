"""``python -m tests.torture.server 50``: abuses of one server, several at once, in a random mix.

Honest clients send recordings and speak all the while, and every text that they are given is
compared. After each round the server must hold what it held after the first. ``--seed`` repeats a
mix; ``--only`` picks abuses by their names.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
import traceback
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

from tests.support.abuse.every import ABUSES, FLAGS, Abuse
from tests.support.abuse.honest import Honest
from tests.support.abuse.peace import unharmed
from tests.support.server_process import ServerProcess

AT_ONCE = 3
MAX_MB = 400.0
"""Of one round, whose abuses add up."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.torture.server")
    parser.add_argument("rounds", type=int, nargs="?", default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="names, with commas between them")
    given = parser.parse_args()
    names = given.only.split(",") if given.only else list(ABUSES)
    with ServerProcess(*FLAGS) as server:
        return 0 if tortured(server, given.rounds, given.seed, names) else 1


def tortured(server: ServerProcess, rounds: int, seed: int, names: list[str]) -> bool:
    """Whether the server stood it all."""
    honest, struck, wrong = Honest(server), Counter[str](), 0
    print(f"{'round':>5}{'seconds':>9}{'MB':>7}{'threads':>9}{'sockets':>9}  abuses", flush=True)
    for number in range(rounds):
        chance = random.Random(f"{seed} {number}")
        chosen = chance.sample(names, min(AT_ONCE, len(names)))
        struck.update(chosen)
        begun_s = time.monotonic()
        verdict = ", ".join(chosen)
        try:
            with unharmed(server, honest, max_mb=MAX_MB, settle_s=120):
                one_round(server, honest, [ABUSES[name] for name in chosen], chance)
        except Exception as error:  # a client of ours that fails is a fault as well
            wrong += 1
            place = traceback.extract_tb(error.__traceback__)[-1]
            verdict += f"\n      WRONG: {place.name}: {place.line}: {error!r}"
        if server.process.poll() is not None:
            print(f"{verdict}\n      the server has ended:\n{server.log}")
            return False
        held, seconds = server.held(), time.monotonic() - begun_s
        figures = f"{server.memory_mb:7.0f}{held.threads:9}{held.sockets:9}"
        print(f"{number:5}{seconds:9.1f}{figures}  {verdict}", flush=True)
    told = ", ".join(f"{count} × {name}" for name, count in struck.most_common())
    print(f"\n{rounds} rounds, {wrong} wrong: {told}")
    return not wrong


def one_round(
    server: ServerProcess, honest: Honest, abuses: list[Abuse], chance: random.Random
) -> None:
    """All at once, with honest clients between them."""
    dice = [random.Random(chance.random()) for _ in abuses]
    with ThreadPoolExecutor(len(abuses) + 2) as pool:
        done = [pool.submit(abuse, server, die) for abuse, die in zip(abuses, dice, strict=True)]
        done.append(pool.submit(honest.check, server, chance.randrange(100)))
        done.append(pool.submit(honest.check_live, server, chance.randrange(100)))
        for each in done:
            each.result(600)


if __name__ == "__main__":
    sys.exit(main())
