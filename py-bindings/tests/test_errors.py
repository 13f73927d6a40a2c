"""Exceptions: data, not strings, wherever they go."""

from __future__ import annotations

import inspect
import multiprocessing
import pickle
from pathlib import Path

import pytest

import cloudstack_billing as csb
from cloudstack_billing import errors

EXCEPTIONS = [
    kind
    for _, kind in inspect.getmembers(errors, inspect.isclass)
    if issubclass(kind, csb.BillingError)
]


def test_every_exception_is_exported() -> None:
    names = {kind.__name__ for kind in EXCEPTIONS}
    assert names <= set(csb.__all__)
    assert names <= set(errors.__all__)


@pytest.mark.parametrize("kind", EXCEPTIONS)
def test_exceptions_survive_pickling(kind: type[csb.BillingError]) -> None:
    context = {"path": "/somewhere", "errno": 13, "position": 7}
    error = kind("what to do", code="some_code", context=context)
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is kind
    assert (again.code, again.context) == ("some_code", context)
    assert str(again) == again.message == "what to do"
    if isinstance(again, csb.FileError):
        assert (again.errno, again.filename) == (13, "/somewhere")


def read_book(path: Path) -> None:
    csb.PriceBook.load(path)


@pytest.mark.parametrize("content", [None, 'schema = 1\nname = "x"\ncurrency = "?"\n'])
def test_exceptions_come_back_from_another_process(
    tmp_path: Path, content: str | None
) -> None:
    path = tmp_path / "book.toml"
    if content is not None:
        path.write_text(content)
    with pytest.raises(csb.BillingError) as here:
        read_book(path)
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        with pytest.raises(type(here.value)) as there:
            pool.apply(read_book, (path,))
    assert str(there.value) == str(here.value)
    assert there.value.context == here.value.context
    if isinstance(here.value, csb.PriceBookError):
        assert isinstance(there.value, csb.PriceBookError)
        assert there.value.errors == here.value.errors != ()
