"""Converts a live session's events to Deepgram's messages. Uses neither sockets nor clocks.

Final results follow one another without gaps: each starts where the last one ended. Interim results
show what may still change. In long speech, words that will not change are sent as final before
their segment ends.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from quest22.records import LiveEvent, LiveWord
from quest22.server.deepgram.parameters import Formatting, LiveParameters
from quest22.server.deepgram.words import DECIMALS, alternative, continues, written

Message: TypeAlias = dict[str, Any]

PIECE_S = 3.0
"""This much unchanging speech is sent as final before its segment ends."""

GAP_MARGIN_S = 0.1
"""This long after a gap it is certain that there was no word in it."""


@dataclass(slots=True)
class ChannelResults:
    """The messages for one channel; ``metadata`` is part of each result."""

    channel: int
    channels: int
    wanted: LiveParameters
    formatting: Formatting
    metadata: Message
    _end_s: float = 0.0  # of the last final result
    _sent: int = 0  # words of the open segment that were sent as final
    _shows: bool = False  # the client is showing interim words
    _stopped: bool = False  # speech has stopped, and with it the open segment
    _last_word_s: float | None = None  # the end of the last word, until UtteranceEnd is sent
    _speaking: bool = False

    def take(self, event: LiveEvent, *, by_finalize: bool = False) -> list[Message]:
        """The messages for an event; ``by_finalize``: it answers a Finalize."""
        if event.type == "speech_started":
            gone_by = self.audio_processed(event.audio_end_s)
            self._speaking = True
            return gone_by + self._speech_started(event.audio_end_s)
        if event.type == "speech_stopped":
            self._stopped = True
            return []
        if event.type == "flushed":
            return [self._result((), event, is_final=True, from_finalize=True)]
        if event.type == "final":
            return self._segment_ended(event, by_finalize=by_finalize)
        return [*self._pieces(event), *self._interim(event)]

    @property
    def awaits_gap(self) -> bool:
        """Whether an UtteranceEnd is due once the gap is long enough."""
        waits = self.wanted.utterance_end_s is not None and self._last_word_s is not None
        return waits and not self._speaking

    def audio_processed(self, seconds: float) -> list[Message]:
        """The session has processed ``seconds`` of audio: an UtteranceEnd may be due."""
        gap_s, last_s = self.wanted.utterance_end_s, self._last_word_s
        if gap_s is None or last_s is None or not self.awaits_gap:
            return []
        if seconds < last_s + gap_s + GAP_MARGIN_S:
            return []
        self._last_word_s = None
        return [
            {
                "type": "UtteranceEnd",
                "channel": [self.channel, self.channels],
                "last_word_end": round(last_s, DECIMALS),
            }
        ]

    def end(self, duration_s: float) -> list[Message]:
        """The audio has ended: a last final result covers the rest, even if it is silent."""
        found = self.audio_processed(duration_s)
        if duration_s - self._end_s >= 10**-DECIMALS:
            event = LiveEvent("final", 0, 0, "", (), duration_s)
            found.append(self._result((), event, is_final=True))
        return found

    def _speech_started(self, at_s: float) -> list[Message]:
        if not self.wanted.vad_events:
            return []
        place = round(at_s, DECIMALS)
        channel = [self.channel, self.channels]
        return [{"type": "SpeechStarted", "channel": channel, "timestamp": place}]

    def _pieces(self, event: LiveEvent) -> list[Message]:
        """The unchanging words as a final result, if there are enough."""
        words = event.words[self._sent :]
        stable = [word for word in words if word.stable]
        while stable and len(stable) < len(words) and continues(words[len(stable)]):
            stable.pop()
        if not stable or stable[-1].end_s - stable[0].start_s < PIECE_S:
            return []
        self._sent += len(stable)
        end_s = max(self._end_s, stable[-1].end_s)
        return [self._result(stable, event, end_s=end_s, is_final=True)]

    def _interim(self, event: LiveEvent) -> list[Message]:
        if not self.wanted.interim_results:
            return []
        rest = event.words[self._sent :]
        shown, self._shows = self._shows, bool(rest)
        return [self._result(rest, event)] if rest or shown else []

    def _segment_ended(self, event: LiveEvent, *, by_finalize: bool) -> list[Message]:
        rest = event.words[self._sent :]
        stopped, self._stopped = self._stopped, False
        self._sent = 0
        if event.words:
            self._last_word_s = event.words[-1].end_s
        if stopped:
            self._speaking = False
            is_endpoint = by_finalize or self.wanted.endpointing_ms is not None
            return [
                self._result(
                    rest, event, is_final=True, speech_final=is_endpoint, from_finalize=by_finalize
                )
            ]
        # Speech too long for one segment: uncertain words continue in the next one.
        self._shows = self._shows and not rest
        end_s = max(self._end_s, rest[-1].end_s) if rest else self._end_s
        return [self._result(rest, event, end_s=end_s, is_final=True)] if rest else []

    def _result(
        self,
        words: Sequence[LiveWord],
        event: LiveEvent,
        *,
        end_s: float | None = None,
        is_final: bool = False,
        speech_final: bool = False,
        from_finalize: bool = False,
    ) -> Message:
        start_s = self._end_s
        end_s = max(start_s, event.audio_end_s) if end_s is None else end_s
        end_s = round(end_s, DECIMALS)
        said = written(words, earliest_s=start_s)
        if is_final:
            self._end_s, self._shows = end_s, False
        return {
            "type": "Results",
            "channel_index": [self.channel, self.channels],
            "duration": round(end_s - start_s, DECIMALS),
            "start": round(start_s, DECIMALS),
            "is_final": is_final,
            "speech_final": speech_final,
            "channel": {"alternatives": [alternative(said, self.formatting, event.language)]},
            "metadata": self.metadata,
            "from_finalize": from_finalize,
        }
