from hypothesis import given
from hypothesis import strategies as st

from quest22.bench.live.sessions import MOST, most_sessions


@given(limit=st.integers(0, MOST))
def test_the_largest_number_is_found_and_each_is_tried_once(limit: int):
    tried: list[int] = []

    def keeps_up(count: int) -> bool:
        tried.append(count)
        return count <= limit

    assert most_sessions(keeps_up) == limit
    assert len(tried) == len(set(tried)) <= 13


def test_no_search_goes_on_for_ever():
    assert most_sessions(lambda count: True) == MOST
