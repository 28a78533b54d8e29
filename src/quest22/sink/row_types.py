"""The JSON objects of rows, field by field: what :mod:`quest22.sink.rows` makes.

The schemas of ``quest22 schema`` are made of these types. A class named after a column or a field
is for those that are left out at times.
"""

from __future__ import annotations

from typing import Annotated, TypeAlias

from typing_extensions import NotRequired, TypedDict

Seconds: TypeAlias = Annotated[float, "Seconds from the beginning of the recording."]
Channel: TypeAlias = Annotated[int, "Channel of the recording, from 0; with `--channel each`."]
Language: TypeAlias = Annotated[str | None, "Code of the language, such as `en`."]
LanguageProbability: TypeAlias = Annotated[float, "Of the detected language; 1 if it was given."]
AvgLogprob: TypeAlias = Annotated[float, "Mean log-probability of the tokens."]
NoSpeechProb: TypeAlias = Annotated[float, "Probability that nobody speaks."]
CompressionRatio: TypeAlias = Annotated[float, "How well the text compresses; loops are above 2."]
Temperature: TypeAlias = Annotated[float, "At which it was decoded; 0: without chance."]


class OriginRow(TypedDict):
    """Where to find the clip again."""

    dataset: Annotated[str, "Name of the dataset, or the file itself."]
    revision: Annotated[str | None, "Commit of the dataset; null if it has none."]
    file: Annotated[str | None, "Data file within the dataset."]
    row: Annotated[int | None, "Row in the file, from 0."]


class WordRow(TypedDict):
    """A word, with `--word-timestamps`."""

    start: Seconds
    end: Seconds
    word: Annotated[str, "The word, with the space before it."]
    probability: Annotated[float, "Mean probability of its tokens."]
    channel: NotRequired[Channel]


class SegmentRow(TypedDict):
    """A span of a transcript."""

    start: Seconds
    end: Seconds
    text: Annotated[str, "The texts of all segments, one after another, are the transcript."]
    avg_logprob: AvgLogprob
    no_speech_prob: NoSpeechProb
    compression_ratio: CompressionRatio
    temperature: Temperature
    channel: NotRequired[Channel]
    language: NotRequired[Language]
    language_probability: NotRequired[LanguageProbability]
    words: NotRequired[Annotated[list[WordRow], "With `--word-timestamps`."]]


class ConfidenceRow(TypedDict):
    """Confidence of the model in a whole clip."""

    avg_logprob: Annotated[float, "Mean over segments, weighted by their tokens."]
    no_speech_prob: Annotated[float, "Mean over segments, weighted by their tokens."]
    compression_ratio: Annotated[float, "Of the whole text."]
    temperature: Annotated[float, "The highest of all segments."]


class DroppedRow(TypedDict):
    """A span that was kept out of the text."""

    start: Seconds
    end: Seconds
    reason: Annotated[str, "A few words, such as `no speech`."]
    text: Annotated[str, "The rejected text; empty if the model did not run."]
    channel: NotRequired[Channel]


class DamageRow(TypedDict):
    """A place where sound is missing; silence stands there in its stead."""

    start: Seconds
    end: Seconds
    reason: str


class ConfidenceColumn(TypedDict, total=False):
    """The column ``confidence``, where there is one."""

    confidence: ConfidenceRow


class DroppedColumn(TypedDict, total=False):
    """The column ``dropped``, where there is one."""

    dropped: list[DroppedRow]


class DamageColumn(TypedDict, total=False):
    """The column ``damage``, where there is one."""

    damage: list[DamageRow]


class LanguageFields(TypedDict, total=False):
    """The language of a segment, where it is known."""

    language: Language
    language_probability: LanguageProbability


class ChannelField(TypedDict, total=False):
    """The channel, where each was transcribed for itself."""

    channel: Channel


class ReferenceColumn(TypedDict, total=False):
    """The column ``reference``, where the source has one."""

    reference: str


class WordsField(TypedDict, total=False):
    """The words of a segment, where they were timed."""

    words: list[WordRow]


class OpenEndField(TypedDict, total=False):
    """The field ``open_end``, where a failure is one."""

    open_end: bool


class TranscriptRow(TypedDict):
    """The transcript of a clip. Columns of `--keep-columns` stand beside these, before `origin`."""

    id: Annotated[str, "Key of the clip: the id column, or the path; unique within a run."]
    text: Annotated[str, "The transcript."]
    reference: NotRequired[Annotated[str, "Text of the source; left out if it has none."]]
    language: Language
    language_probability: LanguageProbability
    duration: Annotated[float, "Length of the recording in seconds."]
    confidence: NotRequired[Annotated[ConfidenceRow, "Left out if nothing was transcribed."]]
    segments: Annotated[list[SegmentRow], "In order; one for each window without `--timestamps`."]
    dropped: NotRequired[Annotated[list[DroppedRow], "Spans without text; left out if empty."]]
    damage: NotRequired[Annotated[list[DamageRow], "Sound that is missing; left out if empty."]]
    origin: Annotated[OriginRow, "Where to find the clip again."]


class FailureRow(TypedDict):
    """A clip that could not be transcribed."""

    id: Annotated[str, "Key of the clip."]
    name: Annotated[str, "Name of its file, or the key."]
    stage: Annotated[str, "What failed: `source`, `audio`, `engine` …"]
    reason: str
    open_end: NotRequired[
        Annotated[bool, "True: it stands for all rows that are left of its data file."]
    ]
    origin: Annotated[OriginRow, "Where to find the clip again."]
