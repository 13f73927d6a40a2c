"""Periods: any aware datetime, naive ones refused."""

from __future__ import annotations

import copy
import pickle
from datetime import datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudstack_billing import Period

UTC = timezone.utc
END = datetime(2100, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    "zone",
    [
        UTC,
        timezone(timedelta(hours=-3, minutes=-30)),
        ZoneInfo("UTC"),
        ZoneInfo("Europe/Berlin"),
        ZoneInfo("Asia/Kathmandu"),
        ZoneInfo("America/Sao_Paulo"),
    ],
)
def test_any_aware_datetime_is_its_instant(zone: tzinfo) -> None:
    start = datetime(2026, 10, 1, 12, 30, 15, 250_000, tzinfo=zone)
    period = Period(start, END)
    assert period.start == start
    assert period.start.tzinfo is UTC


def test_the_hour_that_comes_twice_is_told_apart_by_its_fold() -> None:
    first = datetime(2026, 10, 25, 2, 30, tzinfo=ZoneInfo("Europe/Berlin"))
    second = first.replace(fold=1)
    assert Period(first, END).start == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    assert Period(second, END).start == datetime(2026, 10, 25, 1, 30, tzinfo=UTC)


def test_the_hour_that_never_comes_is_what_python_makes_of_it() -> None:
    skipped = datetime(2026, 3, 29, 2, 30, tzinfo=ZoneInfo("Europe/Berlin"))
    assert Period(skipped, END).start == skipped.astimezone(UTC)


class NoOffset(tzinfo):
    """A zone that gives no offset: Python calls such datetimes naive."""

    def utcoffset(self, when: datetime | None) -> None:
        return None

    def dst(self, when: datetime | None) -> None:
        return None

    def tzname(self, when: datetime | None) -> None:
        return None


@pytest.mark.parametrize("zone", [None, NoOffset()])
def test_naive_datetimes_are_refused(zone: tzinfo | None) -> None:
    with pytest.raises(TypeError, match="time zone"):
        Period(datetime(2026, 10, 1, tzinfo=zone), END)


def test_only_datetimes_are_instants() -> None:
    for value in (END.date(), "2026-10-01T00:00:00Z", 1_790_812_800, None):
        with pytest.raises(TypeError, match="aware datetime"):
            Period(value, END)  # type: ignore[arg-type]


def test_a_period_must_end_after_its_start() -> None:
    with pytest.raises(ValueError, match="end after its start"):
        Period(END, END)


@given(
    st.datetimes(datetime(1970, 1, 1), datetime(2100, 1, 1), timezones=st.timezones()),
    st.timedeltas(timedelta(milliseconds=1), timedelta(days=800)),
)
def test_a_period_is_half_open_and_comes_through_pickling(
    start: datetime, length: timedelta
) -> None:
    start = start.astimezone(UTC)
    period = Period(start, start + length)
    assert (period.start, period.end) == (start, start + length)
    assert period.start in period and period.end not in period
    again = pickle.loads(pickle.dumps(period))
    assert again == period and hash(again) == hash(period)
    assert copy.deepcopy(period) == period
