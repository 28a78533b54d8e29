from __future__ import annotations

import logging
import sys
import warnings

import pytest

from quest22.cli.output_flags import ReportFlags
from quest22.cli.terminal import PIPE_WIDTH, configure_logging, output_console


@pytest.fixture
def warned(capsys, monkeypatch):
    """What warnings of the product and of a library leave on standard error."""
    root, product = logging.getLogger(), logging.getLogger("quest22")
    levels = root.level, product.level

    def warn(**report):
        with monkeypatch.context() as patch:
            patch.setattr(root, "handlers", [])  # as when a command begins
            configure_logging(ReportFlags(**report))
            logging.getLogger("quest22.audio").warning("the file is truncated")
            logging.getLogger("another").warning("of no interest")
        return capsys.readouterr().err

    with warnings.catch_warnings():
        yield warn
    root.setLevel(levels[0])
    product.setLevel(levels[1])


def test_the_products_warnings_are_lines(warned):
    err = warned()
    assert "the file is truncated" in err
    assert "of no interest" not in err


def test_quiet_has_errors_only(warned):
    assert warned(quiet=True) == ""


def test_verbose_has_what_libraries_log(warned):
    assert "another: of no interest" in warned(verbose=True)


def test_a_pipe_is_wide_and_plain(capsys):
    console = output_console()
    assert not sys.stdout.isatty()
    assert console.width == PIPE_WIDTH
    assert not console.is_terminal


@pytest.mark.parametrize("flags", [{}, {"verbose": True}, {"debug": True}])
def test_messages_of_libraries_show_no_secrets(capsys, monkeypatch, flags):
    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", [])
    level, own = root.level, logging.getLogger("quest22").level
    try:
        configure_logging(ReportFlags(**flags))
        logging.getLogger("quest22").warning("GET https://me:hush@h/a?sig=%s", "hush")
    finally:
        root.setLevel(level)
        logging.getLogger("quest22").setLevel(own)
    shown = capsys.readouterr().err
    assert "https://h/a?…" in shown
    assert "hush" not in shown
