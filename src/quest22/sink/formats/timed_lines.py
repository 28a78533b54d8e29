"""Lyrics (lrc) and Advanced SubStation Alpha (ass): cues in the forms that players read.

The times of both are in hundredths of a second. Knows no files.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from quest22.records import Transcript
from quest22.settings import CaptionSettings
from quest22.sink.formats.caption_layout import cues
from quest22.sink.formats.readable_cues import Cue

PLAIN = CaptionSettings()
_WORD_JOINER = "\u2060"
_ASS_ESCAPES = str.maketrans({"\\": f"\\{_WORD_JOINER}", "{": r"\{", "}": r"\}", "\n": r"\N"})
"""Braces would begin a command and so would a backslash, as FFmpeg's encoder of ass writes them."""

_ASS_HEAD = """\
[Script Info]
ScriptType: v4.00+
PlayResX: 1920
PlayResY: 1080
WrapStyle: 0
ScaledBorderAndShadow: yes

[V4+ Styles]
Format: Name, Fontname, Fontsize, PrimaryColour, SecondaryColour, OutlineColour, BackColour, Bold, \
Italic, Underline, StrikeOut, ScaleX, ScaleY, Spacing, Angle, BorderStyle, Outline, Shadow, \
Alignment, MarginL, MarginR, MarginV, Encoding
Style: Default,Arial,60,&H00FFFFFF,&H000000FF,&H00000000,&H80000000,0,0,0,0,100,100,0,0,1,3,1,2,\
60,60,50,1

[Events]
Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text
"""


def lrc(transcript: Transcript, settings: CaptionSettings = PLAIN) -> str:
    """Lyrics: ``[MM:SS.hh]text`` for each cue, and an empty line where a pause begins."""
    plain = replace(settings, highlight_words=False)  # a line stays until the next one
    return "".join(_lyrics(list(cues(transcript, plain))))


def _lyrics(shown: list[Cue]) -> Iterator[str]:
    for number, cue in enumerate(shown):
        text = " ".join(cue.text.split())
        if text.startswith("["):  # else it would read as one more tag
            text = f" {text}"
        yield f"[{_lyrics_time(cue.start_s)}]{text}\n"
        following = shown[number + 1].start_s if number + 1 < len(shown) else None
        if following is None or _hundredths(following) > _hundredths(cue.end_s):
            yield f"[{_lyrics_time(cue.end_s)}]\n"


def ass(transcript: Transcript, settings: CaptionSettings = PLAIN) -> str:
    """Advanced SubStation Alpha (version 4.00+), with one style for a picture of 1920 × 1080."""
    return _ASS_HEAD + "".join(
        f"Dialogue: 0,{_ass_time(cue.start_s)},{_ass_time(cue.end_s)},Default,,0,0,0,,"
        f"{_ass_text(cue.text, underlined=settings.highlight_words)}\n"
        for cue in cues(transcript, settings)
    )


def _ass_text(text: str, *, underlined: bool) -> str:
    written = text.translate(_ASS_ESCAPES)
    if underlined:
        written = written.replace("<u>", r"{\u1}").replace("</u>", r"{\u0}")
    return written


def _hundredths(seconds: float) -> int:
    return round(max(seconds, 0.0) * 100)


def _lyrics_time(seconds: float) -> str:
    minutes, rest = divmod(_hundredths(seconds), 6000)
    return f"{minutes:02d}:{rest // 100:02d}.{rest % 100:02d}"


def _ass_time(seconds: float) -> str:
    minutes, rest = divmod(_hundredths(seconds), 6000)
    return f"{minutes // 60}:{minutes % 60:02d}:{rest // 100:02d}.{rest % 100:02d}"
