"""Flags of other Whisper programs that have another name here, or a reason not to be here.

From openai/whisper, faster-whisper's whisper-ctranslate2, WhisperX and whisper.cpp. What has the
same name and meaning here is not listed; ``docs/options.md`` shows this table.
"""

from __future__ import annotations

from dataclasses import dataclass

from quest22.errors import UsageError


@dataclass(frozen=True, slots=True)
class ForeignFlag:
    """A flag as others write it, without ``--``, with hyphens.

    ``short`` is whisper.cpp's other name for it: a hyphen and one letter or several. ``means`` is
    what it becomes: here, flags with ``{}`` for its value; of a boolean flag, those for True and
    for False. ``says`` is what is told: the reason for a refusal if ``means`` is None.
    """

    names: tuple[str, ...]
    says: str
    means: str | tuple[str, str] | None = None
    boolean: bool = False
    short: str = ""

    @property
    def spellings(self) -> tuple[str, ...]:
        """Its names as they are typed, hyphens and all."""
        return (*(f"--{name}" for name in self.names), *filter(None, [self.short]))

    def arguments(self, written: str, value: str | bool) -> list[str]:
        """This command's arguments in its place. Raises :class:`UsageError` for a refusal."""
        if self.means is None:
            if value is False:
                return []
            raise UsageError(f"{written} is not a flag of quest22: {self.says}")
        if isinstance(value, bool):
            on, off = self.means if isinstance(self.means, tuple) else (self.means, "")
            return (on if value else off).split()
        template = self.means if isinstance(self.means, str) else self.means[0]
        return [part.replace("{}", value) for part in template.split()]


def _renamed(*names: str, becomes: str, short: str = "") -> ForeignFlag:
    """A flag whose value is also one of ours, ``becomes``."""
    return ForeignFlag(names, becomes, means=f"{becomes} {{}}", short=short)


def _switch(*names: str, becomes: str, short: str = "") -> ForeignFlag:
    """A boolean flag that stands for flags of ours."""
    return ForeignFlag(names, becomes, means=(becomes, ""), boolean=True, short=short)


def _refused(*names: str, says: str, boolean: bool = False, short: str = "") -> ForeignFlag:
    return ForeignFlag(names, says, boolean=boolean, short=short)


def _ignored(*names: str, says: str, short: str = "") -> ForeignFlag:
    return ForeignFlag(names, says, means=("", ""), boolean=True, short=short)


_DIARIZATION = "it does not tell speakers apart; each channel of a recording: --channel each"
_SPEECH = "Silero VAD finds speech: --vad on, with --vad-threshold"
_SHOWN = "left out: --verbose and --quiet say how much is shown"
_SPANS = "spans, in seconds: --long-form sequential --clip-timestamps START,END"
_MICROPHONE = "quest22 live hears a microphone: --microphone NAME"

