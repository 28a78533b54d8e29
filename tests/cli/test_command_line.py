from __future__ import annotations

import pytest
from typer.main import get_command

from quest22.cli.app import app
from quest22.cli.command_line import KnownFlags, rewrite
from quest22.cli.foreign_flags import FOREIGN_FLAGS
from quest22.errors import UsageError


def known(command: str = "transcribe") -> KnownFlags:
    return KnownFlags.of(get_command(app).commands[command].params)  # type: ignore[attr-defined]


WRITTEN = [
    ("a.wav --vad_filter False", "a.wav"),
    ("--vad_filter True a.wav", "--vad-filter a.wav"),
    ("--vad-filter=no a.wav", "a.wav"),
    ("--vad-filter=ON a.wav", "--vad-filter a.wav"),
    ("--vad_filter a.wav", "--vad-filter a.wav"),
    ("--vad_filter true --vad_filter false", ""),
    ("--vad_filter on", "--vad-filter on"),
    ("--vad_filter ./False", "--vad-filter ./False"),
    ("--condition_on_previous_text False", "--no-condition-on-previous-text"),
    ("--condition_on_previous_text=True", "--condition-on-previous-text"),
    ("--no-condition-on-previous-text False", "--condition-on-previous-text"),
    ("--word_timestamps True -f srt", "--word-timestamps -f srt"),
    ("-q False a.wav", "a.wav"),
    ("--initial_prompt False a.wav", "--initial_prompt False a.wav"),
    ("--initial-prompt --vad_filter False", "--initial-prompt --vad_filter False"),
    ("-f False", "-f False"),
    ("-- --vad_filter False", "-- --vad_filter False"),
    ("--suppress_tokens -1 a.wav", "--suppress_tokens -1 a.wav"),
    ("--beam_size None --best_of=none a.wav", "a.wav"),
    ("--patience None --length_penalty=None a.wav", "a.wav"),
    ("--no_speech_threshold None", "--no_speech_threshold None"),
    ("--fp16 False a.wav", "--compute-type float32 a.wav"),
    ("--fp16 True a.wav", "a.wav"),
    ("--fp16=False a.wav", "--compute-type float32 a.wav"),
    ("--print_colors True a.wav", "a.wav"),
    ("--print_colors a.wav", "a.wav"),
    ("--hf_token=abc", "--token abc"),
    ("--hf_token abc", "--token abc"),
    ("--translate -f srt", "--task translate -f srt"),
    ("--output-srt true", "-f srt"),
    ("--diarize False", ""),
    ("-osrt -ml 40 a.wav", "-f srt --caption-length 40 a.wav"),
    ("-t 4 -bs 5 -np a.wav", "--threads 4 --beam-size 5 --quiet a.wav"),
    ("-oout a.wav", "-oout a.wav"),
    ("-o -osrt", "-o -osrt"),
    ("--without_timestamps True", "--no-timestamps"),
    ("--prompt hi", "--initial-prompt hi"),
    ("--unknown False", "--unknown False"),
]


@pytest.mark.parametrize(("typed", "read"), WRITTEN)
def test_what_people_type(typed: str, read: str) -> None:
    assert rewrite(typed.split(), known()) == read.split()


REFUSED = [
    ("--vad_filter=maybe", "--vad_filter=maybe: expected True or False"),
    ("--model_dir x", "--model_dir is not a flag of quest22: models are kept in the Hub's cache"),
    ("--diarize", "it does not tell speakers apart"),
    ("--model_dir", "--model_dir requires a value"),
    ("a.wav --vad", r"--vad requires a value: --vad off\|on\|auto"),
    ("-ot 1000 a.wav", "-ot is not a flag of quest22: spans, in seconds"),
    ("-of talk a.wav", "-of is not a flag of quest22: outputs are named after the recordings"),
    ("-f srt --file a.wav", "recordings are named without a flag"),
    ("--threads many a.wav", "--threads is 'many': expected a whole number"),
    ("--threads=1.5 a.wav", "--threads is '1.5': expected a whole number"),
    ("--beam_size auto", "--beam-size is 'auto': expected a whole number"),
    ("--patience big", "--patience is 'big': expected a number"),
    ("-t many a.wav", "--threads is 'many': expected a whole number"),
]


@pytest.mark.parametrize("command", sorted(get_command(app).commands))  # type: ignore[attr-defined]
def test_every_number_is_told_in_our_own_words(command: str) -> None:
    flags = known(command)
    for flag in flags.numbers:
        for typed in ([flag, "many"], [f"{flag}=many"] if flag[:2] == "--" else [f"{flag}many"]):
            with pytest.raises(UsageError, match=rf"^{flag} is 'many': expected a .*number$"):
                rewrite(typed, flags)
        assert rewrite([flag, "3"], flags) == [flag, "3"]


@pytest.mark.parametrize(("typed", "message"), REFUSED)
def test_what_has_another_way_here_says_which(typed: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        rewrite(typed.split(), known())


COMMANDS = sorted(get_command(app).commands.keys() - {"models"})  # type: ignore[attr-defined]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_boolean_flag_of_every_command_takes_a_value(command: str) -> None:
    flags = known(command)
    for name, (on, off) in flags.on.items():
        for typed in {name, name[:2] + name[2:].replace("-", "_")}:
            assert rewrite([typed, "True"], flags) == [on]
            assert rewrite([f"{typed}=False"], flags) == ([] if off is None else [off])


def test_no_flag_of_others_hides_one_of_ours() -> None:
    flags = known()
    ours = {*flags.taking, *flags.on}
    theirs = [name for each in FOREIGN_FLAGS for name in each.spellings]
    assert not ours & set(theirs)
    assert len(set(theirs)) == len(theirs)


def test_what_becomes_of_others_flags_is_known_here() -> None:
    flags = known()
    for each in FOREIGN_FLAGS:
        for text in each.means if isinstance(each.means, tuple) else (each.means or "",):
            for part in text.split():
                assert not part.startswith("-") or part in {*flags.taking, *flags.on}
