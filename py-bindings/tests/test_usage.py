"""Usage and inventory: bad records are rejections, bad bodies are errors."""

from __future__ import annotations

import gzip
import json
import os
import signal
import threading
from pathlib import Path
from typing import Any

import pytest

import cloudstack_billing as csb


def bodies(folder: Path) -> list[bytes]:
    """The bodies of a recorded folder, in the order in which they were answered."""
    index = json.loads((folder / "index.json").read_bytes())
    return [gzip.decompress((folder / entry["file"]).read_bytes()) for entry in index]


def records(body: bytes) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(body)["listusagerecordsresponse"].get(
        "usagerecord", []
    )
    return found


def page(*entries: dict[str, Any]) -> bytes:
    answer = {"count": len(entries), "usagerecord": entries}
    return json.dumps({"listusagerecordsresponse": answer}).encode()


def test_pages_files_and_the_folder_hold_the_same_records(recording: Path) -> None:
    folder = recording / "usage-daily"
    pages = bodies(folder)
    expected = sum(len(records(body)) for body in pages)
    assert expected > 500
    assert len(csb.Usage.from_pages(pages)) == expected
    assert len(csb.Usage.from_pages(body for body in pages)) == expected
    assert len(csb.Usage.from_files([folder])) == expected
    assert len(csb.Usage.from_files(sorted(folder.glob("*.json.gz")))) == expected


def test_a_record_that_cannot_be_read_is_a_rejection_with_its_position(
    recording: Path,
) -> None:
    good = records(bodies(recording / "usage-daily")[0])[:3]
    bad = {**good[1], "rawusage": "a lot"}
    usage = csb.Usage.from_pages([page(good[0]), page(good[0], bad, good[2])])
    assert len(usage) == 3
    (rejection,) = usage.rejections
    assert (rejection.page, rejection.position, rejection.field) == ("page 2", 2, "rawusage")
    assert rejection.code == "quantity_not_a_number"
    assert "a lot" in rejection.message
    assert json.loads(rejection.json) == bad
    assert rejection == usage.rejections[-1]


@pytest.mark.parametrize(
    "body", [b"", b"<html>502 Bad Gateway</html>", b'{"listusagerecordsresponse":{"count":']
)
def test_a_body_that_is_no_answer_is_an_error(body: bytes) -> None:
    with pytest.raises(csb.UsageError) as caught:
        csb.Usage.from_pages([page(), body])
    assert caught.value.code == "malformed_answer"
    assert isinstance(caught.value, ValueError)
    assert "page 2" in str(caught.value)


def test_pages_are_bytes(recording: Path) -> None:
    body = page()
    assert len(csb.Usage.from_pages([body, bytearray(body)])) == 0
    for wrong in ([body.decode()], [1], body, body.decode(), 7, None):
        with pytest.raises(TypeError):
            csb.Usage.from_pages(wrong)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="not a single str"):
        csb.Usage.from_files(str(recording))


def test_an_error_of_the_iterable_comes_through() -> None:
    def pages() -> Any:
        yield page()
        raise LookupError("no further page")

    with pytest.raises(LookupError, match="no further page"):
        csb.Usage.from_pages(pages())


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    for read in (
        lambda: csb.Usage.from_files([tmp_path / "none.json"]),
        lambda: csb.Inventory.from_folder(tmp_path / "none"),
    ):
        with pytest.raises(FileNotFoundError, match="none") as caught:
            read()
        assert isinstance(caught.value, csb.BillingError)


def test_the_inventory_holds_every_recorded_sync(recording: Path) -> None:
    folder = recording / "metadata"
    syncs = [entry for entry in folder.iterdir() if (entry / "index.json").is_file()]
    inventory = csb.Inventory.from_folder(folder)
    assert len(inventory) == len(syncs) > 1
    assert len(inventory.rejections) == 0
    assert len(csb.Inventory.from_folder(syncs[0])) == 1


def test_a_signal_ends_a_long_read(recording: Path, tmp_path: Path) -> None:
    """Ctrl-C is handled between two pages: the last file, which is missing, is never
    reached."""

    def stop(number: int, frame: object) -> None:
        raise InterruptedError("stopped")

    files = [recording / "usage-daily"] * 200 + [tmp_path / "missing.json"]
    timer = threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGUSR1))
    before = signal.signal(signal.SIGUSR1, stop)
    try:
        timer.start()
        with pytest.raises(InterruptedError, match="stopped"):
            csb.Usage.from_files(files)
    finally:
        timer.join()
        signal.signal(signal.SIGUSR1, before)
