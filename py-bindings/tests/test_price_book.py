"""Price books: three ways in, exact numbers only, every error at once."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date, datetime, timezone
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import cloudstack_billing as csb

BOOK = """
schema = 1
name = "Example"
currency = "EUR"
zone = "Europe/Berlin"
compute = "allocated"

[[price]]
id = "cpu"
meter = "cpu"
amount = "10.05"
per = "month"
from = 2026-01-01
"""


def document(amount: object = "10.05", **price: object) -> dict[str, Any]:
    """The same book as data."""
    row = {"id": "cpu", "meter": "cpu", "amount": amount, "per": "month"}
    return {
        "schema": 1,
        "name": "Example",
        "currency": "EUR",
        "zone": "Europe/Berlin",
        "compute": "allocated",
        "price": [{**row, "from": "2026-01-01", **price}],
    }


def test_all_ways_in_give_the_same_book(tmp_path: Path) -> None:
    (tmp_path / "book.toml").write_text(BOOK)
    (tmp_path / "book.json").write_text(json.dumps(document()))
    books = [
        csb.PriceBook.from_toml(BOOK),
        csb.PriceBook.from_json(json.dumps(document())),
        csb.PriceBook.from_dict(document()),
        csb.PriceBook.from_dict(document(Decimal("10.05"), **{"from": date(2026, 1, 1)})),
        csb.PriceBook.from_dict(MappingProxyType(document())),
        csb.PriceBook.load(tmp_path / "book.toml"),
        csb.PriceBook.load(str(tmp_path / "book.json")),
    ]
    assert {book.digest for book in books} == {books[0].digest}
    assert all(book == books[0] and hash(book) == hash(books[0]) for book in books)
    assert books[0] != csb.PriceBook.from_dict(document("10.06"))
    assert (books[0].name, books[0].currency, books[0].zone) == (
        "Example",
        "EUR",
        "Europe/Berlin",
    )


@pytest.mark.parametrize("amount", [0.1, 10.0, float("nan"), float("inf")])
def test_a_float_is_refused_with_its_place(amount: float) -> None:
    with pytest.raises(TypeError, match=r"^price\[1\]\.amount is a float"):
        csb.PriceBook.from_dict(document(amount))


@pytest.mark.parametrize("text", ["NaN", "sNaN", "Infinity", "-Infinity"])
def test_a_decimal_that_is_no_number_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"^price\[1\]\.amount: .*not a finite number"):
        csb.PriceBook.from_dict(document(Decimal(text)))


def test_a_decimal_with_29_places_is_refused_and_never_rounded() -> None:
    held = Decimal("0.1234567890123456789012345678")
    csb.PriceBook.from_dict(document(held))
    too_long = Decimal("0.12345678901234567890123456789")
    with pytest.raises(ValueError, match=r"^price\[1\]\.amount: .*cannot be held exactly"):
        csb.PriceBook.from_dict(document(too_long))


def test_a_bool_is_no_amount() -> None:
    with pytest.raises(csb.PriceBookError) as caught:
        csb.PriceBook.from_dict(document(True))
    assert [problem.place for problem in caught.value.errors] == ["price[1].amount"]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (object(), "of type object"),
        (b"10", "of type bytes"),
        ({1: "x"}, "keys of price.1..amount must be str"),
        (datetime(2026, 1, 1), "no time zone"),
    ],
)
def test_what_no_document_has_is_refused(value: object, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        csb.PriceBook.from_dict(document(value))


def test_a_document_without_end_is_refused() -> None:
    endless: list[object] = []
    endless.append(endless)
    with pytest.raises(ValueError, match="levels deep"):
        csb.PriceBook.from_dict({"price": endless})


@given(st.decimals(min_value=0, max_value=10**9, places=12))
def test_a_decimal_comes_through_to_the_last_digit(amount: Decimal) -> None:
    """Equal to what the same digits say in a file, and to no neighbour."""
    book = csb.PriceBook.from_dict(document(amount))
    assert book == csb.PriceBook.from_json(json.dumps(document(f"{amount:f}")))
    neighbour = amount + Decimal(1).scaleb(-12)
    assert book != csb.PriceBook.from_dict(document(neighbour))


@given(st.integers(min_value=0, max_value=10**9), st.integers(min_value=0, max_value=9))
def test_an_exponent_changes_nothing(whole: int, exponent: int) -> None:
    written = Decimal(whole).scaleb(exponent)
    plain = str(whole * 10**exponent)
    assert csb.PriceBook.from_dict(document(written)) == csb.PriceBook.from_dict(
        document(plain)
    )


def test_every_error_is_named_at_once_with_its_place() -> None:
    broken = BOOK.replace("EUR", "EURO").replace("Europe/Berlin", "Berlin")
    broken = broken.replace('per = "month"', 'per = "fortnight"')
    with pytest.raises(csb.PriceBookError) as caught:
        csb.PriceBook.from_toml(broken)
    errors = caught.value.errors
    assert {"currency", "zone", "price[1].per"} <= {error.place for error in errors}
    for error in errors:
        assert error.code and error.message and error.message in str(caught.value)
    lines = broken.splitlines()
    where = next(error for error in errors if error.place == "currency")
    assert where.line is not None and lines[where.line - 1].startswith("currency")
    assert isinstance(caught.value, ValueError)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_the_builtin_exception_too(tmp_path: Path) -> None:
    path = tmp_path / "no book.toml"
    with pytest.raises(FileNotFoundError) as caught:
        csb.PriceBook.load(path)
    assert isinstance(caught.value, csb.MissingFileError)
    assert caught.value.filename == str(path)
    assert "no book.toml" in str(caught.value)


def test_a_folder_is_no_price_book(tmp_path: Path) -> None:
    with pytest.raises(csb.FileError) as caught:
        csb.PriceBook.load(tmp_path)
    assert not isinstance(caught.value, FileNotFoundError)


def test_months_and_days_are_civil_in_the_books_zone() -> None:
    book = csb.PriceBook.from_toml(BOOK)
    october = book.month(2026, 10)
    # summer time until the 25th: from 22:00 UTC to 23:00 UTC, 745 hours
    assert october.start == datetime(2026, 9, 30, 22, tzinfo=timezone.utc)
    assert october.end == datetime(2026, 10, 31, 23, tzinfo=timezone.utc)
    assert october == book.period(date(2026, 10, 1), date(2026, 10, 31))
    assert book.month(2026, 12).end == book.month(2027, 1).start


@pytest.mark.parametrize(("year", "month"), [(2026, 0), (2026, 13), (999_999_999, 1)])
def test_a_month_that_does_not_exist_is_refused(year: int, month: int) -> None:
    with pytest.raises(ValueError):
        csb.PriceBook.from_toml(BOOK).month(year, month)


def test_reversed_days_are_refused() -> None:
    with pytest.raises(ValueError):
        csb.PriceBook.from_toml(BOOK).period(date(2026, 10, 2), date(2026, 9, 30))


def test_a_datetime_is_no_date() -> None:
    """Its time would be lost without a word."""
    book = csb.PriceBook.from_toml(BOOK)
    noon = datetime(2026, 10, 1, 12, tzinfo=timezone.utc)
    with pytest.raises(TypeError, match="a date is wanted"):
        book.period(noon, date(2026, 10, 31))


def test_the_type_of_a_document_is_a_mapping() -> None:
    book: Mapping[str, Any] = document()
    assert csb.PriceBook.from_dict(book).currency == "EUR"
