"""Festival's voices, a batch of sentences a process, with the word times of its utterances.

Its Russian voice is cut from a real speaker's recordings, which no formant synthesiser is.
Source: the Festival manual, chapters "Utterances" and "Voices" (X11-like licence).
"""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import soundfile

from recipes.nano.synthesis.flite import place_words
from recipes.nano.synthesis.spoken import Spoken, from_marks

VOICES = {
    "ru": "voice_msu_ru_nsh_clunits",
    "hts": "voice_cmu_us_slt_arctic_hts",
    "ked": "voice_ked_diphone",
    "kal": "voice_kal_diphone",
}
SAY = """
(Parameter.set 'Duration_Stretch {stretch})
(define (say text path)
  (let ((utt (utt.synth (eval (list 'Utterance 'Text text)))))
    (utt.save.wave utt path 'riff)
    (let ((out (fopen (string-append path ".words") "w")))
      (mapcar (lambda (word)
        (format out "%s %f\\n" (item.name word) (item.feat word "word_start")))
        (utt.relation.items utt 'Word))
      (fclose out))))
"""


def speak_all(texts: Sequence[str], voice: str, stretch: float) -> list[Spoken | None]:
    """Say every text with one voice; ``None`` where Festival failed."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        lines = [f"({VOICES[voice]})", SAY.format(stretch=f"{stretch:.2f}")]
        for index, text in enumerate(texts):
            spoken = text.replace('"', "").replace("\\", "")
            lines.append(f'(say "{spoken}" "{folder / str(index)}.wav")')
        (folder / "all.scm").write_text("\n".join(lines), encoding="utf-8")
        command = ["festival", "-b", str(folder / "all.scm")]
        subprocess.run(command, check=False, capture_output=True)  # noqa: S603
        return [_read(folder / f"{index}.wav", text) for index, text in enumerate(texts)]


def _read(path: Path, text: str) -> Spoken | None:
    if not path.exists():
        return None
    samples, rate_hz = soundfile.read(path, dtype="float32")
    marks = Path(f"{path}.words")
    lines = marks.read_text(encoding="utf-8").splitlines() if marks.exists() else []
    pairs = [line.rsplit(" ", 1) for line in lines]
    words = [(word, float(start)) for word, start in pairs]
    return from_marks(np.asarray(samples, np.float32), rate_hz, text, place_words(text, words))
