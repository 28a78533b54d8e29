"""A cluster simulated: thousands of workers, every fault, and a clock that takes no time.

python -m benchmarks.cluster_simulation                            10,000 workers, 1,000,000 units
python -m benchmarks.cluster_simulation --seeds 1000 --units 400 --workers 40

Workers run :mod:`quest22.cluster.procedure`, the code of production; only what they ask for is
performed here, on a :class:`MemoryLedger` behind a network that loses requests and answers, and
delays some by minutes. Workers crash, stop for longer than a lease and go on, are cut off, and
their clocks go wrong. Exits with 0 if every unit was published once, or failed as it had to.
"""

from __future__ import annotations

import argparse
import gc
import math
import random
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, fields
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

from benchmarks.event_queue import EventQueue
from quest22.cluster.ledger import Attempt, Counts, Lease, Ledger, LedgerUnavailableError
from quest22.cluster.memory_ledger import MemoryLedger
from quest22.cluster.procedure import (
    Abandoned,
    AttemptError,
    Commit,
    Policy,
    Procedure,
    Transcribe,
    Wait,
    Worker,
    heartbeat,
    performer,
)

TIMEOUT_S = 20.0
FLAWED = AttemptError("flawed")
UNANSWERED = LedgerUnavailableError("503")


@dataclass(frozen=True, slots=True)
class Faults:
    """How often what goes wrong: shares of requests, units and workers, or events a worker-hour.

    ``refused``: 503, and nothing was done. ``unanswered``: it was done, but the answer is lost.
    ``late``: it is done minutes later, when its sender has long asked again. ``flawed``: an attempt
    at a unit fails. ``hopeless``: every attempt does. ``deadly``: every attempt ends its worker.
    ``slow``: workers at a fifth of the speed. ``skewed``: clocks that are wrong by up to a day, and
    go wrong by up to a second in a minute.
    """

    refused: float = 0.005
    unanswered: float = 0.002
    late: float = 0.001
    crashes: float = 0.02
    stalls: float = 0.02
    partitions: float = 0.02
    flawed: float = 0.001
    hopeless: float = 0.00001
    deadly: float = 0.00001
    slow: float = 0.01
    skewed: float = 0.5

    def times(self, factor: float) -> Faults:
        """Everything that goes wrong that much more often; at most one in five."""
        return Faults(*(min(factor * getattr(self, each.name), 0.2) for each in fields(self)))


class Size(NamedTuple):
    """How much there is to do; units take ``unit_s`` on average."""

    workers: int
    units: int
    unit_s: float = 60.0


@dataclass(slots=True)
class Outcome:
    """What came of it.

    ``accepted`` says whose attempt at each unit was published, ``twice`` names the units of which
    several were; ``stuck`` workers did not end.
    """

    units: int
    accepted: dict[int, Path] = field(default_factory=dict)
    twice: set[int] = field(default_factory=set)
    failed: frozenset[int] = frozenset()
    condemned: frozenset[int] = frozenset()
    requests: Counter[str] = field(default_factory=Counter)
    events: Counter[str] = field(default_factory=Counter)
    stuck: int = 0
    utilisation: float = 0.0
    lasted_s: float = 0.0

    @property
    def lost(self) -> list[int]:
        """Units that were neither published nor had to fail."""
        missing = set(range(self.units)).difference(self.accepted)
        return sorted(missing - (self.failed & self.condemned))

    @property
    def doubled(self) -> list[int]:
        """Units that were published more than once, or published and failed."""
        return sorted(self.twice | (self.failed & self.accepted.keys()))


@dataclass(slots=True, eq=False)
class Machine:
    """A machine that runs one worker at a time; ``life`` counts them."""

    number: int
    speed: float
    clock_rate: float
    clock_offset_s: float
    life: int = 0
    main: Procedure[None] | None = None
    attempt: Attempt | None = None
    stopped_until: float = 0.0
    cut_off_until: float = 0.0
    working_on: _Work | None = None
    ended: bool = False


@dataclass(slots=True, eq=False)
class _Work:
    """A unit that is transcribed, what renews its lease, and since when."""

    lease: Lease
    beating: Procedure[None]
    began_s: float


