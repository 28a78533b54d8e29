"""A person with empty caches is asked once which model to fetch; a program is told."""

import io
import sys

import pytest

from quest22.cli import choose_model
from quest22.cli.choose_model import chosen_model
from quest22.errors import UsageError


@pytest.fixture(autouse=True)
def empty_caches(monkeypatch, tmp_path):
    chosen_model.cache_clear()
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr("quest22.checkpoint.caches.best_cached", lambda: None)
    yield
    chosen_model.cache_clear()


class _Terminal(io.StringIO):
    def isatty(self):
        return True


def _answer(monkeypatch, text):
    monkeypatch.setattr(sys, "stdin", _Terminal(text))
    monkeypatch.setattr(sys, "stderr", _Terminal())


@pytest.mark.parametrize(
    ("answer", "model"),
    [
        ("\n", "base"),
        ("", "base"),
        ("1\n", "tiny"),
        ("4\n", "large-v3-turbo"),
        (" small.en \n", "small.en"),
    ],
)
def test_a_number_a_name_or_return(monkeypatch, answer, model):
    _answer(monkeypatch, answer)
    assert chosen_model(None) == model
    assert "967 MB" in sys.stderr.getvalue()


@pytest.mark.parametrize("answer", ["9\n", "0\n", "larg\n", "nano\n"])
def test_other_answers_are_refused(monkeypatch, answer):
    _answer(monkeypatch, answer)
    with pytest.raises(UsageError, match="is no model: expected 1 to 4, or a name"):
        chosen_model(None)


def test_a_person_is_asked_once(monkeypatch):
    _answer(monkeypatch, "1\n2\n")
    assert [chosen_model(None), chosen_model(None)] == ["tiny", "tiny"]


def test_nobody_is_asked_what_to_download_without_the_hub(monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    _answer(monkeypatch, "1\n")
    assert chosen_model(None) is None
    assert not sys.stderr.getvalue()


def test_a_program_is_not_asked(monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.StringIO("1\n"))
    assert chosen_model(None) is None


def test_who_has_a_model_is_not_asked(monkeypatch):
    _answer(monkeypatch, "1\n")
    monkeypatch.setattr("quest22.checkpoint.caches.best_cached", object)
    assert chosen_model(None) is None
    assert chosen_model("base") == "base"


def test_the_demonstrations_model_says_what_it_is(caplog):
    assert chosen_model("nano") == "nano"
    assert "knows about a thousand English words" in caplog.text


def test_what_is_offered_exists():
    assert set(choose_model.OFFERED) <= set(choose_model.KNOWN_MODELS)
    assert choose_model.DEFAULT in choose_model.OFFERED
