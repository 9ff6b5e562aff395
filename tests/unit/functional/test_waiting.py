"""How functional tests wait: a server that is too busy is asked again, what it refuses is said at once."""

import http.client

import pytest

from functional.callers import ApiError, wait


class Probe:
    """Raise an error at the first look, and have an answer at the next."""

    def __init__(self, error: Exception) -> None:
        self.error, self.looks = error, 0

    def __call__(self) -> bool:
        self.looks += 1
        if self.looks == 1:
            raise self.error
        return True


BUSY = [ConnectionResetError(), http.client.IncompleteRead(b""), ApiError(429, "later"), ApiError(504, "timed out")]
WRONG = [ApiError(403, "cannot patch"), ApiError(422, "no"), AssertionError("a code"), KeyError("status")]


@pytest.mark.parametrize("error", BUSY, ids=repr)
def test_a_look_that_was_not_answered_is_made_again(error: Exception) -> None:
    assert wait(Probe(error), "the answer")


@pytest.mark.parametrize("error", BUSY, ids=repr)
def test_the_last_error_is_raised_when_the_time_is_over(error: Exception) -> None:
    with pytest.raises(type(error)):
        wait(Probe(error), "the answer", seconds=-1)


@pytest.mark.parametrize("error", WRONG, ids=repr)
def test_what_is_wrong_is_not_waited_for(error: Exception) -> None:
    probe = Probe(error)
    with pytest.raises(type(error)):
        wait(probe, "the answer")
    assert probe.looks == 1
