"""Comparisons of whole recordings: chunked, sequential, and words with their times."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any
from unittest.mock import patch

from benchmarks.accuracy.parity.causes import (
    AFTER,
    EQUAL,
    UNEXPLAINED,
    Outcome,
    TokenJudge,
    first_difference,
)
from benchmarks.accuracy.parity.models import Features, Models
from benchmarks.accuracy.parity.recordings import Recording
from quest22.audio.log_mel import LogMelStream
from quest22.decoding.prompts import PromptBuilder
from quest22.decoding.timestamps import drop_unfinished
from quest22.longform.chunked import ChunkedStrategy
from quest22.longform.sequential import SequentialStrategy
from quest22.records import Hypothesis, Segment, Window
from quest22.settings import DecodingSettings, HallucinationSettings, LongFormSettings

REFERENCE_RULES = HallucinationSettings(max_repeats=None, max_speaking_rate=None)
"""The rules of the references alone."""

MAX_TOKENS = 224
FRAME_S = 0.02
"""Words are in step if they are within one frame of the encoder."""

PADDING = "the reference goes on into the padding"


@dataclass(frozen=True, slots=True, eq=False)
class HeardWindow:
    """What a reference was asked and heard in one window."""

    features: Features
    previous: tuple[int, ...]
    tokens: tuple[int, ...]


def chunked(models: Models, recording: Recording) -> Iterator[Outcome]:
    """Each window's tokens and the joined text beside Transformers' pipeline, without times."""
    return _beside_the_pipeline(models, recording, timestamps=False)


def chunked_times(models: Models, recording: Recording) -> Iterator[Outcome]:
    """The same with timestamps."""
    return _beside_the_pipeline(models, recording, timestamps=True)


def _beside_the_pipeline(
    models: Models, recording: Recording, *, timestamps: bool
) -> Iterator[Outcome]:
    decoding = DecodingSettings(timestamps=timestamps, max_new_tokens=MAX_TOKENS)
    strategy = ChunkedStrategy(
        LongFormSettings(long_form="chunked"), decoding, models.checkpoint.tokens, REFERENCE_RULES
    )
    hearing = models.hear_all(strategy, recording.samples)
    text, windows = pipeline_hears(models, recording, timestamps=timestamps)
    ours: dict[int, list[tuple[Window, Hypothesis]]] = {}
    for window, hypothesis in hearing.windows:
        ours.setdefault(window.index, []).append((window, hypothesis))
    outcomes = [
        _window_outcome(models, f"{recording.name} window {index}", ours[index], heard)
        for index, heard in enumerate(windows)
    ]
    yield from outcomes
    if hearing.transcript().text == text.strip():
        yield Outcome(f"{recording.name} text", EQUAL)
    else:
        same = all(each.cause == EQUAL for each in outcomes)
        yield Outcome(f"{recording.name} text", UNEXPLAINED if same else AFTER)


def _window_outcome(
    models: Models,
    name: str,
    passes: Sequence[tuple[Window, Hypothesis]],
    theirs: HeardWindow,
) -> Outcome:
    begin = models.checkpoint.tokens.timestamp_begin
    tokens = [token for window, each in passes for token in complete(window, each, begin)]
    window, first = passes[0]
    at = first_difference(tokens, theirs.tokens)
    if at == len(tokens) and window.duration_s < 30:
        return Outcome(name, PADDING, f"{len(theirs.tokens) - at} tokens more")
    prompt = models.prompt(window.decoding, first.language)
    return TokenJudge(models, theirs.features, prompt).outcome(name, tokens, theirs.tokens)


def complete(window: Window, hypothesis: Hypothesis, begin: int) -> tuple[int, ...]:
    """The tokens of a pass that Transformers keeps: without an unfinished segment, if timed."""
    if not window.decoding.timestamps:
        return hypothesis.tokens
    tokens, _ = drop_unfinished(hypothesis.tokens, begin)
    return tokens


def pipeline_hears(
    models: Models, recording: Recording, *, timestamps: bool
) -> tuple[str, list[HeardWindow]]:
    """The text of Transformers' pipeline, and what its model heard in each window."""
    model, windows = models.transformers.model, list[HeardWindow]()
    generate = model.generate
    eot, begin = models.checkpoint.tokens.eot, models.checkpoint.tokens.timestamp_begin

    def noted(**asked: Any) -> Any:
        made = generate(**asked)
        spoken = [token for token in made[0].tolist() if token < eot or token >= begin]
        windows.append(HeardWindow(asked["input_features"][0].numpy(), (), tuple(spoken)))
        return made

    with patch.object(model, "generate", noted), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        heard = models.pipeline(
            recording.samples.copy(),
            chunk_length_s=30,
            stride_length_s=5,
            return_timestamps=timestamps,
            generate_kwargs={"num_beams": 1, "max_new_tokens": MAX_TOKENS},
        )
    return str(heard["text"]), windows