FOREIGN_FLAGS = (
    ForeignFlag(
        ("fp16",),
        "True: the fastest precision of the processor (the default); False: --compute-type float32",
        means=("", "--compute-type float32"),
        boolean=True,
    ),
    _renamed("hf-token", becomes="--token"),
    ForeignFlag(("model-directory",), "-m FOLDER", means="--model {}"),
    _renamed("prompt", becomes="--initial-prompt"),
    _renamed("cpu-threads", becomes="--threads", short="-t"),
    _switch("translate", becomes="--task translate", short="-tr"),
    _switch("without-timestamps", becomes="--no-timestamps", short="-nt"),
    _renamed("max-len", becomes="--caption-length", short="-ml"),
    _renamed("vad-onset", becomes="--vad-threshold"),
    _renamed("vad-offset", becomes="--vad-neg-threshold"),
    _renamed("logprob-thold", becomes="--logprob-threshold", short="-lpt"),
    _renamed("no-speech-thold", becomes="--no-speech-threshold", short="-nth"),
    _renamed("temperature-inc", becomes="--temperature-increment-on-fallback", short="-tpi"),
    _switch("no-fallback", becomes="--temperature 0", short="-nf"),
    _switch("no-gpu", becomes="--device cpu", short="-ng"),
    _switch("no-prints", becomes="--quiet", short="-np"),
    _switch("output-txt", becomes="-f txt", short="-otxt"),
    _switch("output-srt", becomes="-f srt", short="-osrt"),
    _switch("output-vtt", becomes="-f vtt", short="-ovtt"),
    _switch("output-lrc", becomes="-f lrc", short="-olrc"),
    _switch("output-json", becomes="-f json", short="-oj"),
    _switch("output-json-full", becomes="-f json", short="-ojf"),
    _refused("output-csv", says="-f tsv", boolean=True, short="-ocsv"),
    _refused("output-words", says="-f ass --highlight-words", boolean=True, short="-owts"),
    _refused(
        "output-file",
        says="outputs are named after the recordings: -o FOLDER",
        short="-of",
    ),
    _refused("file", says="recordings are named without a flag: quest22 transcribe talk.mp3"),
    _refused("offset-t", says=_SPANS, short="-ot"),
    _refused("duration", says=_SPANS, short="-d"),
    _refused(
        *("chunk-size", "chunk-length"),
        says="windows are cut at pauses; for a length: --long-form chunked --chunk-length-s S",
    ),
    _refused("audio-ctx", says="--audio-context, in seconds", short="-ac"),
    _refused(
        "max-context",
        says="only --long-form sequential reads the text before: --no-condition-on-previous-text",
        short="-mc",
    ),
    _refused("entropy-thold", says="--compression-ratio-threshold", short="-et"),
    _refused("word-thold", says="the probability of a word is in -f json", short="-wt"),
    _refused("dtw", says="times of words: --word-timestamps"),
    _refused(
        "detect-language", says="the detected language is in -f json", boolean=True, short="-dl"
    ),
    _refused("language-detection-segments", says="the windows of a recording vote on its language"),
    ForeignFlag(
        ("local-files-only", "model-cache-only"),
        "models in the caches are used without asking the Hub; HF_HUB_OFFLINE=1 forbids it",
        means=("", ""),
        boolean=True,
    ),
    _ignored("batched", says="batches are always formed: --batch-size"),
    _ignored("print-colors", says=_SHOWN, short="-pc"),
    _ignored("print-progress", says=_SHOWN, short="-pp"),
    _ignored("print-special", says=_SHOWN, short="-ps"),
    _ignored(*("print-confidence", "pretty-json", "log-progress"), says=_SHOWN),
    _refused("log-level", says="--verbose and --quiet say how much is shown"),
    _ignored("flash-attn", says="left out: attention is always fused", short="-fa"),
    _ignored("suppress-nst", says="the default: --suppress-tokens says which tokens", short="-sns"),
    _refused(
        *("model-dir", "cache-directory", "download-root"),
        says="models are kept in the Hub's cache, which HF_HOME moves; -m FOLDER runs a model in a "
        "folder",
    ),
    _refused(
        "device-index",
        "device-id",
        says="the number follows the name: --device cuda:1, or --devices 0,1",
    ),
    _refused(
        *("processors", "num-workers"),
        says="one process uses all cores: --threads limits them",
        short="-p",
    ),
    _refused("align-model", "interpolate-method", says="times of words: --word-timestamps"),
    _refused(
        "return-char-alignments", says="times are those of words: --word-timestamps", boolean=True
    ),
    _ignored("no-align", says="words have times only with --word-timestamps"),
    _refused(*("vad-method", "vad-model"), says=_SPEECH, short="-vm"),
    _refused("vad-parameters", says="each has a flag, such as --vad-min-silence-duration-ms"),
    _refused("diarize", "speaker-embeddings", says=_DIARIZATION, boolean=True, short="-di"),
    _refused("tinydiarize", says=_DIARIZATION, boolean=True, short="-tdrz"),
    _refused(
        *("min-speakers", "max-speakers", "diarize-model", "speaker-name", "speaker-num"),
        says=_DIARIZATION,
    ),
    _refused(
        "prompt-reset-on-temperature",
        says="the text before a window that needed more than 0.5 is not used, as in openai/whisper",
    ),
    _refused("segment-resolution", says="captions of sentences: --sentences"),
    _ignored("split-on-word", says="captions are always split between words", short="-sow"),
    _refused("live-transcribe", says=_MICROPHONE, boolean=True),
    _refused(
        *("live-input-device", "live-input-device-sample-rate", "live-volume-threshold"),
        says=_MICROPHONE,
    ),
)

_SHORT_OF_OURS = {"-bs": "--beam-size", "-bo": "--best-of", "-tp": "--temperature"}
"""whisper.cpp's short names of flags that have the same long name here."""

BY_SPELLING = {name: flag for flag in FOREIGN_FLAGS for name in flag.spellings} | {
    short: _renamed(name.removeprefix("--"), becomes=name, short=short)
    for short, name in _SHORT_OF_OURS.items()
}


def replaced(spelling: str) -> ForeignFlag | None:
    """The flag of another program that is typed like this, if it is known."""
    return BY_SPELLING.get(spelling)
