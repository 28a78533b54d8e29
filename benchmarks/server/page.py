"""What was measured, as tables of docs/server-load.md."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from quest22.system.machine import describe

NOT_MEASURED = "not measured yet"
SERVERS = (
    *("program", "how", "× real time", "of the batch command", "quest22 serve is × as fast"),
    *("slowest answer (s)", "errors (%)", "same text as the batch command", "processor (s)", "MB"),
)
LIVE = ("sessions", "beside", "shown (s)", "final (s)", "words", "recordings meanwhile")


def section(throughput: Mapping[str, Any] | None, live: Mapping[str, Any] | None) -> str:
    """All tables."""
    parts = ["**Recordings by 16 clients**"]
    parts += [_throughput(throughput)] if throughput else [NOT_MEASURED]
    parts += ["**Live sessions beside uploads**"]
    parts += [_live(live)] if live else [NOT_MEASURED]
    return "\n\n".join([*parts, _machine()])


def _throughput(measured: Mapping[str, Any]) -> str:
    rows = measured["programs"]
    speeds = {each["name"]: each["times_real_time"] for each in rows}
    first = (
        f"{measured['files']} recordings, {measured['audio_s'] / 60:.1f} minutes; model "
        f"{measured['model']}, language given."
    )
    return "\n".join([first, "", *_table(SERVERS, (_row(each, speeds, measured) for each in rows))])


def _row(
    each: Mapping[str, Any], speeds: Mapping[str, float], measured: Mapping[str, Any]
) -> Sequence[str]:
    speed = each["times_real_time"]
    batch, own = speeds.get("quest22 transcribe"), speeds.get("quest22 serve")
    same = each["same"]
    return (
        each["name"],
        each["about"],
        f"{speed:.1f}",
        f"{100 * speed / batch:.0f} %" if batch else "–",
        f"{own / speed:.2f}" if own else "–",
        _number(each["slowest_s"], ".1f"),
        f"{100 * each['error_rate']:.1f}" + (f", {each['failed']} failed" * bool(each["failed"])),
        "–" if same is None else f"{same} of {measured['files']}",
        _number(each["processor_s"], ".0f"),
        "–" if not each["peak_bytes"] else f"{each['peak_bytes'] / 1e6:.0f}",
    )


def _live(measured: Mapping[str, Any]) -> str:
    rows = (
        (
            str(each["sessions"]),
            each["beside"],
            _delays(each["shown_s"]),
            _delays(each["final_s"]),
            str(each["words"]),
            str(each["recordings"]) if each["recordings"] else "–",
        )
        for each in measured["rows"]
    )
    first = f"Model {measured['model']}; median / 95th percentile from the end of a word."
    return "\n".join([first, "", *_table(LIVE, rows)])


def _table(columns: Sequence[str], rows: Iterator[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(columns)} |"
    yield "|---" * len(columns) + "|"
    for row in rows:
        yield f"| {' | '.join(row)} |"


def _number(value: float | None, form: str) -> str:
    return "–" if value is None else format(value, form)


def _delays(pair: Sequence[float] | None) -> str:
    return "–" if pair is None else f"{pair[0]:.2f} / {pair[1]:.2f}"


def _machine() -> str:
    machine = describe()
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    return f"{machine['processor']}, {machine['cores']} cores; {versions}."