def sequential(models: Models, recording: Recording) -> Iterator[Outcome]:
    """Each window's seek, prompt and tokens beside openai/whisper's ``transcribe``."""
    return _beside_transcribe(models, recording, words=False)


def words(models: Models, recording: Recording) -> Iterator[Outcome]:
    """The same with word timestamps, and the words and times of each segment."""
    return _beside_transcribe(models, recording, words=True)


def _beside_transcribe(models: Models, recording: Recording, *, words: bool) -> Iterator[Outcome]:
    language = models.language(recording.language)
    decoding = DecodingSettings(
        language, timestamps=True, temperature=(0.0,), word_timestamps=words
    )
    strategy = SequentialStrategy(
        LongFormSettings(long_form="sequential"),
        decoding,
        models.checkpoint.tokens,
        REFERENCE_RULES,
        lambda: LogMelStream(models.log_mel),
    )
    hearing = models.hear_all(strategy, recording.samples)
    told, windows = transcribe_hears(models, recording, language, words=words)
    outcomes = _windows_outcomes(models, recording.name, hearing.windows, windows)
    yield from outcomes
    if words and all(each.cause == EQUAL for each in outcomes):
        spoken = [each for each in told["segments"] if each["text"].strip()]
        segments = hearing.transcript().segments
        for number, (ours, theirs) in enumerate(zip_longest(segments, spoken)):
            yield _words_outcome(f"{recording.name} segment {number}", ours, theirs)


def _windows_outcomes(
    models: Models,
    name: str,
    ours: Sequence[tuple[Window, Hypothesis]],
    theirs: Sequence[HeardWindow],
) -> list[Outcome]:
    """An outcome for each window, up to the first that differs, and one for all after it."""
    tokens = models.checkpoint.tokens
    prompts = PromptBuilder(
        tokens, models.checkpoint.generation, models.checkpoint.dimensions.max_target_positions
    )
    outcomes: list[Outcome] = []
    for number, (left, right) in enumerate(zip_longest(ours, theirs)):
        label = f"{name} window {number}"
        if outcomes and outcomes[-1].cause != EQUAL:
            return [*outcomes, Outcome(label, AFTER, f"{max(len(ours), len(theirs)) - number}")]
        if left is None or right is None:
            outcomes.append(Outcome(label, UNEXPLAINED, f"{len(ours)} for {len(theirs)} windows"))
            continue
        window, hypothesis = left
        if window.decoding.previous[-223:] != right.previous[-223:]:
            outcomes.append(Outcome(label, UNEXPLAINED, "another prompt"))
            continue
        prompt = prompts.build(window.decoding, hypothesis.language)
        judge = TokenJudge(models, right.features, prompt.tokens)
        outcomes.append(judge.outcome(label, hypothesis.tokens, right.tokens))
    return outcomes


def transcribe_hears(
    models: Models, recording: Recording, language: str | None, *, words: bool
) -> tuple[dict[str, Any], list[HeardWindow]]:
    """What openai/whisper's ``transcribe`` gives, and what its model heard in each window."""
    model, windows = models.openai.model, list[HeardWindow]()
    decode = model.decode

    def noted(features: Any, asked: Any) -> Any:
        made = decode(features, asked)
        previous = tuple(asked.prompt or ())
        windows.append(HeardWindow(features.numpy(), previous, tuple(made.tokens)))
        return made

    with patch.object(model, "decode", noted):
        told = models.openai.transcribe(
            recording.samples, language=language, temperature=0.0, word_timestamps=words
        )
    return told, windows


def _words_outcome(name: str, ours: Segment | None, theirs: dict[str, Any] | None) -> Outcome:
    if ours is None or theirs is None:
        return Outcome(name, UNEXPLAINED, "one segment more")
    mine = [(word.text, word.start_s, word.end_s) for word in ours.words or ()]
    other = [(word["word"], word["start"], word["end"]) for word in theirs["words"]]
    if [word for word, *_ in mine] != [word for word, *_ in other]:
        return Outcome(name, UNEXPLAINED, f"words {mine} for {other}")
    apart = [
        (word, start - theirs_start, end - theirs_end)
        for (word, start, end), (_, theirs_start, theirs_end) in zip(mine, other, strict=True)
        if max(abs(start - theirs_start), abs(end - theirs_end)) > FRAME_S + 1e-6
    ]
    return Outcome(name, UNEXPLAINED, f"times of {apart}") if apart else Outcome(name, EQUAL)
