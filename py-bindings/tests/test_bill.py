"""The recorded month, end to end: totals, lines, exports."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import date, datetime, timezone
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import openpyxl
import pytest

import cloudstack_billing as csb


class Month:
    """A bill and what it was made of."""

    def __init__(self, repository: Path, recording: Path) -> None:
        self.book = csb.PriceBook.load(repository / "examples" / "data" / "price-book.toml")
        self.usage = csb.Usage.from_files([recording / "usage-daily"])
        self.inventory = csb.Inventory.from_folder(recording / "metadata")
        self.period = self.book.month(2026, 10)
        self.bill = self.rate()

    def rate(self) -> csb.Bill:
        return csb.rate(self.book, self.usage, self.inventory, self.period)

    def lines(self) -> Iterator[csb.Line]:
        for statement in self.bill.statements:
            yield from statement.lines


@pytest.fixture(scope="module")
def month(repository: Path, recording: Path) -> Month:
    return Month(repository, recording)


def test_printed_totals_are_the_sums_of_what_is_printed(month: Month) -> None:
    bill = month.bill
    assert len(bill.statements) > 1 and bill.total > 0
    assert bill.total == sum(statement.total for statement in bill.statements)
    assert bill.exact == sum(statement.exact for statement in bill.statements)
    for statement in bill.statements:
        assert statement.total == sum(line.amount for line in statement.lines)
        assert statement.exact == sum(line.exact for line in statement.lines)
        assert abs(Fraction(statement.total) - statement.exact) <= Fraction(1, 200)
        assert statement.currency == bill.currency == month.book.currency


def test_every_record_is_accounted_for(month: Month) -> None:
    counts = month.bill.counts
    assert counts.records > 0
    assert counts.records == counts.charged + counts.exempt + counts.reference + counts.held


def test_a_bill_is_its_input_and_nothing_else(month: Month) -> None:
    again = month.rate()
    assert again == month.bill
    assert again.digest == month.bill.digest
    assert again.xlsx_bytes() == month.bill.xlsx_bytes()
    assert (again.book_digest, again.zone) == (month.book.digest, month.book.zone)
    other = csb.rate(month.book, month.usage, month.inventory, month.book.month(2026, 11))
    assert other != month.bill and other.digest != month.bill.digest


def test_totals_are_the_exact_sums_of_the_bill(month: Month) -> None:
    totals = csb.totals(month.book, month.usage, month.inventory, month.period)
    assert (totals.exact, totals.currency) == (month.bill.exact, month.bill.currency)
    assert totals.period == month.bill.period
    assert sum(total.exact for total in totals.totals) == totals.exact
    sums = totals.by_account()
    assert sums == {statement.account: statement.exact for statement in month.bill.statements}

    def summed(things: Iterator[csb.Line] | Iterator[csb.Total]) -> dict[Any, Fraction]:
        result: dict[Any, Fraction] = {}
        for thing in things:
            owner = (thing.domain, thing.account, thing.project, thing.cost_centre)
            key = (owner, thing.resource, thing.item_kind, thing.item)
            result[key] = result.get(key, Fraction(0)) + thing.exact
        return result

    assert summed(iter(totals.totals)) == summed(month.lines())
    first = totals.totals[0]
    assert first.usage_type is not None and first.billing_account in sums
    assert first == totals.totals[0] and first != totals.totals[1]
    assert repr(first) == f"<Total {first.item} of {first.resource}>"


def test_numbers_and_instants_have_exact_types(month: Month) -> None:
    for line in month.lines():
        assert type(line.amount) is Decimal and line.amount.as_tuple().exponent == -2
        for number in (line.exact, line.list_exact, line.quantity):
            assert type(number) is Fraction
        assert type(line.used_millis) is int
        assert month.period.start <= line.period.start < line.period.end <= month.period.end
        for instant in (line.created, line.removed):
            assert instant is None or instant.tzinfo is timezone.utc
        assert (line.account is None) != (line.project is None)
        assert all(type(key) is type(value) is str for key, value in line.tags)
        if line.exemption is not None:
            assert line.amount == 0 and line.exact == 0
    for finding in month.bill.findings:
        assert finding.kind and finding.policy and finding.message
        assert finding.value is None or type(finding.value) is Fraction


def test_a_line_explains_itself(month: Month) -> None:
    for line in month.lines():
        assert line.explain().strip()
        explanation = json.loads(json.dumps(line.explanation))
        assert explanation == line.explanation
        net = sum(Fraction(segment["net"]) for segment in explanation["segments"])
        if line.item_kind != "minimum":
            assert net == line.exact


def test_json_says_what_the_objects_say(month: Month) -> None:
    bill = month.bill
    data = json.loads(bill.to_json())
    assert Decimal(data["total"]["amount"]) == bill.total
    assert Fraction(data["total"]["exact"]) == bill.exact
    assert data["digest"] == bill.digest
    assert [s["path"] for s in data["statements"]] == [s.path for s in bill.statements]
    keys = [line["key"] for s in data["statements"] for line in s["lines"]]
    assert keys == [line.key for line in month.lines()]
    assert len(data["findings"]) == len(bill.findings)


def test_lines_are_a_lazy_sequence(month: Month) -> None:
    statement = month.bill.statements[0]
    lines = statement.lines
    assert len(lines) == len(list(lines)) > 2
    assert lines[-1] == lines[len(lines) - 1]
    assert [line.key for line in lines[1:3]] == [lines[1].key, lines[2].key]
    assert [line.key for line in lines[::-1]] == [line.key for line in lines][::-1]
    for outside in (len(lines), -len(lines) - 1):
        with pytest.raises(IndexError):
            lines[outside]
    with pytest.raises(TypeError):
        lines["first"]  # type: ignore[call-overload]
    assert hash(lines[0]) == hash(statement.lines[0])
    assert lines[0] != lines[1]


def test_results_are_frozen(month: Month) -> None:
    for thing in (month.bill, month.bill.statements[0], next(month.lines())):
        assert repr(thing).startswith("<")
        with pytest.raises(AttributeError):
            thing.total = Decimal(0)  # type: ignore[misc, union-attr]


def cells(workbook: bytes | Path, sheet: str) -> list[dict[str, Any]]:
    """The rows of a sheet, read by another library, header and totals row aside."""
    source = workbook if isinstance(workbook, Path) else io.BytesIO(workbook)
    book = openpyxl.load_workbook(source, data_only=True)
    header, *rows = book[sheet].iter_rows(values_only=True)
    named = [dict(zip(map(str, header), row)) for row in rows]
    return [row for row in named if row["Line key"]]


def amount_of(row: dict[str, Any]) -> Decimal:
    (column,) = (name for name in row if re.match(r"(?i)(net )?amount\b", name))
    return Decimal(str(row[column]))


def test_the_workbook_sums_to_the_printed_total(month: Month, tmp_path: Path) -> None:
    path = tmp_path / "bill.xlsx"
    assert month.bill.write_xlsx(path) == []
    rows = cells(path, "Lines")
    assert len(rows) == sum(1 for _ in month.lines())
    assert sum(amount_of(row) for row in rows) == month.bill.total
    assert path.read_bytes() == month.bill.xlsx_bytes()
    for statement in month.bill.statements:
        rows = cells(statement.xlsx_bytes(), "Lines")
        assert sum(amount_of(row) for row in rows) == statement.total


def read_csv(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_csv_reports_sum_to_the_printed_total(month: Month, tmp_path: Path) -> None:
    path = tmp_path / "report.csv"
    month.bill.write_csv(path)
    rows = read_csv(path)
    assert [row["line_key"] for row in rows] == [line.key for line in month.lines()]
    assert sum(Decimal(row["amount"]) for row in rows) == month.bill.total
    for by in (None, ["project"], ["vm"], ["cost_centre", "item"]):
        month.bill.write_csv(path, "summary", by=by)  # type: ignore[arg-type]
        rows = read_csv(path)
        assert sum(Decimal(row["amount"]) for row in rows) == month.bill.total
    month.bill.write_csv(path, "findings")
    assert len(read_csv(path)) == len(month.bill.findings)
    month.bill.write_csv(path, "focus")
    rows = read_csv(path)
    assert len(rows) >= len(list(month.lines()))
    assert sum(Decimal(row["BilledCost"]) for row in rows) == month.bill.total
    month.bill.write_csv(path, dialect="excel-de")
    assert path.read_bytes().startswith(b"\xef\xbb\xbf")


def test_filters_part_the_bill(month: Month, tmp_path: Path) -> None:
    path = tmp_path / "part.csv"
    total = Decimal(0)
    for statement in month.bill.statements:
        month.bill.write_csv(path, filter=csb.Filter(domains=[statement.path]))
        part = sum(Decimal(row["amount"]) for row in read_csv(path))
        assert part == statement.total
        total += part
    assert total == month.bill.total
    with pytest.raises(csb.FilterError) as caught:
        month.bill.write_csv(path, filter=csb.Filter(domains=["ROOT/nobody"]))
    assert caught.value.code == "unknown_name"
    assert isinstance(caught.value, LookupError)
    with pytest.raises(TypeError):
        csb.Filter(domains="ROOT")  # refused: it would be four names of one letter


@pytest.mark.parametrize(
    ("report", "options"),
    [("invoice", {}), ("lines", {"by": ["vm"]}), ("summary", {"by": ["colour"]})],
)
def test_unknown_words_are_refused(
    month: Month, tmp_path: Path, report: str, options: dict[str, Any]
) -> None:
    path = tmp_path / "none.csv"
    with pytest.raises(ValueError):
        month.bill.write_csv(path, report, **options)  # type: ignore[arg-type]
    with pytest.raises(ValueError):
        month.bill.write_csv(path, dialect="excel_xx")  # type: ignore[arg-type]
    assert not path.exists()


def test_a_file_that_cannot_be_written_is_an_os_error(month: Month, tmp_path: Path) -> None:
    with pytest.raises(OSError) as caught:
        month.bill.write_xlsx(tmp_path / "no such folder" / "bill.xlsx")
    assert isinstance(caught.value, csb.ExportError)
    assert "no such folder" in str(caught.value)


def test_rejected_records_become_findings(month: Month, recording: Path) -> None:
    bad = b'{"listusagerecordsresponse":{"count":1,"usagerecord":[{"usagetype":1}]}}'
    usage = csb.Usage.from_pages([bad])
    bill = csb.rate(month.book, usage, month.inventory, month.period)
    assert len(usage.rejections) == 1
    assert [f.kind for f in bill.findings].count("rejected") == 1


def test_a_period_beyond_all_reason_is_refused(month: Month) -> None:
    ages = month.book.period(date(1900, 1, 1), date(2026, 12, 31))
    with pytest.raises(csb.RatingError) as caught:
        csb.rate(month.book, month.usage, month.inventory, ages)
    assert caught.value.code == "period"


def test_only_our_own_things_are_rated(month: Month) -> None:
    with pytest.raises(TypeError):
        csb.rate(month.book, [], month.inventory, month.period)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        csb.rate(month.book, month.usage, month.inventory, "2026-10")  # type: ignore[arg-type]


def test_other_threads_run_while_a_month_is_rated(month: Month) -> None:
    """Nobody is interrupted here, so the other thread can only take a step between the
    two readings of the counter if `rate` gives way by itself."""
    interval = sys.getswitchinterval()
    running, stop = threading.Event(), threading.Event()
    steps = 0

    def count() -> None:
        nonlocal steps
        while not stop.is_set():
            steps += 1
            running.set()
            time.sleep(0.001)  # gives way

    thread = threading.Thread(target=count)
    sys.setswitchinterval(1000)
    try:
        thread.start()
        running.wait()
        before = after = steps
        for _ in range(100):  # a busy machine may let the other thread wait
            month.rate()
            after = steps
            if after > before:
                break
    finally:
        stop.set()
        sys.setswitchinterval(interval)
        thread.join()
    assert after > before


def ten_lines(repository: Path) -> str:
    text = (repository / "py-bindings" / "README.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert sum(1 for line in code.splitlines() if line) <= 10
    return str(code)


def test_the_ten_lines_of_the_readme_run(
    month: Month, repository: Path, tmp_path: Path
) -> None:
    (tmp_path / "examples").symlink_to(repository / "examples")
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", ten_lines(repository)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    for statement in month.bill.statements:
        assert f"{statement.path} {statement.total} {month.bill.currency}" in run.stdout
    assert month.bill.statements[0].lines[0].explain() in run.stdout
    assert (tmp_path / "october.xlsx").read_bytes() == month.bill.xlsx_bytes()


@pytest.mark.skipif("CSBILL" not in os.environ, reason="CSBILL names no csbill binary")
def test_the_shell_writes_the_same_bytes(
    month: Month, repository: Path, recording: Path, tmp_path: Path
) -> None:
    options: list[str | Path] = ["--month", "2026-10"]
    options += ["--book", repository / "examples" / "data" / "price-book.toml"]
    options += ["--usage", recording / "usage-daily", "--metadata", recording / "metadata"]
    path = tmp_path / "shell.xlsx"
    csbill = os.environ["CSBILL"]
    subprocess.run([csbill, "report", "lines", "--output", path, *options])
    assert path.read_bytes() == month.bill.xlsx_bytes()
    run = subprocess.run([csbill, "rate", "--json", *options], capture_output=True)
    assert run.stdout.decode() == month.bill.to_json() + "\n"


def test_the_month_is_civil_in_the_books_zone(month: Month) -> None:
    assert month.bill.period == month.period
    assert month.period.start < datetime(2026, 10, 1, 12, tzinfo=timezone.utc)
    assert datetime(2026, 10, 31, 12, tzinfo=timezone.utc) in month.period
