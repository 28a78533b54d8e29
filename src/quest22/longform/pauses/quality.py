"""The three qualities: what is decoded at first, and what is decoded again.

Error rates and speeds: ``docs/accuracy.md``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from quest22.records import AudioContext, DecodingOptions
from quest22.settings import DecodingSettings
from quest22.settings.longform import QualityName

BEAMS = 5
SAMPLES = 5
RETRY_TEMPERATURES = (0.4, 0.8)
UNSURE = {True: -0.25, False: -0.15}
"""Below this mean log-probability greedy decoding is unsure, with and without timestamps."""


@dataclass(frozen=True, slots=True)
class Quality:
    """How windows are decoded.

    ``beam_size`` beams; with ``greedy_first`` only where greedy decoding, with the shortened
    context of ``audio_context``, is unsure. A clip that is
    one window has timestamps only with ``timestamps``: without them its text is better. Windows of
    longer recordings always have them. ``votes``: the words of several hypotheses vote.
    """

    beam_size: int
    greedy_first: bool
    audio_context: AudioContext
    timestamps: bool
    votes: bool
    retry_beam_size: int
    retry_temperatures: tuple[float, ...]
    best_of: int
    max_repeats: int | None = None

    @classmethod
    def of(
        cls, name: QualityName, decoding: DecodingSettings, max_repeats: int | None = None
    ) -> Quality:
        """A quality by its name, and what the user sets otherwise."""
        given = decoding.beam_size
        greedy_first = given is None
        beam_size = given or (1 if name == "fast" else BEAMS)
        temperatures = decoding.temperature or (0.0, *RETRY_TEMPERATURES)
        return cls(
            beam_size=beam_size,
            greedy_first=greedy_first,
            audio_context=decoding.audio_context or ("auto" if greedy_first else "full"),
            timestamps=decoding.timestamps,
            votes=name == "best",
            retry_beam_size=max(beam_size, BEAMS),
            retry_temperatures=temperatures[1:],
            best_of=decoding.best_of or SAMPLES,
            max_repeats=max_repeats,
        )

    def first_pass(self, decoding: DecodingOptions, *, whole: bool) -> DecodingOptions:
        """The options of a window's first pass; ``whole``: it is all of a clip."""
        timestamps = self.timestamps or not whole
        greedy_logprob = UNSURE[timestamps] if self.greedy_first else None
        search = replace(
            decoding.search,
            beam_size=self.beam_size,
            best_of=self.best_of,
            greedy_logprob=greedy_logprob,
            max_repeats=self.max_repeats,
        )
        return replace(
            decoding,
            timestamps=timestamps,
            search=search,
            ends_complete=True,
            audio_context=self.audio_context,
        )
