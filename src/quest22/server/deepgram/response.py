"""Formats transcripts as Deepgram's response: channels, utterances and paragraphs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import exp
from typing import Any
from uuid import uuid4

from quest22.longform.live.words import ends_sentence
from quest22.records import Transcript, Word
from quest22.server.deepgram.parameters import Formatting
from quest22.server.deepgram.query import Query
from quest22.server.deepgram.words import (
    DECIMALS,
    WrittenWord,
    alternative,
    confidence,
    language_tag,
    transcript,
    written,
)

PARAGRAPH_PAUSE_S = 2.0
PARAGRAPH_SENTENCES = 5
DEFAULT_SPLIT_S = 0.8


@dataclass(frozen=True, slots=True)
class Layout:
    """What a response contains besides text. ``utt_split_s`` is the pause between utterances."""

    utterances: bool
    utt_split_s: float
    paragraphs: bool
    tells_language: bool

    @classmethod
    def of(cls, query: Query) -> Layout:
        """Raises :class:`quest22.server.refusal.Refusal` for invalid parameters."""
        return cls(
            utterances=query.flag("utterances"),
            utt_split_s=query.number("utt_split", 0.1, 60) or DEFAULT_SPLIT_S,
            paragraphs=query.flag("paragraphs") or query.flag("smart_format"),
            tells_language=query.flag("detect_language"),
        )


def results(
    channels: Sequence[Transcript], layout: Layout, formatting: Formatting
) -> dict[str, Any]:
    """The ``results`` of a response; one transcript per channel."""
    said = [written(_words(each)) for each in channels]
    found: dict[str, Any] = {
        "channels": [
            _channel(each, words, layout, formatting)
            for each, words in zip(channels, said, strict=True)
        ]
    }
    if layout.utterances:
        utterances = [
            _utterance(number, words, formatting, channels[number].language)
            for number, all_words in enumerate(said)
            for words in _utterances(all_words, layout.utt_split_s)
        ]
        found["utterances"] = sorted(utterances, key=lambda each: float(each["start"]))
    return found


def _words(channel_transcript: Transcript) -> Iterator[Word]:
    """The words of a transcript; a segment that could not be aligned counts as one word."""
    for segment in channel_transcript.segments:
        if segment.words is not None:
            yield from segment.words
        else:
            likely = exp(min(segment.avg_logprob, 0.0))
            yield Word(segment.start_s, segment.end_s, segment.text, likely)


def _channel(
    channel_transcript: Transcript,
    words: Sequence[WrittenWord],
    layout: Layout,
    formatting: Formatting,
) -> dict[str, Any]:
    text = alternative(words, formatting, channel_transcript.language)
    if layout.paragraphs:
        text["paragraphs"] = _paragraphs(words)
    found: dict[str, Any] = {"alternatives": [text]}
    if layout.tells_language:
        found["detected_language"] = language_tag(channel_transcript.language)
        found["language_confidence"] = round(channel_transcript.language_probability, 4)
    return found


def _utterances(words: Sequence[WrittenWord], split_s: float) -> Iterator[list[WrittenWord]]:
    return _cut(words, lambda last, word: word.start_s - last.end_s >= split_s)


def _utterance(
    channel: int, words: Sequence[WrittenWord], formatting: Formatting, language: str | None
) -> dict[str, Any]:
    tag = language_tag(language)
    found: dict[str, Any] = {
        "start": round(words[0].start_s, DECIMALS),
        "end": round(words[-1].end_s, DECIMALS),
        "confidence": confidence(words),
        "channel": channel,
        "transcript": transcript(words, formatting),
        "words": [word.fields(formatting, tag) for word in words],
        "id": str(uuid4()),
    }
    if formatting.tells_language and tag:
        found["languages"] = [tag]
    return found


def _paragraphs(words: Sequence[WrittenWord]) -> dict[str, Any]:
    """Group sentences: a new paragraph begins after a pause, or after five sentences."""
    sentences = list(_cut(words, lambda last, _: ends_sentence(last.text)))
    paragraphs: list[list[list[WrittenWord]]] = []
    for sentence in sentences:
        paragraph = paragraphs[-1] if paragraphs else []
        pause_s = sentence[0].start_s - paragraph[-1][-1].end_s if paragraph else 0.0
        is_full = len(paragraph) >= PARAGRAPH_SENTENCES
        if not paragraph or is_full or pause_s >= PARAGRAPH_PAUSE_S:
            paragraphs.append([sentence])
        else:
            paragraph.append(sentence)
    written_ = [_paragraph(each) for each in paragraphs]
    texts = (" ".join(line["text"] for line in each["sentences"]) for each in written_)
    return {"transcript": "".join(f"\n{text}\n" for text in texts)[:-1], "paragraphs": written_}


def _paragraph(sentences: Sequence[Sequence[WrittenWord]]) -> dict[str, Any]:
    lines = [
        {
            "text": transcript(words, Formatting(punctuated=True)),
            "start": round(words[0].start_s, DECIMALS),
            "end": round(words[-1].end_s, DECIMALS),
        }
        for words in sentences
    ]
    return {
        "sentences": lines,
        "num_words": sum(map(len, sentences)),
        "start": lines[0]["start"],
        "end": lines[-1]["end"],
    }


def _cut(
    words: Iterable[WrittenWord], between: Callable[[WrittenWord, WrittenWord], bool]
) -> Iterator[list[WrittenWord]]:
    """Split words wherever ``between`` is true for two neighbours."""
    run: list[WrittenWord] = []
    for word in words:
        if run and between(run[-1], word):
            yield run
            run = []
        run.append(word)
    if run:
        yield run
