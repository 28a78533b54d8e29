from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from quest22.cli.live.captions import Captions, clock_time
from quest22.cli.live.speaker import Speaker
from quest22.records import LiveEvent, LiveWord
from tests.cli.live.vt import Terminal
from tests.support.live_events import event, final

SENTENCE = (
    "Printing, in the only sense with which we are at present concerned, differs from most if not "
    "from all the arts and crafts represented in the exhibition."
)


class Utf8(Console):
    encoding = "utf-8"  # type: ignore[assignment]


def console(terminal: Terminal, kind: type[Console] = Utf8) -> Console:
    return kind(
        file=terminal,  # type: ignore[arg-type]
        force_terminal=True,
        width=terminal.columns,
        height=terminal.rows,
        color_system="standard",
        legacy_windows=False,
    )


def growing(text: str, behind: int = 3) -> list[LiveEvent]:
    """Events of a segment that grows by two words at a time."""
    words = text.split()
    return [
        event("committed", 0, " ".join(words[:count]), max(count - behind, 0))
        for count in range(1, len(words) + 1, 2)
    ] + [final(0, text)]


def test_committed_text_is_firm_and_the_rest_dim() -> None:
    terminal, speaker = Terminal(), Speaker(1, "talk")
    with Captions(console(terminal), foot=False) as captions:
        captions.show(speaker, event("committed", 0, "one two three", 2))
        assert terminal.lines == ["   0:00  one two three"]
        assert terminal.styles_of("one two") == {""}
        assert terminal.styles_of(" three") == {"2"}
        assert terminal.styles_of("0:00") == {"36"}
        assert not terminal.cursor_shown
        captions.show(speaker, final(0, "one two tree"))
        assert terminal.styles_of("one two tree") == {""}
    assert terminal.lines == ["   0:00  one two tree", ""]
    assert terminal.cursor_shown


def test_long_text_is_wrapped_under_itself() -> None:
    terminal, speaker = Terminal(48), Speaker(1, "talk")
    with Captions(console(terminal), foot=False) as captions:
        for each in growing(SENTENCE):
            captions.show(speaker, each)
    assert terminal.lines[:3] == [
        "   0:00  Printing, in the only sense with which",
        "         we are at present concerned, differs",
        "         from most if not from all the arts and",
    ]
    assert "".join(line[8:] for line in terminal.lines) == f" {SENTENCE}"


texts = st.lists(
    st.text(st.sampled_from("ab,。今天は-'"), min_size=1, max_size=14).map(
        lambda word: f" {word}" if word[0] in "ab" else word
    ),
    max_size=25,
)


@given(st.lists(st.tuples(texts, st.integers(0, 9)), min_size=1, max_size=5), st.integers(20, 40))
def test_firm_text_never_moves(script: list[tuple[list[str], int]], columns: int) -> None:
    """Whatever is guessed behind it, and however it grows."""
    terminal, speaker = Terminal(columns, 200), Speaker(1, "talk")
    committed: list[str] = []
    before: dict[tuple[int, int], str] = {}
    with Captions(console(terminal), foot=False) as captions:
        for guessed, more in script:
            committed += guessed[:more]
            tail = guessed[more:]
            words = [(text, True) for text in committed] + [(text, False) for text in tail]
            captions.show(speaker, of_words(words))
            now = {
                (row, column): cell
                for row, line in enumerate(terminal.cells)
                for column, (cell, style) in enumerate(line)
                if style == "" and cell.strip()
            }
            assert before.items() <= now.items()
            before = now
        firm = "".join(cell for cell in before.values())
        assert firm == "".join("".join(committed).split())


def of_words(words: list[tuple[str, bool]]) -> LiveEvent:
    made = tuple(LiveWord(0.0, 0.1, text, 0.9, stable) for text, stable in words)
    return LiveEvent("committed", 0, 0, "".join(text for text, _ in words), made, 1.0)


def test_segments_stay_in_their_order_and_empty_ones_leave_no_line() -> None:
    terminal, speaker = Terminal(), Speaker(1, "talk")
    with Captions(console(terminal), foot=False) as captions:
        captions.show(speaker, event("interim", 0, "um"))
        captions.show(speaker, final(0, ""))
        captions.show(speaker, event("interim", 1, "first"))
        captions.show(speaker, event("interim", 2, "second", start_s=75.0))
        assert terminal.lines == ["   0:00  first", "   1:15  second"]
        captions.show(speaker, final(1, "First."))
        captions.show(speaker, final(2, "Second.", 75.0))
    assert terminal.lines == ["   0:00  First.", "   1:15  Second.", ""]


def test_what_is_not_final_stays_when_the_program_ends() -> None:
    terminal, speaker = Terminal(), Speaker(1, "talk")
    with Captions(console(terminal)) as captions:
        captions.tick([speaker], "")
        captions.show(speaker, event("committed", 0, "not yet", 1))
    assert terminal.lines == ["   0:00  not yet", ""]