Step: TypeAlias = Callable[..., None]
_Event: TypeAlias = tuple[float, int, Machine | None, int, Step, tuple[Any, ...]]


class Simulation:
    """One run of a cluster, repeatable by its ``seed``."""

    def __init__(
        self,
        size: Size,
        faults: Faults,
        seed: int,
        ledger: Ledger | None = None,
        policy: Policy = Policy(),  # noqa: B008 -- a value
    ) -> None:
        self.now = 0.0
        self._size, self._faults, self._policy = size, faults, policy
        self._rng = random.Random(seed)  # noqa: S311 -- chooses faults
        self._answer = performer(ledger or MemoryLedger(size.units))
        self._asked: defaultdict[type[Any], int] = defaultdict(int)
        self.outcome = Outcome(size.units)
        self._events: EventQueue[_Event] = EventQueue()
        self._order = count()
        choose = self._rng.random
        self._hopeless = {unit for unit in range(size.units) if choose() < faults.hopeless}
        self._deadly = {unit for unit in range(size.units) if choose() < faults.deadly}
        self.outcome.condemned = frozenset(self._hopeless | self._deadly)
        self._machines = [self._machine(number) for number in range(size.workers)]
        self._alive = self._ended = 0
        self._alive_s = self._busy_s = self._counted_at = 0.0
        self._counting, self._counting_until = True, math.ceil(0.99 * size.units)

    def run(self) -> Outcome:
        """Let the cluster work until every worker has ended."""
        for machine in self._machines:
            self._at(self._rng.uniform(0, 30), None, self._start, machine)
        faults = self._faults
        for happen, rate in (
            (self._crash, faults.crashes),
            (self._stall, faults.stalls),
            (self._cut_off, faults.partitions),
        ):
            if rate:
                all_s = self._rng.expovariate(rate * self._size.workers / 3600)
                self._at(all_s, None, self._strike, happen, rate * self._size.workers)
        for event in self._events:
            at, _, happens_to, life, step, arguments = event
            if happens_to is not None:
                if happens_to.life != life:
                    continue
                if happens_to.stopped_until > at:
                    self._events.push((happens_to.stopped_until, next(self._order), *event[2:]))
                    continue
            self.now = at
            step(*arguments)
        self.outcome.requests.update({kind.__name__: n for kind, n in self._asked.items()})
        self.outcome.stuck = self._alive
        if self._counting:
            self._stop_counting()
        return self.outcome

    def _machine(self, number: int) -> Machine:
        rng, faults = self._rng, self._faults
        speed = 0.2 if rng.random() < faults.slow else rng.uniform(0.8, 1.2)
        skewed = rng.random() < faults.skewed
        rate = rng.uniform(59 / 60, 61 / 60) if skewed else 1.0
        return Machine(number, speed, rate, rng.uniform(-86_400, 86_400) if skewed else 0.0)

    def _at(self, at: float, machine: Machine | None, step: Step, *arguments: Any) -> None:
        """Let something happen later; to a machine, if its worker has not ended until then."""
        life = 0 if machine is None else machine.life
        self._events.push((at, next(self._order), machine, life, step, arguments))

    def _count(self, alive: int) -> None:
        """Add up how long workers live, before the last units."""
        self._alive_s += (self.now - self._counted_at) * self._alive
        self._counted_at = self.now
        self._alive += alive

    def _stop_counting(self) -> None:
        """Only the last units are left, for which workers wait for each other."""
        self._count(0)
        for machine in self._machines:
            if machine.working_on is not None:
                self._busy_s += self.now - machine.working_on.began_s
        self.outcome.utilisation = self._busy_s / max(self._alive_s, 1e-9)
        self._counting = False

    # Machines

    def _start(self, machine: Machine) -> None:
        machine.life += 1
        machine.working_on = None
        machine.stopped_until = machine.cut_off_until = 0.0
        name = f"worker-{machine.number}-{machine.life}"
        machine.attempt = Attempt(Path(name), Counts(1, 0, 60.0))

        def clock() -> float:
            return machine.clock_offset_s + machine.clock_rate * self.now

        machine.main = Worker(name, self._size.units, self._policy, clock, self._rng).run()
        self._count(1)
        self._go_on(machine, machine.main, None)

    def _strike(self, happen: Callable[[Machine], None], rate: float) -> None:
        """Let something happen to any machine, and again later; ``rate`` is of all, an hour."""
        machine = self._machines[self._rng.randrange(len(self._machines))]
        if machine.main is not None and not machine.ended:
            happen(machine)
        if self._ended < len(self._machines):
            self._at(
                self.now + self._rng.expovariate(rate / 3600), None, self._strike, happen, rate
            )

    def _crash(self, machine: Machine) -> None:
        self.outcome.events["crash"] += 1
        self._count(-1)
        self._leave_work(machine)
        machine.main = None
        machine.life += 1
        self._at(self.now + self._rng.uniform(5, 300), None, self._start, machine)

    def _stall(self, machine: Machine) -> None:
        self.outcome.events["stall"] += 1
        machine.stopped_until = self.now + self._rng.uniform(0.2, 4) * self._policy.lease_s

    def _cut_off(self, machine: Machine) -> None:
        self.outcome.events["partition"] += 1
        machine.cut_off_until = self.now + self._rng.uniform(0.2, 4) * self._policy.lease_s

    # What workers ask for

    def _go_on(self, machine: Machine, procedure: Procedure[Any], answer: Any) -> None:
        """Send an answer to a procedure, and see to what it asks for next."""
        work = machine.working_on
        if procedure is not machine.main and (work is None or procedure is not work.beating):
            return  # a heartbeat whose unit is done
        try:
            if answer is UNANSWERED:
                request = procedure.throw(UNANSWERED)
            else:
                request = procedure.send(answer)
        except StopIteration:
            self._procedure_ended(machine, procedure)
            return
        if type(request) is Wait:
            at = self.now + request.seconds / machine.clock_rate
            self._at(at, machine, self._go_on, machine, procedure, None)
        elif type(request) is Transcribe:
            self._transcribe(machine, request.lease)
        else:
            self._ask(machine, procedure, request)

    def _procedure_ended(self, machine: Machine, procedure: Procedure[Any]) -> None:
        if procedure is machine.main:
            machine.ended = True
            machine.life += 1
            self._ended += 1
            self._count(-1)
            return
        work = machine.working_on
        if work is not None and procedure is work.beating:  # another worker was faster
            self._stop_work(machine, work, Abandoned(published=True))

    def _transcribe(self, machine: Machine, lease: Lease) -> None:
        rng = self._rng
        work = _Work(lease, heartbeat(lease, self._policy, rng), self.now)
        machine.working_on = work
        takes_s = self._size.unit_s * math.exp(rng.gauss(-0.08, 0.4)) / machine.speed
        wait = next(work.beating)
        if isinstance(wait, Wait) and wait.seconds / machine.clock_rate < takes_s:  # else in vain
            at = self.now + wait.seconds / machine.clock_rate
            self._at(at, machine, self._go_on, machine, work.beating, None)
        if lease.unit in self._deadly:
            self._at(self.now + takes_s / 2, machine, self._die_of, machine, work)
            return
        broken = lease.unit in self._hopeless or rng.random() < self._faults.flawed
        result = FLAWED if broken else machine.attempt
        self._at(self.now + takes_s, machine, self._stop_work, machine, work, result)

    def _die_of(self, machine: Machine, work: _Work) -> None:
        if machine.working_on is work:
            self._crash(machine)

    def _stop_work(self, machine: Machine, work: _Work, result: Any) -> None:
        if machine.working_on is work and machine.main is not None:
            self._leave_work(machine)
            self._go_on(machine, machine.main, result)

    def _leave_work(self, machine: Machine) -> None:
        if machine.working_on is not None:
            self._busy_s += self.now - machine.working_on.began_s
            machine.working_on = None

    def _ask(self, machine: Machine, procedure: Procedure[Any], request: Any) -> None:
        """Perform a request on the ledger, over a network that may fail in every way."""
        rng, faults = self._rng, self._faults
        self._asked[type(request)] += 1
        luck = rng.random()
        if machine.cut_off_until > self.now or luck < faults.refused:
            takes_s = 0.1 if luck < faults.refused else TIMEOUT_S
            answer: Any = UNANSWERED
        elif (luck := luck - faults.refused) < faults.late:
            after_s = rng.expovariate(1 / 300)
            self._at(self.now + after_s, None, self._perform_late, request)
            takes_s, answer = TIMEOUT_S, UNANSWERED
        else:
            answer = self._perform(request)
            takes_s = 0.02 + 0.06 * rng.random()
            if luck - faults.late < faults.unanswered:
                takes_s, answer = TIMEOUT_S, UNANSWERED
        step, arguments = self._go_on, (machine, procedure, answer)
        at = self.now + takes_s
        self._events.push((at, next(self._order), machine, machine.life, step, arguments))

    def _perform(self, request: Any) -> Any:
        try:
            answer = self._answer(request)
        except LedgerUnavailableError:
            return UNANSWERED
        if type(request) is Commit and answer:
            unit, output = request.lease.unit, request.attempt.path
            if self.outcome.accepted.setdefault(unit, output) is not output:
                self.outcome.twice.add(unit)
            self.outcome.lasted_s = self.now
            if self._counting and len(self.outcome.accepted) >= self._counting_until:
                self._stop_counting()
        return answer

    def _perform_late(self, request: Any) -> None:
        self.outcome.events["late request"] += 1
        self._perform(request)


