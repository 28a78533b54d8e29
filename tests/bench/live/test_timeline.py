from quest22.bench.live.timeline import Timeline, Update, View


def test_the_text_is_what_was_committed_and_not_taken_back():
    timeline = Timeline(
        [
            Update(1.0, 0, 0, ("One", "too")),
            Update(2.0, 0, 1, ("two",), final=True),
            Update(3.0, 1, 0, ("Three.",), final=True),
        ]
    )
    assert timeline.text() == "One two Three."
    assert timeline.taken_back == 1
    assert timeline.words() == {0: [("One", True), ("two", False)], 1: [("Three.", False)]}
    assert timeline.finals_s == {0: 2.0, 1: 3.0}
    assert [(token.text, token.segment, token.at_s) for token in timeline.tokens()] == [
        ("one", 0, 1.0),
        ("2", 0, 2.0),
        ("3", 1, 3.0),
    ]


def test_words_that_are_taken_back_later_are_part_of_the_tail():
    timeline = Timeline([Update(1.0, 0, 0, ("one", "too"), ("many",)), Update(2.0, 0, 1, ("two",))])
    assert list(timeline.views()) == [View(1.0, 1, ("too", "many")), View(2.0, 2, ())]


def test_a_later_segment_is_in_the_tail_until_the_earlier_has_ended():
    timeline = Timeline(
        [
            Update(1.0, 0, 0, ("a",), ("b",)),
            Update(2.0, 1, 0, ("d",), ("e",)),
            Update(3.0, 0, 1, ("b", "c"), final=True),
            Update(4.0, 1, 1, ("e",), final=True),
        ],
        language=None,
    )
    assert list(timeline.views()) == [
        View(1.0, 1, ("b",)),
        View(2.0, 1, ("b", "d", "e")),
        View(3.0, 4, ("e",)),
        View(4.0, 5, ()),
    ]
