import io
import json

import pytest

from quest22.bench.live.peers.live_pipe import FRAME, Updates, frames, same_words


def test_frames_are_read_until_the_pipe_is_closed():
    content = FRAME.pack(3, 4) + b"abcd" + FRAME.pack(3, 0) + b"\0"
    assert list(frames(io.BytesIO(content))) == [(3, b"abcd"), (3, b"")]


@pytest.mark.parametrize(
    ("before", "now", "count"),
    [
        ([], [], 0),
        (["Stop", "it."], ["stop", "it"], 2),
        (["stop", "it"], ["stop", "it", "now"], 2),
        (["stop", "it"], ["stop"], 1),
        (["stop", "it"], ["shop", "it"], 0),
    ],
)
def test_words_stay_while_their_letters_do(before: list[str], now: list[str], count: int):
    assert same_words(before, now) == count


def test_text_that_grows_is_told_as_updates():
    lines: list[str] = []
    updates = Updates(lines.append, session=2)
    updates.show("", "the")
    updates.show("", "the")
    updates.show("The", "cat sat")
    updates.show("The, cat", "")
    updates.show("The dog", "")
    updates.ended()
    told = [json.loads(line) for line in lines]
    assert all(each["session"] == 2 for each in told)
    assert told[-1] == {"session": 2, "ended": True}
    assert [(each["kept"], each["committed"], each["tail"]) for each in told[:-1]] == [
        (0, [], ["the"]),
        (0, ["The"], ["cat", "sat"]),
        (1, ["cat"], []),
        (1, ["dog"], []),
    ]
