"""A connection to a Ray cluster: its nodes, and processes on them.

``local`` starts a cluster on this machine, which only this machine can reach and which ends with
this process, however it ends.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

from quest22.env import confine_ray
from quest22.errors import MissingExtraError, UsageError
from quest22.settings.cluster import AUTO, CLIENT, LOCAL
from quest22.version import __version__

OBJECT_STORE_BYTES = 100_000_000
"""Shared memory of a local cluster: only plans and finished units pass through it."""

ANSWER_WITHIN_S = 60.0
"""A node that has not started a process within this time is not asked any more."""

DRAINS_WITHIN_S = 10.0

LOOPBACK = "127.0.0.1"

_log = logging.getLogger("quest22")

T = TypeVar("T")


class Node(NamedTuple):
    """A machine of the cluster: Ray's id of it, its address, and its cores and GPUs for workers."""

    id: str
    address: str
    cpus: int
    gpus: int = 0


@dataclass(frozen=True, slots=True)
class RaySession:
    """A connection; use it in a ``with`` block. ``own_node``: the node that this process is on."""

    own_node: str | None
    is_owned: bool

    def __enter__(self) -> RaySession:
        return self

    def __exit__(self, *_: object) -> None:
        """Disconnect; actors that this process has started end, and a local cluster does."""
        import ray

        if self.is_owned:
            ray.shutdown()

    def nodes(self) -> list[Node]:
        """The machines that are up."""
        import ray

        return [_node(each) for each in ray.nodes() if each["Alive"]]

    def draining(self) -> frozenset[str]:
        """Nodes that will soon be gone, as spot machines are; none if Ray cannot say."""
        if self.own_node is not None:
            return _draining_nodes()
        import ray

        task = ray.remote(num_cpus=0, max_retries=0)(_draining_nodes).remote()
        try:
            found: frozenset[str] = ray.get(task, timeout=DRAINS_WITHIN_S)
        except ray.exceptions.RayError:  # asked again soon
            return frozenset()
        return found

    def on_each_node(self, function: Callable[[], T]) -> dict[Node, T]:
        """The result of a function on each node that answers; raises what it raises there."""
        import ray
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        task = ray.remote(num_cpus=0, max_retries=0)(function)
        asked = {
            task.options(
                scheduling_strategy=NodeAffinitySchedulingStrategy(node.id, soft=False)
            ).remote(): node
            for node in self.nodes()
        }
        ready, late = ray.wait(list(asked), num_returns=len(asked), timeout=ANSWER_WITHIN_S)
        for each in late:
            ray.cancel(each, force=True)
        return {asked[each]: ray.get(each) for each in ready}


def _node(told: dict[str, Any]) -> Node:
    resources = told["Resources"]
    cpus, gpus = (int(resources.get(kind, 0)) for kind in ("CPU", "GPU"))
    return Node(told["NodeID"], told["NodeManagerAddress"], cpus, gpus)


def _draining_nodes() -> frozenset[str]:
    """What Ray has no public function for yet."""
    try:
        from ray._private.state import state

        return frozenset(state.get_draining_nodes())
    except (ImportError, AttributeError):
        return frozenset()


def connect(address: str, cpus: int | None = None) -> RaySession:
    """Connect to the cluster at an address, or start a local one with ``cpus`` cores.

    A program that is connected already keeps its connection with ``auto``. Raises
    :class:`UsageError` if there is no cluster, and :class:`MissingExtraError` without Ray.
    """
    if address == LOCAL:
        confine_ray()
    try:
        import ray
    except ModuleNotFoundError as exc:
        raise MissingExtraError(f"--cluster {address}", "ray") from exc

    is_connected = ray.is_initialized()
    if is_connected and address != AUTO:
        raise UsageError(
            f"this program is connected to a Ray cluster, so cluster={address!r} cannot be "
            "reached beside it: use cluster='auto', or call ray.shutdown() before"
        )
    if not is_connected:
        _init(ray, address, cpus)
    own = None if address.startswith(CLIENT) else str(ray.get_runtime_context().get_node_id())
    session = RaySession(own, not is_connected)
    if address == LOCAL and any(node.address != LOOPBACK for node in session.nodes()):
        _log.warning(
            "Ray was imported before its local cluster was confined to this machine, so others may "
            "reach it: let quest22 be the first to import Ray"
        )
    return session


def _init(ray: Any, address: str, cpus: int | None) -> None:
    options: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
    if address == LOCAL:
        options |= {
            "num_cpus": cpus,
            "include_dashboard": False,
            "object_store_memory": OBJECT_STORE_BYTES,
        }
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)
            ray.init(address, **options)
    except Exception as exc:  # Ray raises that itself, of a node that does not come up
        ray.shutdown()
        reason = str(exc).strip().partition("\n")[0] or type(exc).__name__
        raise UsageError(
            f"no Ray cluster that can be used at {address}: {reason.rstrip('.')}. Start one with "
            "ray start --head, or use --cluster local"
        ) from exc


def check_versions(versions: dict[Node, str | None]) -> None:
    """Raise :class:`UsageError` if a node has another version of quest22, or none."""
    for node, version in versions.items():
        if version != __version__:
            found = f"quest22 {version}" if version else "no quest22"
            raise UsageError(
                f"the Ray node {node.address} has {found}: install quest22 {__version__}, which "
                "runs here, on every node"
            )
