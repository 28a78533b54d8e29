"""From a window's options to what a backend decodes, and from its result to a hypothesis."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import takewhile

from quest22.checkpoint.load import Checkpoint
from quest22.decoding.language_detection import DetectedLanguage, detect_language
from quest22.decoding.logits_rules import LogitsRulesCache
from quest22.decoding.logprobs import Logits
from quest22.decoding.prompts import PromptBuilder
from quest22.decoding.token_decoders import DecodeRequest, DecodeResult
from quest22.records import DecodingOptions, Hypothesis

_ENGLISH = DetectedLanguage("en", 1.0)


class Requests:
    """Builds the requests of a checkpoint: prompts, rules, languages."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        tokens, generation = checkpoint.tokens, checkpoint.generation
        self._tokens = tokens
        self._codes = {code: index for index, code in enumerate(tokens.languages)}
        positions = checkpoint.dimensions.max_target_positions
        self._prompts = PromptBuilder(tokens, generation, positions)
        self._vocabulary = checkpoint.dimensions.vocab_size
        self._rules = LogitsRulesCache(tokens, generation, self._vocabulary)

    def languages(
        self, options: Sequence[DecodingOptions], logits: Callable[[Sequence[int]], Logits]
    ) -> list[DetectedLanguage]:
        """Each window's language: given or detected.

        ``logits`` gives those of some tokens after the start, ``[windows, tokens]``.
        """
        if not self._tokens.is_multilingual:
            return [_ENGLISH for _ in options]
        if all(each.language is not None for each in options):
            return [DetectedLanguage(each.language, 1.0) for each in options]
        rows = logits(list(self._tokens.languages.values()))
        return [
            detect_language(row, self._codes, each.detection)
            if each.language is None
            else DetectedLanguage(each.language, 1.0)
            for each, row in zip(options, rows, strict=True)
        ]

    def of(
        self, options: Sequence[DecodingOptions], languages: Sequence[DetectedLanguage]
    ) -> list[DecodeRequest]:
        """Of windows in their languages."""
        return [self._of(*each) for each in zip(options, languages, strict=True)]

    def of_any_language(self, options: DecodingOptions) -> DecodeRequest:
        """Of a window whose language is not known yet: the same, but for a token of its prompt."""
        return self._of(options, DetectedLanguage(next(iter(self._codes), None), 1.0))

    def hypothesis(
        self, options: DecodingOptions, result: DecodeResult, detected: DetectedLanguage
    ) -> Hypothesis:
        """What a result says; control tokens are no text."""
        control = range(self._tokens.eot, self._tokens.timestamp_begin)
        return Hypothesis(
            tokens=tuple(token for token in result.tokens if token not in control),
            language=detected.language,
            language_probability=detected.probability,
            avg_logprob=result.avg_logprob,
            no_speech_prob=result.no_speech_prob,
            temperature=options.temperature,
            languages=detected.top_languages,
        )

    def _of(self, options: DecodingOptions, detected: DetectedLanguage) -> DecodeRequest:
        language = detected.language if self._tokens.is_multilingual else options.language
        return DecodeRequest(
            self._prompts.build(options, language),
            self._rules.rules(options.suppression),
            options.search,
            options.temperature,
            tuple(takewhile(range(self._vocabulary).__contains__, options.draft)),
            keep_attention=options.words and options.quick_words and not options.timestamps,
        )
