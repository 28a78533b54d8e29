"""``--help`` is a screen of what most need; ``--help-all`` has every flag; names are whole."""

import pytest
from typer.core import TyperGroup
from typer.main import get_command

from quest22.cli import keys
from quest22.cli.app import app
from quest22.cli.command_line import TolerantCommand
from quest22.cli.help_page import USUAL
from quest22.cli.models import app as models

COMMANDS = {
    name: command
    for name, command in get_command(app).commands.items()
    if isinstance(command, TolerantCommand)
}
GROUPS = {"": get_command(app), "keys": keys.app, "models": models.app}


def _flags(command):
    return [flag for each in command.params for flag in (*each.opts, *each.secondary_opts)]


@pytest.mark.parametrize("width", ["40", "80", "120"])
@pytest.mark.parametrize("name", COMMANDS)
def test_all_flags_are_told_with_whole_names(run, monkeypatch, name, width):
    monkeypatch.setenv("COLUMNS", width)
    ended = run(*name.split(), "--help-all")
    told = ended.out.replace("\n", " ")
    flags = [flag for flag in _flags(COMMANDS[name]) if flag.startswith("-")]
    assert (ended.code, [flag for flag in flags if flag not in told], "…," in told) == (
        0,
        [],
        False,
    )
    assert max(map(len, ended.out.splitlines())) <= int(width)


@pytest.mark.parametrize("width", ["40", "80"])
@pytest.mark.parametrize("name", GROUPS)
def test_all_commands_are_told_in_one_screen(run, monkeypatch, name, width):
    monkeypatch.setenv("COLUMNS", width)
    lines = run(*name.split(), "--help").out.splitlines()
    group = GROUPS[name] if isinstance(GROUPS[name], TyperGroup) else get_command(GROUPS[name])
    told = {line.strip().partition("  ")[0] for line in lines if line.startswith("  ")}
    assert not [each for each in group.commands if each not in told]
    assert max(map(len, lines)) <= int(width)
    assert width == "40" or len(lines) <= 48
    assert "--show-completion" not in " ".join(lines)


def test_flags_for_many_machines_are_not_usual_on_one(run):
    assert "--unit" not in run("stream", "--help").out
    assert "--unit" in run("plan", "--help").out
    assert "--keep-columns" not in run("eval", "--help").out


@pytest.mark.parametrize("name", COMMANDS)
def test_help_is_one_screen(run, monkeypatch, name):
    monkeypatch.setenv("COLUMNS", "80")
    short = run(*name.split(), "--help").out
    every = run(*name.split(), "--help-all").out
    assert len(short.splitlines()) <= 50
    shown = [line for line in every.splitlines() if line.startswith("  -")]
    untold = [line for line in shown if line.split()[0].rstrip(",") not in short]
    assert bool(untold) == (f"quest22 {name} --help-all shows" in short)


def test_the_flags_that_are_used_most_come_first(run, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    out = run("transcribe", "--help").out
    places = [out.index(flag) for flag in ("-m,", "-l,", "-o,", "-f,", "--task", "--word-times")]
    assert places == sorted(places)


def test_all_defaults_are_told(run, monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")
    out = run("transcribe", "--help-all").out
    assert "[default: 2.4]" in out
    assert "[default: \"'“¿([{-]" in out
    assert "[required]" in out


def test_the_page_names_parameters_that_exist():
    known = {each.name for command in COMMANDS.values() for each in command.params}
    assert [name for names in USUAL.values() for name in names if name not in known] == []
