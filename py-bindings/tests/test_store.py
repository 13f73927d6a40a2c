"""Stores: the same bill as from files, one process, clear errors."""

from __future__ import annotations

import multiprocessing
import os
import sqlite3
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import cloudstack_billing as csb


@pytest.fixture
def path() -> Path:
    """A database that was synced from the recording (see `run-tests.sh`)."""
    name = os.environ.get("CSB_STORE")
    if name is None:
        pytest.skip("CSB_STORE names no database")
    return Path(name)


@pytest.fixture
def store(path: Path) -> Iterator[csb.Store]:
    with csb.Store.open(path) as store:
        yield store


@pytest.fixture(scope="module")
def book(repository: Path) -> csb.PriceBook:
    return csb.PriceBook.load(repository / "examples" / "data" / "price-book.toml")


def test_a_store_gives_the_bill_that_the_files_give(
    store: csb.Store, book: csb.PriceBook, recording: Path
) -> None:
    period = book.month(2026, 10)
    from_store = store.rate(book, period)
    usage = csb.Usage.from_files([recording / "usage-daily"])
    inventory = csb.Inventory.from_folder(recording / "metadata")
    from_files = csb.rate(book, usage, inventory, period)
    assert from_store.total == from_files.total > 0
    assert from_store.exact == from_files.exact == store.totals(book, period).exact
    for here, there in zip(from_store.statements, from_files.statements):
        assert (here.path, here.total, here.exact) == (there.path, there.total, there.exact)
        assert [line.key for line in here.lines] == [line.key for line in there.lines]


def test_usage_and_inventory_of_a_store_can_be_rated_too(
    store: csb.Store, book: csb.PriceBook
) -> None:
    period = book.month(2026, 10)
    everything = csb.Period(book.month(2026, 8).start, book.month(2027, 1).start)
    usage, inventory = store.usage(everything), store.inventory()
    assert len(store.usage(period)) < len(usage)
    assert len(inventory) > 1
    assert csb.rate(book, usage, inventory, period) == store.rate(book, period)


def test_threads_share_a_store(store: csb.Store, book: csb.PriceBook) -> None:
    period = book.month(2026, 10)
    with ThreadPoolExecutor(4) as threads:
        bills = list(threads.map(lambda _: store.rate(book, period), range(4)))
    assert all(bill == bills[0] for bill in bills)


def test_an_unknown_cloud_is_named_with_those_that_there_are(
    store: csb.Store, book: csb.PriceBook
) -> None:
    with pytest.raises(csb.StoreError, match="elsewhere") as caught:
        store.rate(book, book.month(2026, 10), cloud="elsewhere")
    assert caught.value.code == "unknown_cloud"
    assert caught.value.context["clouds"] == ["cloudstack"]
    assert isinstance(caught.value, OSError)


def test_a_closed_store_says_so(path: Path) -> None:
    with csb.Store.open(path) as store:
        pass
    with pytest.raises(csb.StoreError, match="closed"):
        store.inventory()
    store.close()


def test_what_is_no_store_is_refused(tmp_path: Path) -> None:
    with pytest.raises(csb.MissingFileError):
        csb.Store.open(tmp_path / "none.sqlite")
    assert not (tmp_path / "none.sqlite").exists()
    (tmp_path / "text.sqlite").write_text("no database at all, only some text" * 100)
    sqlite3.connect(tmp_path / "empty.sqlite").close()
    (tmp_path / "empty.sqlite").touch()
    for name in ("text.sqlite", "empty.sqlite"):
        with pytest.raises(csb.StoreError) as caught:
            csb.Store.open(tmp_path / name)
        assert name in str(caught.value)


def used_in_a_fork(store: csb.Store, answers: multiprocessing.SimpleQueue[str]) -> None:
    try:
        store.inventory()
        answers.put("read")
    except csb.ForkedStoreError as error:
        answers.put(error.code)


def test_a_store_is_refused_in_a_fork_and_stays_good_in_its_own_process(
    store: csb.Store,
) -> None:
    context = multiprocessing.get_context("fork")
    answers: multiprocessing.SimpleQueue[str] = context.SimpleQueue()
    with warnings.catch_warnings():
        # Python warns of forks while threads run; none of ours holds a lock here
        warnings.simplefilter("ignore", DeprecationWarning)
        child = context.Process(target=used_in_a_fork, args=(store, answers))
        child.start()
    child.join()
    assert answers.get() == "store_forked"
    assert len(store.inventory()) > 1


@pytest.mark.parametrize(
    "url",
    [
        "mysql://portal@127.0.0.1:1/billing",
        "mysql://portal:not-the-secret@127.0.0.1:1/billing",
        "mysql://portal:not-the-secret@127.0.0.1:not-a-port/billing",
    ],
)
def test_a_server_that_cannot_be_opened_is_named_without_its_password(url: str) -> None:
    with pytest.raises(csb.StoreError) as raised:
        csb.Store.open(url, password="not-the-secret")
    assert "not-the-secret" not in str(raised.value) + repr(raised.value)


def test_a_database_of_mariadb_is_opened_like_a_file() -> None:
    server = os.environ.get("CSBILL_TEST_MARIADB")
    if server is None:
        pytest.skip("no MariaDB; run this through with-mariadb.sh")
    password = os.environ["CSBILL_TEST_MARIADB_PASSWORD"]
    # the user was let in, and the database is not one of ours
    with pytest.raises(csb.StoreError, match="no tables yet"):
        csb.Store.open(f"{server}/mysql", password=password)
    with pytest.raises(csb.StoreError, match="may not be used"):
        csb.Store.open(f"{server}/mysql", password="a-wrong-one")
