"""Numbers that flags bring as text: lists of them, and thresholds that may be off."""

from __future__ import annotations

from quest22.errors import UsageError


def parse_list(text: str) -> list[str]:
    """``en, ru`` → its parts."""
    return [part.strip() for part in text.split(",") if part.strip()]


def parse_numbers(name: str, text: str) -> tuple[float, ...]:
    """``0,0.2`` → numbers; raises :class:`UsageError` for what is none."""
    try:
        return tuple(float(part) for part in parse_list(text))
    except ValueError as exc:
        raise UsageError(f"{name} {text!r}: expected numbers such as 0 or 0,0.2,0.4") from exc


def parse_threshold(name: str, text: str) -> float | None:
    """A number; ``off`` or ``none``: None."""
    if text.strip().lower() in ("off", "none"):
        return None
    try:
        return float(text)
    except ValueError as exc:
        raise UsageError(f"{name} {text!r}: expected a number, or off") from exc
