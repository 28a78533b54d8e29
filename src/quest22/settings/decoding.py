"""Decoding options: language, task, prompts, search, words."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import get_args

from quest22.errors import UsageError
from quest22.records import (
    WINDOW_S,
    AudioContext,
    DetectionOptions,
    SearchOptions,
    SuppressionOptions,
    Task,
)
from quest22.settings.forms import AUDIO_CONTEXT, LANGUAGE, LANGUAGES, TEMPERATURES, TOKENS
from quest22.settings.option import (
    check_at_least,
    check_choice,
    check_fraction,
    check_positive,
    option,
)

SPEECH, WORDS = "Speech", "Words"
PROMPTS, SEARCH = "Languages and prompts", "Search"

PREPEND_PUNCTUATIONS = "\"'“¿([{-"
APPEND_PUNCTUATIONS = "\"'.。,，!！?？:：”)]}、"
"""Marks that belong to the word after or before them, as in openai/whisper."""


@dataclass(frozen=True, slots=True)
class DecodingSettings:
    """Decoding options.

    Names and meanings are those of openai/whisper and faster-whisper. If ``temperature`` or
    ``multilingual`` is None, the long form uses its reference implementation's default.
    """

    language: str | None = option(
        None,
        flags=("--language", "-l"),
        form=LANGUAGE,
        help="Language of the audio: [cyan]ru[/] or [cyan]Russian[/]. Also [cyan]ru-RU[/]; "
        "[cyan]auto[/] detects it.",
        metavar="LANGUAGE",
        unset="detected",
        panel=SPEECH,
    )
    task: Task = option(
        "transcribe",
        flags="--task",
        help="[cyan]transcribe[/], or [cyan]translate[/] into English.",
        metavar="TASK",
        panel=SPEECH,
    )
    timestamps: bool = option(
        False,
        flags="--timestamps/--no-timestamps",
        help="Segments with start and end times. By default the command decides by the output "
        "formats.",
        panel=SPEECH,
    )
    max_new_tokens: int | None = option(
        None,
        flags="--max-new-tokens",
        help="Maximum number of new tokens per window.",
        metavar="N",
        unit="tokens",
        unset="224 if sequential, else what the model has room for",
        panel=SPEECH,
    )
    audio_context: AudioContext | None = option(
        None,
        flags="--audio-context",
        form=AUDIO_CONTEXT,
        help="How much of a 30 s window the model hears: [cyan]full[/]; [cyan]auto[/], the sound "
        "and 6.4 s, which makes short clips several times as fast; or seconds, though never less "
        "than the sound.",
        metavar="auto|full|S",
        unit="s",
        unset="auto where greedy decoding is sure, else full; full if chunked or sequential",
        panel=SPEECH,
    )
    languages: tuple[str, ...] = option(
        (),
        flags="--languages",
        form=LANGUAGES,
        help="Detect the language among these only: [cyan]en,ru[/].",
        metavar="LANGUAGES",
        unset="all",
        panel=PROMPTS,
    )
    language_threshold: float = option(
        0.0,
        flags=("--language-threshold", "--language-detection-threshold"),
        help="Use the fallback language if the detected one is less probable than this.",
        metavar="0…1",
        unit="probability",
        panel=PROMPTS,
    )
    fallback_language: str | None = option(
        None,
        flags="--fallback-language",
        form=LANGUAGE,
        help="The language to use if detection is below the threshold.",
        metavar="LANGUAGE",
        panel=PROMPTS,
    )
    multilingual: bool | None = option(
        None,
        flags="--multilingual/--no-multilingual",
        help="Detect the language in each window instead of once per clip.",
        unset="each window if chunked, else once per clip",
        panel=PROMPTS,
    )
    initial_prompt: str | None = option(
        None,
        flags="--initial-prompt",
        help="Text that guides names, spelling and style. The model takes it for what was said "
        "before the audio.",
        metavar="TEXT",
        panel=PROMPTS,
    )
    carry_initial_prompt: bool = option(
        False,
        flags="--carry-initial-prompt/--no-carry-initial-prompt",
        help="Sequential: put the initial prompt before every window, not only the first.",
        panel=PROMPTS,
    )
    prefix: str | None = option(
        None,
        flags="--prefix",
        help="Text that the first window's text continues; it is not part of the transcript.",
        metavar="TEXT",
        panel=PROMPTS,
    )
    hotwords: str | None = option(
        None,
        flags="--hotwords",
        help="Words to expect, such as names; they go before every window.",
        metavar="TEXT",
        panel=PROMPTS,
    )
    condition_on_previous_text: bool = option(
        True,
        flags="--condition-on-previous-text/--no-condition-on-previous-text",
        help="Sequential: prompt each window with the text so far. Off, the model loops less.",
        panel=PROMPTS,
    )
    suppress_tokens: tuple[int, ...] = option(
        (-1,),
        flags="--suppress-tokens",
        form=TOKENS,
        help="Token ids that are never chosen; [cyan]-1[/] stands for the model's own list.",
        metavar="N,N",
        panel=PROMPTS,
    )
    suppress_blank: bool = option(
        True,
        flags="--suppress-blank/--no-suppress-blank",
        help="Never begin a window with a blank.",
        panel=PROMPTS,
    )
    suppress_numerals: bool = option(
        False,
        flags="--suppress-numerals/--no-suppress-numerals",
        help="Spell numbers out: no digits and no currency signs.",
        panel=PROMPTS,
    )
    max_initial_timestamp: float | None = option(
        None,
        flags="--max-initial-timestamp",
        help="The latest start of a window's first segment.",
        metavar="S",
        unit="s",
        unset="the model's, 1",
        panel=PROMPTS,
    )
    temperature: tuple[float, ...] | None = option(
        None,
        flags="--temperature",
        form=TEMPERATURES,
        help="Sampling temperature; several are tried in order until a text passes the thresholds.",
        metavar="T[,T]",
        unset="0, then 0.4 and 0.8; 0 if chunked; 0, 0.2 … 1 if sequential",
        panel=SEARCH,
    )
    beam_size: int | None = option(
        None,
        flags="--beam-size",
        help="Number of beams at temperature 0, in every window.",
        metavar="N",
        unset="by quality: 1 if fast, else 5 where 1 is unsure; 1 if chunked or sequential",
        panel=SEARCH,
    )
    patience: float = option(
        1.0,
        flags="--patience",
        help="Beam search stops after this many times the beam size of finished hypotheses.",
        metavar="X",
        panel=SEARCH,
    )
    best_of: int | None = option(
        None,
        flags="--best-of",
        help="Number of samples above temperature 0; the most probable one is used.",
        metavar="N",
        unset="5; 1 if chunked or sequential",
        panel=SEARCH,
    )
    length_penalty: float | None = option(
        None,
        flags="--length-penalty",
        help="Exponent of the length normalisation that ranks hypotheses, 0 to 1.",
        metavar="X",
        unset="mean log-probability",
        panel=SEARCH,
    )
    repetition_penalty: float = option(
        1.0,
        flags="--repetition-penalty",
        help="Above 1, tokens that the window already has become less probable.",
        metavar="X",
        panel=SEARCH,
    )
    no_repeat_ngram_size: int = option(
        0,
        flags="--no-repeat-ngram-size",
        help="Never repeat an n-gram of this many tokens within a window; 0 allows it.",
        metavar="N",
        unit="tokens",
        panel=SEARCH,
    )
    sampling_seed: int = option(
        0,
        flags="--sampling-seed",
        help="Random seed of the samples; they do not depend on the batch.",
        metavar="N",
        panel=SEARCH,
    )
    word_timestamps: bool = option(
        False,
        flags="--word-timestamps",
        help="Start, end and probability of each word. In the command it implies "
        "[cyan]--timestamps[/].",
        panel=WORDS,
    )
    prepend_punctuations: str = option(
        PREPEND_PUNCTUATIONS,
        flags="--prepend-punctuations",
        help="Marks that belong to the word after them.",
        metavar="MARKS",
        panel=WORDS,
    )
    append_punctuations: str = option(
        APPEND_PUNCTUATIONS,
        flags="--append-punctuations",
        help="Marks that belong to the word before them.",
        metavar="MARKS",
        panel=WORDS,
    )

    def __post_init__(self) -> None:
        check_choice("task", self.task, get_args(Task))
        check_at_least("beam_size", self.beam_size, 1)
        check_at_least("best_of", self.best_of, 1)
        check_at_least("no_repeat_ngram_size", self.no_repeat_ngram_size, 0)
        check_at_least("max_new_tokens", self.max_new_tokens, 1)
        check_positive("patience", self.patience)
        check_positive("repetition_penalty", self.repetition_penalty)
        check_fraction("language_threshold", self.language_threshold)
        check_fraction("length_penalty", self.length_penalty)
        self._check_temperatures()
        context = self.audio_context
        if isinstance(context, (int, float)) and not 0 < context <= WINDOW_S:
            raise UsageError(
                f"audio_context is {context:g}: expected auto, full or seconds up to {WINDOW_S:g}"
            )

    def _check_temperatures(self) -> None:
        if self.temperature is None:
            return
        for each in self.temperature:
            check_fraction("temperature", each)
        rises = all(before < after for before, after in pairwise(self.temperature))
        if not (self.temperature and rises):
            raise UsageError(
                f"temperature is {self.temperature}: expected one or more increasing values, "
                "such as 0,0.2,0.4"
            )

    def detection(self) -> DetectionOptions:
        """How the language is detected."""
        return DetectionOptions(self.languages, self.language_threshold, self.fallback_language)

    def search(self) -> SearchOptions:
        """How tokens are searched."""
        return SearchOptions(
            beam_size=self.beam_size or 1,
            patience=self.patience,
            best_of=self.best_of or 1,
            length_penalty=self.length_penalty,
            repetition_penalty=self.repetition_penalty,
            no_repeat_ngram_size=self.no_repeat_ngram_size,
            seed=(self.sampling_seed,),
        )

    def suppression(self) -> SuppressionOptions:
        """Which tokens are never chosen."""
        return SuppressionOptions(
            self.suppress_tokens,
            self.suppress_blank,
            self.suppress_numerals,
            self.max_initial_timestamp,
        )
