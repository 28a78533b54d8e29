from __future__ import annotations

from dataclasses import replace

from quest22.longform.live.context import Context
from quest22.longform.live.segment import OpenSegment
from quest22.longform.live.windows import CERTAIN_AFTER_S, CERTAIN_LANGUAGE, WindowOptions
from quest22.longform.live.words import HeardWord
from quest22.longform.pauses.quality import Quality
from quest22.longform.policy import DecodingPolicy
from quest22.settings import DecodingSettings, HallucinationSettings
from tests.support.fake_whisper import NUMBERS

WORDS = [HeardWord(f" {at}", (at,), float(at), at + 1.0, 0.9) for at in range(4)]


def options(*, knows_language: bool = True, **decoding: object) -> WindowOptions:
    settings = DecodingSettings(**decoding)  # type: ignore[arg-type]
    policy = DecodingPolicy.of(settings, HallucinationSettings(), NUMBERS, (0.0,))
    quality = Quality.of("balanced", settings, 10)
    return WindowOptions(policy, "auto", quality, knows_language=knows_language)


def segment(number: int = 1, language: str | None = "en", *, settled: bool = True) -> OpenSegment:
    opened = OpenSegment(number, 0, language, settled=settled)
    opened.committed, opened.tail = WORDS[:2], WORDS[2:]
    return opened


def test_a_preview_is_greedy_and_goes_on_from_known_words() -> None:
    decoding = options(language="en").first(segment(), WORDS[:2], "en", 2.0, thorough=False)
    assert (decoding.prefix, decoding.draft) == ((0, 1), (2, 3))
    assert (decoding.search.beam_size, decoding.audio_context) == (1, "auto")
    assert decoding.language == "en"
    assert decoding.words
    assert not decoding.timestamps


def test_a_last_window_is_decoded_in_full_and_with_beams_only_if_unsure() -> None:
    decoding = options(language="en").first(segment(), WORDS[:2], "en", 2.0, thorough=True)
    assert (decoding.search.beam_size, decoding.audio_context) == (5, "auto")
    assert decoding.search.greedy_logprob is not None


def test_a_user_s_beams_hear_last_windows_in_full() -> None:
    maker = options(language="en", beam_size=3)
    decoding = maker.first(segment(), WORDS[:2], "en", 2.0, thorough=True)
    assert (decoding.search.beam_size, decoding.audio_context) == (3, "full")
    assert decoding.search.greedy_logprob is None


def test_further_tries_have_beams_then_a_temperature_and_no_draft() -> None:
    maker = options(language="en")
    first = maker.first(segment(), (), "en", 2.0, thorough=True)
    beams, sampled = maker.again(first, 1), maker.again(first, 2)
    assert (beams.search.beam_size, beams.search.greedy_logprob, beams.temperature) == (5, None, 0)
    assert sampled.temperature > 0
    assert beams.draft == sampled.draft == ()


def test_behind_a_mark_the_draft_is_what_follows_it() -> None:
    first = options(language="en").first(segment(), WORDS[:2], "en", 2.0, thorough=False)
    given = WindowOptions.behind_mark(first, (7, 8))
    assert (given.prefix, given.draft) == ((0, 1, 7, 8), (2, 3))
    given = WindowOptions.behind_mark(first, (2,))
    assert (given.prefix, given.draft) == ((0, 1, 2), (3,))
    assert WindowOptions.behind_mark(first, ()) == first


def test_the_language_before_goes_on_until_another_is_certain() -> None:
    maker = options(knows_language=False)
    new = segment(language=None, settled=False)
    decoding = maker.first(new, (), "de", 1.0, thorough=False)
    assert decoding.language is None
    assert (decoding.detection.threshold, decoding.detection.fallback) == (CERTAIN_LANGUAGE, "de")
    late = maker.first(new, (), "de", CERTAIN_AFTER_S, thorough=False)
    assert late.detection.fallback is None
    assert maker.first(segment(language="fr"), (), "de", 1.0, thorough=False).language == "fr"


def test_what_the_user_says_before_goes_first() -> None:
    maker = options(initial_prompt="7 8", hotwords="9", prefix="5")
    first = replace_context(segment(0), Context())
    first.committed = []
    decoding = maker.first(first, (), None, 1.0, thorough=False)
    assert (decoding.previous, decoding.prefix) == ((9, 7, 8), (5,))
    later = maker.first(
        replace_context(segment(1), Context(previous=(3,))), (), None, 1.0, thorough=False
    )
    assert (later.previous, later.prefix) == ((9, 3), ())
    carrying = options(initial_prompt="7 8", carry_initial_prompt=True)
    later = carrying.first(
        replace_context(segment(1), Context(previous=(3,))), (), None, 1.0, thorough=False
    )
    assert later.previous == (7, 8, 3)


def replace_context(opened: OpenSegment, context: Context) -> OpenSegment:
    return replace(opened, context=context)
