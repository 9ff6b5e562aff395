"""Times as text: written the one way that is stored everywhere, read from any text without an error."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from whatsapp_session import timestamps

NOON = datetime(2026, 1, 1, 12, 0, 0, 123456, tzinfo=UTC)
ZONES = st.integers(-23 * 60 - 59, 23 * 60 + 59).map(lambda minutes: timezone(timedelta(minutes=minutes)))
MOMENTS = st.datetimes(datetime(2, 1, 1), datetime(9998, 12, 31), timezones=ZONES)
ANY_TEXT = st.text(st.characters(exclude_categories=()))  # with lone surrogates
ALMOST = st.from_regex(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt _][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]*)?([Zz]|[-+][0-9]{2}:?[0-9]{2})?"
)

NO_TIMES = {
    "nothing": "",
    "a word": "yesterday",
    "an offset beyond a day": "2026-01-01T12:00:00+99:99",
    "an offset of 99 minutes": "2026-01-01T12:00:00+01:99",
    "the year 0": "0000-01-01T00:00:00Z",
    "before the year 1 in UTC": "0001-01-01T00:00:00+23:59",
    "after the year 9999 in UTC": "9999-12-31T23:59:59-23:59",
    "a leap second": "2016-12-31T23:59:60Z",
    "hour 24": "2026-01-01T24:00:00Z",
    "the 30th of February": "2026-02-30T00:00:00Z",
    "no zone": "2026-01-01T12:00:00",
    "no time of day": "2026-01-01",
    "no seconds": "2026-01-01T12:00Z",
    "the basic format": "20260101T120000Z",
    "a week": "2026-W01-1T12:00:00Z",
    "a comma": "2026-01-01T12:00:00,5Z",
    "a fraction without digits": "2026-01-01T12:00:00.Z",
    "4,000 digits": f"2026-01-01T12:00:00.{'1' * 4000}Z",
    "a year of 4,000 digits": f"{'2' * 4000}-01-01T12:00:00Z",
    "digits of another script": "٢٠٢٦-01-01T12:00:00Z",
    "a lone surrogate": "2026-01-01T12:00:00\ud800",
    "a line end": "2026-01-01T12:00:00Z\n",
    "a zero byte": "2026-01-01T12:00:00Z\0",
    "brackets": "[" * 1200,
    "None": None,
    "a number": 1767268800,
    "bytes": b"2026-01-01T12:00:00Z",
    "a list": ["2026-01-01T12:00:00Z"],
}


@pytest.mark.parametrize("given_text", NO_TIMES.values(), ids=NO_TIMES.keys())
def test_what_is_no_time_is_none(given_text: object) -> None:
    assert timestamps.seconds(given_text) is None


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2026-01-01T12:00:00Z", 1767268800.0),
        ("2026-01-01t12:00:00z", 1767268800.0),
        ("2026-01-01 12:00:00+00:00", 1767268800.0),
        ("2026-01-01T13:30:00+01:30", 1767268800.0),
        ("2026-01-01T12:00:00-00:00", 1767268800.0),
        ("2026-01-01T12:00:00.5Z", 1767268800.5),
        ("2026-01-01T12:00:00.123456Z", 1767268800.123456),
        ("2026-01-01T12:00:00.123456789Z", 1767268800.123456),
        ("1969-12-31T23:59:59Z", -1.0),
    ],
)
def test_every_way_to_write_a_time_that_the_standard_knows_is_read(text: str, seconds: float) -> None:
    assert timestamps.seconds(text) == seconds
    assert timestamps.parse(text).timestamp() == seconds


@given(st.one_of(ANY_TEXT, ALMOST, st.none(), st.integers(), st.binary(), st.lists(st.text())))
def test_no_text_and_no_type_makes_reading_fail(anything: object) -> None:
    found = timestamps.seconds(anything)
    assert found is None or isinstance(found, float)


@given(st.one_of(ANY_TEXT, ALMOST), st.one_of(ANY_TEXT, ALMOST))
def test_of_two_texts_at_most_one_is_newer(one: str, other: str) -> None:
    assert not (timestamps.is_newer(one, other) and timestamps.is_newer(other, one))


@given(st.one_of(ANY_TEXT, ALMOST))
def test_what_is_read_as_a_time_is_short(text: str) -> None:
    assert timestamps.seconds(text) is None or len(text) <= timestamps.LONGEST


def test_what_is_no_time_is_before_everything_and_newer_than_nothing() -> None:
    time = "0001-01-01T00:00:00Z"
    assert timestamps.is_newer(time, "never")
    assert timestamps.is_newer(time, None)
    assert not timestamps.is_newer("never", time)
    assert not timestamps.is_newer(None, None)


@given(st.one_of(ANY_TEXT, ALMOST))
def test_the_strict_reader_takes_the_same_times_and_repeats_nothing_else(text: str) -> None:
    seconds = timestamps.seconds(text)
    if seconds is not None:
        assert timestamps.parse(text).timestamp() == seconds
        return
    with pytest.raises(ValueError, match=r"\Anot a time of RFC 3339, such as 2026-01-31T12:00:00Z\Z"):
        timestamps.parse(text)


@pytest.mark.parametrize(
    ("precision", "text"),
    [
        ("seconds", "2026-01-01T12:00:00Z"),
        ("milliseconds", "2026-01-01T12:00:00.123Z"),
        ("microseconds", "2026-01-01T12:00:00.123456Z"),
    ],
)
def test_a_time_is_written_in_utc_and_cut_off(precision: timestamps.Precision, text: str) -> None:
    assert timestamps.rfc3339(NOON, precision) == text
    assert timestamps.rfc3339(NOON.astimezone(timezone(timedelta(hours=-7))), precision) == text
    assert timestamps.rfc3339(NOON.timestamp(), precision) == text


@given(st.datetimes(datetime(1000, 1, 1), datetime(9998, 12, 31), timezones=ZONES))
def test_stored_times_look_as_they_always_did(moment: datetime) -> None:
    utc = moment.astimezone(UTC)
    assert timestamps.rfc3339(moment) == utc.strftime("%Y-%m-%dT%H:%M:%SZ")
    assert timestamps.rfc3339(moment, "milliseconds") == utc.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
    assert timestamps.rfc3339(moment, "microseconds") == utc.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


@given(MOMENTS)
def test_what_is_written_is_read_again(moment: datetime) -> None:
    assert timestamps.parse(timestamps.rfc3339(moment, "microseconds")) == moment
    whole = moment.astimezone(UTC).replace(microsecond=0)
    assert timestamps.parse(timestamps.rfc3339(moment)) == whole
    assert timestamps.seconds(timestamps.rfc3339(moment)) == whole.timestamp()


@given(st.floats(-6e10, 2.5e11))
def test_seconds_that_are_written_are_read_again_to_the_second(seconds: float) -> None:
    found = timestamps.seconds(timestamps.rfc3339(seconds))
    assert found is not None
    assert 0 <= seconds - found < 1 or abs(seconds - found) < 1e-3
