"""The flags that say how the decoder listens, by openai/whisper's and faster-whisper's names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from typer import Option

from quest22.cli.numbers import parse_list, parse_numbers, parse_threshold
from quest22.errors import UsageError
from quest22.settings import HallucinationSettings

CONTROL, SEARCH, GUARDS = "Languages and prompts", "Search", "Doubt"


@dataclass(frozen=True, slots=True)
class DecodingFlags:
    """Languages, prompts, search, and when a text is not believed."""

    languages: Annotated[
        str | None,
        Option(
            help="Detect the language among these alone: [cyan]en,ru[/].", rich_help_panel=CONTROL
        ),
    ] = None
    language_threshold: Annotated[
        float,
        Option(
            "--language-threshold",
            "--language-detection-threshold",
            help="A detected language less probable than this gives way to the fallback.",
            rich_help_panel=CONTROL,
            metavar="0…1",
        ),
    ] = 0.0
    fallback_language: Annotated[
        str | None,
        Option(help="The language where detection is not sure.", rich_help_panel=CONTROL),
    ] = None
    multilingual: Annotated[
        bool | None,
        Option(
            "--multilingual/--no-multilingual",
            help="Detect for each window, or once for the clip; if not given: chunked for each "
            "window, sequential once.",
            rich_help_panel=CONTROL,
        ),
    ] = None
    initial_prompt: Annotated[
        str | None,
        Option(
            help="Text as if said just before: sets names, spelling and style.",
            rich_help_panel=CONTROL,
            metavar="TEXT",
        ),
    ] = None
    carry_initial_prompt: Annotated[
        bool,
        Option(
            help="Sequential: the initial prompt before every window, not the first alone.",
            rich_help_panel=CONTROL,
        ),
    ] = False
    prefix: Annotated[
        str | None,
        Option(
            help="The first window's text goes on from this; it is not repeated.",
            rich_help_panel=CONTROL,
            metavar="TEXT",
        ),
    ] = None
    hotwords: Annotated[
        str | None,
        Option(
            help="Words to expect, such as names; before every window.",
            rich_help_panel=CONTROL,
            metavar="TEXT",
        ),
    ] = None
    condition_on_previous_text: Annotated[
        bool,
        Option(
            "--condition-on-previous-text/--no-condition-on-previous-text",
            help="Sequential: the text so far prompts the next window; off: fewer loops.",
            rich_help_panel=CONTROL,
        ),
    ] = True
    suppress_tokens: Annotated[
        str,
        Option(
            help="Never chosen: numbers of tokens; [cyan]-1[/]: the model's own list.",
            rich_help_panel=CONTROL,
            metavar="N,N",
        ),
    ] = "-1"
    suppress_blank: Annotated[
        bool,
        Option(
            "--suppress-blank/--no-suppress-blank",
            help="Never begin with a space alone.",
            rich_help_panel=CONTROL,
        ),
    ] = True
    suppress_numerals: Annotated[
        bool, Option(help="No digits and currency signs: spell them.", rich_help_panel=CONTROL)
    ] = False
    max_initial_timestamp: Annotated[
        float | None,
        Option(
            help="Latest start of a window's first segment; the model's, 1, if not given.",
            rich_help_panel=CONTROL,
            metavar="S",
        ),
    ] = None
    temperature: Annotated[
        str | None,
        Option(
            help="[cyan]0[/], or several that are tried in order; if not given, sequential tries "
            "0 … 1.",
            rich_help_panel=SEARCH,
            metavar="T[,T]",
        ),
    ] = None
    temperature_increment_on_fallback: Annotated[
        float | None,
        Option(
            help="Step from one temperature to the next, up to 1.",
            rich_help_panel=SEARCH,
            metavar="T",
        ),
    ] = None
    beam_size: Annotated[
        int,
        Option(
            help="Hypotheses side by side at temperature 0; 5: better text, slower.",
            rich_help_panel=SEARCH,
            metavar="N",
        ),
    ] = 1
    patience: Annotated[
        float,
        Option(
            help="Wait for so many times the beams to end.", rich_help_panel=SEARCH, metavar="X"
        ),
    ] = 1.0
    best_of: Annotated[
        int,
        Option(
            help="Samples above temperature 0; the likeliest counts.",
            rich_help_panel=SEARCH,
            metavar="N",
        ),
    ] = 1
    length_penalty: Annotated[
        float | None,
        Option(
            help="Exponent that evens out lengths, 0 to 1; if not given: the mean.",
            rich_help_panel=SEARCH,
            metavar="X",
        ),
    ] = None
    repetition_penalty: Annotated[
        float,
        Option(
            help="Above 1: tokens of the window come again less easily.",
            rich_help_panel=SEARCH,
            metavar="X",
        ),
    ] = 1.0
    no_repeat_ngram_size: Annotated[
        int, Option(help="No n-gram twice in a window.", rich_help_panel=SEARCH, metavar="N")
    ] = 0
    sampling_seed: Annotated[
        int,
        Option(
            help="The same seed gives the same samples, whatever the batch.",
            rich_help_panel=SEARCH,
            metavar="N",
        ),
    ] = 0
    compression_ratio_threshold: Annotated[
        str,
        Option(
            help="A text above it repeats itself: next temperature.",
            rich_help_panel=GUARDS,
            metavar="X|off",
        ),
    ] = "2.4"
    logprob_threshold: Annotated[
        str,
        Option(
            help="A text below it is unlikely: next temperature.",
            rich_help_panel=GUARDS,
            metavar="X|off",
        ),
    ] = "-1.0"
    no_speech_threshold: Annotated[
        str,
        Option(
            help="Above it, unlikely text is silence and is left out.",
            rich_help_panel=GUARDS,
            metavar="X|off",
        ),
    ] = "0.6"
    hallucination_silence_threshold: Annotated[
        str,
        Option(
            help="Sequential, with words: unlikely ones among so much silence are left out.",
            rich_help_panel=GUARDS,
            metavar="S|off",
        ),
    ] = "off"
    max_repeats: Annotated[
        str,
        Option(
            help="More of the same words in a row, in repetitive text: left out.",
            rich_help_panel=GUARDS,
            metavar="N|off",
        ),
    ] = "10"
    max_speaking_rate: Annotated[
        str,
        Option(
            help="More characters a second were never said: left out.",
            rich_help_panel=GUARDS,
            metavar="X|off",
        ),
    ] = "100"

    def asked(self) -> dict[str, Any]:
        """The values of :class:`quest22.settings.DecodingSettings` that these flags stand for.

        Raises :class:`UsageError` for a language or a number that is none.
        """
        from quest22.checkpoint.languages import language_code

        names = parse_list(self.languages or "")
        fallback = self.fallback_language
        return {
            "languages": tuple(map(language_code, names)),
            "language_threshold": self.language_threshold,
            "fallback_language": language_code(fallback) if fallback else None,
            "multilingual": self.multilingual,
            "initial_prompt": self.initial_prompt,
            "carry_initial_prompt": self.carry_initial_prompt,
            "prefix": self.prefix,
            "hotwords": self.hotwords,
            "condition_on_previous_text": self.condition_on_previous_text,
            "suppress_tokens": tuple(
                int(number) for number in parse_numbers("tokens", self.suppress_tokens)
            ),
            "suppress_blank": self.suppress_blank,
            "suppress_numerals": self.suppress_numerals,
            "max_initial_timestamp": self.max_initial_timestamp,
            "temperature": self._temperatures(),
            "beam_size": self.beam_size,
            "patience": self.patience,
            "best_of": self.best_of,
            "length_penalty": self.length_penalty,
            "repetition_penalty": self.repetition_penalty,
            "no_repeat_ngram_size": self.no_repeat_ngram_size,
            "sampling_seed": self.sampling_seed,
        }

    def guards(self) -> HallucinationSettings:
        """Raises :class:`UsageError` for a threshold that is neither a number nor ``off``."""
        repeats = parse_threshold("max repeats", self.max_repeats)
        return HallucinationSettings(
            parse_threshold("compression ratio threshold", self.compression_ratio_threshold),
            parse_threshold("logprob threshold", self.logprob_threshold),
            parse_threshold("no-speech threshold", self.no_speech_threshold),
            parse_threshold("silence threshold", self.hallucination_silence_threshold),
            None if repeats is None else int(repeats),
            parse_threshold("speaking rate", self.max_speaking_rate),
        )

    def _temperatures(self) -> tuple[float, ...] | None:
        step = self.temperature_increment_on_fallback
        if self.temperature is None and step is None:
            return None
        given = parse_numbers("temperature", self.temperature or "0")
        if step is None or len(given) != 1:
            return given
        if step <= 0:
            raise UsageError(f"temperature increment {step}: expected a number above 0")
        count = int((1.0 - given[0]) / step + 1e-6) + 1
        return tuple(round(given[0] + place * step, 6) for place in range(count))
