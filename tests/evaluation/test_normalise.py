from __future__ import annotations

import json
import warnings
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quest22.errors import UsageError
from quest22.evaluation.normalise import basic, english, normalizer, unchanged


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Hello, World!", "hello world "),
        ("a [laughs] b <noise> c (aside) d", "a b c d"),
        ("Ёлка — это Já", "ёлка это já"),
        ("it's 5 % №3", "it s 5 no3"),
        ("ﬁne\u00a0\t x", "fine x"),
    ],
)
def test_basic(text, expected):
    assert basic(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Mr. Smith won't, um, go.", "mister smith will not go"),
        ("twenty-one colours for $20 million", "21 colors for $20000000"),
        ("I dunno, kinda 'cause", "i dunno kinda cause"),
        ("the 1960s, 3.14 and 50%", "the 1960s 3.14 and 50%"),
    ],
)
def test_english(text, expected):
    assert english(text).strip() == expected


@pytest.mark.parametrize(
    ("name", "language", "expected"),
    [
        ("auto", "en", english),
        ("auto", "en-US", english),
        ("auto", "English", english),
        ("auto", "ru", basic),
        ("auto", None, basic),
        ("basic", "en", basic),
        ("english", "ru", english),
        ("none", "en", unchanged),
    ],
)
def test_choice(name, language, expected):
    assert normalizer(name, language) is expected


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(UsageError, match="auto, basic, english, none"):
        normalizer("strict")


def test_unchanged_keeps_case_and_punctuation():
    assert unchanged(" It's\n 5 %. ") == "It's 5 %."


_TEXT = st.text() | st.text("aA[]()<>. ,İßﬁé\u0301\u00a0")


@pytest.mark.reference
@given(_TEXT)
def test_basic_is_that_of_transformers(text):
    reference = pytest.importorskip("transformers.models.whisper.english_normalizer")
    assert basic(text) == reference.BasicTextNormalizer()(text)


_SPOKEN = """
one two oh zero seven ten fifteen twenty thirty hundred thousand million point and a half
double triple third fifth tenths dollars pounds euros cents percent per cent minus plus $ £ €
% ¢ 3 17 1960s 2nd 3.5 1,000 10,5 it's won't can't I'ma y'all we've they'd been he's gone
Mr. Mrs. St. Dr. Prof. colour theatre organise travelled grey uh um hmm mm kinda sorta dunno
cause gotta gonna wanna woulda café naïve Straße (aside) [noise] <unk> - — . , ! ? ' ’ ones
"""


@pytest.fixture(scope="module")
def reference():
    normalizers = pytest.importorskip("whisper.normalizers")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # it leaves its table's file open
        return normalizers.EnglishTextNormalizer()


@pytest.mark.reference
@given(words=st.lists(st.sampled_from(_SPOKEN.split()), max_size=14))
def test_english_is_that_of_openai(reference, words):
    text = " ".join(words)
    assert english(text) == reference(text)


@pytest.mark.reference
@given(words=st.lists(st.sampled_from(_SPOKEN.split()), max_size=14))
def test_english_is_that_of_transformers(reference, words):
    """Theirs takes the table of spellings from the checkpoint."""
    module = pytest.importorskip("transformers.models.whisper.english_normalizer")
    theirs = module.EnglishTextNormalizer(reference.standardize_spellings.mapping)
    text = " ".join(words)
    assert english(text) == theirs(text)


@pytest.mark.reference
@given(text=_TEXT | st.text("0123456789.,$£€%¢ smdt'", max_size=20))
def test_english_is_that_of_openai_on_any_text(reference, text):
    assert english(text) == reference(text)


@pytest.mark.reference
@pytest.mark.speech
def test_english_is_that_of_openai_on_real_transcripts(reference, speech_folder):
    texts = list(_transcripts(speech_folder))
    assert len(texts) > 200
    assert [english(text) for text in texts] == [reference(text) for text in texts]


@pytest.mark.reference
def test_every_british_spelling_becomes_american(reference):
    spellings = reference.standardize_spellings.mapping
    assert len(spellings) > 1700
    text = " ".join(spellings)
    assert english(text) == reference(text)


def _transcripts(folder: Path):
    for manifest in folder.glob("*/manifest.jsonl"):
        for line in manifest.read_text().splitlines():
            yield json.loads(line)["text"]
