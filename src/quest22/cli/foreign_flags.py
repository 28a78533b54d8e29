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

    ``means`` is what it becomes: here, flags with ``{}`` for its value; of a boolean flag, those
    for True and for False. ``says`` is what is told: the reason for a refusal if ``means`` is None.
    """

    names: tuple[str, ...]
    says: str
    means: str | tuple[str, str] | None = None
    boolean: bool = False

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


def _refused(*names: str, says: str, boolean: bool = False) -> ForeignFlag:
    return ForeignFlag(names, says, boolean=boolean)


def _ignored(*names: str, says: str) -> ForeignFlag:
    return ForeignFlag(names, says, means=("", ""), boolean=True)


def _format(*names: str, becomes: str) -> ForeignFlag:
    return ForeignFlag(names, f"-f {becomes}", means=(f"-f {becomes}", ""), boolean=True)


_DIARIZATION = "it does not tell speakers apart; each channel of a recording: --channel each"
_SPEECH = "Silero VAD finds speech: --vad on, with --vad-threshold"

FOREIGN_FLAGS = (
    ForeignFlag(
        ("fp16",),
        "True: the fastest precision of the processor (the default); False: --compute-type float32",
        means=("", "--compute-type float32"),
        boolean=True,
    ),
    ForeignFlag(("hf-token",), "--token", means="--token {}"),
    ForeignFlag(("model-directory",), "-m FOLDER", means="--model {}"),
    ForeignFlag(("translate",), "--task translate", means=("--task translate", ""), boolean=True),
    ForeignFlag(("max-len",), "--caption-length", means="--caption-length {}"),
    ForeignFlag(("vad-onset",), "--vad-threshold", means="--vad-threshold {}"),
    ForeignFlag(("vad-offset",), "--vad-neg-threshold", means="--vad-neg-threshold {}"),
    _refused(
        *("chunk-size", "chunk-length"),
        says="windows are cut at pauses; for a length: --long-form chunked --chunk-length-s S",
    ),
    ForeignFlag(
        ("local-files-only", "model-cache-only"),
        "models in the caches are used without asking the Hub; HF_HUB_OFFLINE=1 forbids it",
        means=("", ""),
        boolean=True,
    ),
    _format("output-txt", becomes="txt"),
    _format("output-srt", becomes="srt"),
    _format("output-vtt", becomes="vtt"),
    _format("output-lrc", becomes="lrc"),
    _format("output-json", "output-json-full", becomes="json"),
    _ignored("batched", says="batches are always formed: --batch-size"),
    _ignored(
        *("print-colors", "print-progress", "print-confidence", "pretty-json"),
        says="left out: --verbose and --quiet say how much is shown",
    ),
    _ignored("flash-attn", says="left out: attention is always fused"),
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
    _refused("processors", says="one process uses all cores: --threads limits them"),
    _refused("align-model", "interpolate-method", says="times of words: --word-timestamps"),
    _refused(
        "return-char-alignments", says="times are those of words: --word-timestamps", boolean=True
    ),
    _ignored("no-align", says="words have times only with --word-timestamps"),
    _refused("vad-method", says=_SPEECH),
    _refused("diarize", "speaker-embeddings", "tinydiarize", says=_DIARIZATION, boolean=True),
    _refused(
        *("min-speakers", "max-speakers", "diarize-model", "speaker-name", "speaker-num"),
        says=_DIARIZATION,
    ),
    _refused(
        "prompt-reset-on-temperature",
        says="the text before a window that needed more than 0.5 is not used, as in openai/whisper",
    ),
    _refused("segment-resolution", says="captions of sentences: --sentences"),
    _refused("split-on-word", says="captions are split between words", boolean=True),
    _refused("live-transcribe", says="recordings and datasets only", boolean=True),
)

BY_NAME = {name: flag for flag in FOREIGN_FLAGS for name in flag.names}


def replaced(name: str) -> ForeignFlag | None:
    """The flag of another program with this name, if it is known."""
    return BY_NAME.get(name)