def test_clients_are_told_apart() -> None:
    terminal = Terminal()
    first, second = Speaker(1, "a"), Speaker(2, "b")
    with Captions(console(terminal), named=True, foot=False) as captions:
        captions.show(first, event("interim", 0, "hello"))
        captions.show(second, event("interim", 0, "good morning"))
        captions.show(second, final(0, "Good morning."))
        assert terminal.lines == [" 2    0:00  Good morning.", " 1    0:00  hello"]


def test_channels_are_told_apart() -> None:
    terminal = Terminal()
    sides = [Speaker(1, "[LEFT]", 0), Speaker(2, "[RIGHT]", 1), Speaker(3, "[CHANNEL 2]", 2)]
    with Captions(console(terminal), named=True, foot=False) as captions:
        for each in sides:
            captions.show(each, final(0, "Hello."))
    assert [line[:2] for line in terminal.lines] == [" L", " R", " 2", ""]


def test_the_foot_says_how_it_stands() -> None:
    terminal = Terminal(columns=40)
    now = 100.0
    speaker = Speaker(1, "talk", clock=lambda: now)
    with Captions(console(terminal)) as captions:
        captions.tick([], "waiting for somebody")
        assert terminal.lines == ["", "         waiting for somebody"]
        for level in (0.0, 0.02, 1.0):
            speaker.hears(np.full(1600, level, np.float32))
        captions.tick([speaker], "")
        assert terminal.lines[-1] == "   0:00  ● ▁▃█"
        assert terminal.styles_of("●") == {"31"}
        captions.show(speaker, event("committed", 0, "well", 1, latency_s=0.64))
        captions.tick([speaker], "")
        assert terminal.lines == ["   0:00  well", "", "   0:00  ● ▁▃█  en  0.6 s behind"]
        speaker.waits()
        now += 3.0
        captions.tick([speaker], "")
        assert terminal.lines[-1] == "   0:00  ● ▁▃█  no sound for 3 s"
        assert terminal.styles_of("●") == {"33"}
        captions.tick([speaker, Speaker(2, "b")], "")
        assert terminal.lines[-1] == "   0:00  ● 2 speakers  en  0.6 s behind"
        captions.tick([speaker], "finishing …")
        assert terminal.lines[-1] == "         finishing …"
    assert terminal.lines == ["   0:00  well", ""]


def test_a_terminal_without_unicode_gets_plain_marks() -> None:
    class Ascii(Console):
        encoding = "iso8859-1"  # type: ignore[assignment]

    terminal, speaker = Terminal(), Speaker(1, "talk")
    with Captions(console(terminal, Ascii)) as captions:
        speaker.hears(np.ones(1600, np.float32))
        captions.tick([speaker], "")
        assert terminal.lines[-1] == "   0:00  *"


def test_other_lines_go_above_the_foot(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal, speaker = Terminal(), Speaker(1, "talk")
    monkeypatch.setattr(sys, "stderr", terminal)
    with Captions(console(terminal), foot=False) as captions:
        captions.show(speaker, event("interim", 0, "hello"))
        sys.stderr.write("quest22: a war")
        sys.stderr.write("ning\n")
        assert terminal.lines == ["quest22: a warning", "   0:00  hello"]
        assert sys.stderr.isatty()
    assert sys.stderr is terminal


def test_text_that_would_command_the_terminal_is_shown_without_it() -> None:
    terminal, speaker = Terminal(), Speaker(1, "talk")
    with Captions(console(terminal), foot=False) as captions:
        captions.show(speaker, of_words([(" a\x1b[2J", True), ("\nb\r", False)]))
        assert terminal.lines == ["   0:00  a [2J b"]


def test_a_narrower_terminal_and_a_low_one() -> None:
    terminal, speaker = Terminal(60, 4), Speaker(1, "talk")
    screen: Any = console(terminal)
    with Captions(screen, foot=False) as captions:
        captions.show(speaker, event("interim", 0, SENTENCE))
        assert len(terminal.lines) == 3
        assert terminal.lines[-1].endswith("exhibition.")
        terminal.cells[-3:] = rewrapped(terminal.cells[-3:], 40)
        terminal.columns, terminal.row = 40, len(terminal.cells) - 1
        screen.width, terminal.rows, screen.height = 40, 40, 40
        captions.show(speaker, final(0, SENTENCE))
    assert "".join(line[8:] for line in terminal.lines) == f" {SENTENCE}"


def rewrapped(rows: list[Any], columns: int) -> list[Any]:
    """Rows as a terminal that has become narrower shows them."""
    return [row[at : at + columns] for row in rows for at in range(0, max(len(row), 1), columns)]


@pytest.mark.parametrize(
    ("seconds", "shown"), [(0, "0:00"), (59.99, "0:59"), (754, "12:34"), (7265, "2:01:05")]
)
def test_times(seconds: float, shown: str) -> None:
    assert clock_time(seconds) == shown