def simulate(
    size: Size,
    faults: Faults,
    seed: int,
    policy: Policy = Policy(),  # noqa: B008 -- a value
) -> Outcome:
    """Run a cluster in memory."""
    ledger = MemoryLedger(size.units)
    outcome = Simulation(size, faults, seed, ledger, policy).run()
    outcome.failed = frozenset(ledger.failed)
    return outcome


def _told(outcomes: Iterable[Outcome]) -> bool:
    lost = doubled = units = stuck = 0
    lowest = 1.0
    for each in outcomes:
        lost, doubled = lost + len(each.lost), doubled + len(each.doubled)
        units, stuck = units + each.units, stuck + each.stuck
        lowest = min(lowest, each.utilisation)
        last = each
    asked = ", ".join(f"{name} {times:,}" for name, times in last.requests.most_common())
    faced = ", ".join(f"{times:,} × {name}" for name, times in last.events.most_common())
    print(f"units       {units:,}: {lost} lost, {doubled} doubled; {stuck} workers never ended")
    print(f"utilisation {100 * lowest:.2f} % before the last 1 % of the units (the lowest)")
    print(f"last run    {last.lasted_s / 3600:.2f} h simulated; {asked}")
    print(f"faults      {faced}; {len(last.failed)} failed as they had to")
    return not (lost or doubled or stuck)


def main() -> int:
    """Simulate what the command line says; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cluster_simulation")
    parser.add_argument("--workers", type=int, default=10_000)
    parser.add_argument("--units", type=int, default=1_000_000)
    parser.add_argument("--unit-seconds", type=float, default=60.0)
    parser.add_argument("--faults", type=float, default=1.0, help="times the usual number")
    parser.add_argument("--lease", type=float, default=300.0, help="seconds; of many workers long")
    parser.add_argument("--max-attempts", type=int, default=Policy().max_attempts)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seeds", type=int, default=1, help="so many runs")
    given = parser.parse_args()
    size = Size(given.workers, given.units, given.unit_seconds)
    faults = Faults().times(given.faults)
    gc.disable()
    began_s, began_cpu_s = time.perf_counter(), time.process_time()
    seeds = range(given.seed, given.seed + given.seeds)
    policy = Policy(given.lease, given.max_attempts)
    fine = _told(simulate(size, faults, seed, policy) for seed in seeds)
    took_s, cpu_s = time.perf_counter() - began_s, time.process_time() - began_cpu_s
    print(f"took        {took_s:.1f} s, {cpu_s:.1f} s of processor time")
    return 0 if fine else 1


if __name__ == "__main__":
    sys.exit(main())
