# Kept by hand; `python -m mypy.stubtest cloudstack_billing` compares it with the module.
import os
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction
from types import GenericAlias
from typing import Any, ClassVar, Generic, Literal, TypeVar, final, overload

from typing_extensions import Self, TypeAlias

__all__ = [
    "Bill",
    "Counts",
    "Filter",
    "Finding",
    "Inventory",
    "Items",
    "ItemsIterator",
    "Line",
    "Notice",
    "Period",
    "PriceBook",
    "Rejection",
    "Statement",
    "Store",
    "Total",
    "Totals",
    "Usage",
    "rate",
    "totals",
]

_T_co = TypeVar("_T_co", covariant=True)
_GroupBy: TypeAlias = Literal[
    "statement", "domain", "project", "vm", "volume", "cost_centre", "item"
]

@final
class Period:
    """A half-open interval of instants: `start` is inside, `end` is not.

    Takes any aware datetimes; naive ones are refused with `TypeError`, an end that is not
    after the start with `ValueError`.
    """

    def __new__(cls, start: datetime, end: datetime) -> Self: ...
    @property
    def start(self) -> datetime:
        """The first instant inside, in UTC."""
    @property
    def end(self) -> datetime:
        """The first instant after, in UTC."""
    def __contains__(self, instant: datetime, /) -> bool: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...
    def __getnewargs__(self) -> tuple[datetime, datetime]: ...

@final
class Items(Generic[_T_co]):
    """A read-only sequence whose elements are made on access."""

    def __len__(self) -> int: ...
    @overload
    def __getitem__(self, index: int, /) -> _T_co: ...
    @overload
    def __getitem__(self, index: slice, /) -> list[_T_co]: ...
    def __iter__(self) -> ItemsIterator[_T_co]: ...
    @classmethod
    def __class_getitem__(cls, key: Any) -> GenericAlias: ...

@final
class ItemsIterator(Generic[_T_co]):
    """Runs through `Items` once; threads may share it."""

    def __iter__(self) -> Self: ...
    def __next__(self) -> _T_co: ...
    def __length_hint__(self) -> int: ...

@final
class PriceBook:
    """An immutable, validated set of prices, services, packages, exemptions and discounts
    in one currency and one time zone.

    Reading raises `PriceBookError`, which names everything that is wrong at once.
    """

    @staticmethod
    def load(path: str | os.PathLike[str]) -> PriceBook:
        """Reads a file: JSON where its name ends in `.json`, else TOML."""
    @staticmethod
    def from_toml(text: str) -> PriceBook:
        """Reads TOML."""
    @staticmethod
    def from_json(text: str) -> PriceBook:
        """Reads JSON."""
    @staticmethod
    def from_dict(document: Mapping[str, Any]) -> PriceBook:
        """Reads dicts and lists as `from_json` would. Amounts may be `Decimal`, `int` or
        `str`, dates `date`; a float anywhere is refused with `TypeError` and its place."""
    @property
    def name(self) -> str:
        """The book's name."""
    @property
    def currency(self) -> str:
        """The currency's ISO 4217 code."""
    @property
    def zone(self) -> str:
        """The IANA name of the book's time zone."""
    @property
    def digest(self) -> str:
        """SHA-256 of the book's content, the same for TOML and JSON."""
    def for_customer(self, domain: str) -> PriceBook:
        """The book for the statement of one customer: the same, with dates civil in the zone
        that the book gives to its domain (a path). Take that customer's statement alone."""
    def month(self, year: int, month: int) -> Period:
        """The civil month in the book's zone."""
    def period(self, first: date, last: date) -> Period:
        """The days from `first` to `last`, both included, in the book's zone."""
    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...

@final
class Usage:
    """Usage records and what could not be read, held on the native side: a batch to hand
    to `rate`."""

    @staticmethod
    def from_pages(pages: Iterable[bytes | bytearray]) -> Usage:
        """Reads the bodies of answers to `listUsageRecords`, one after the other.

        A body that is no such answer raises `UsageError`; a record that cannot be read is
        a rejection.
        """
    @staticmethod
    def from_files(paths: Iterable[str | os.PathLike[str]]) -> Usage:
        """Reads files that hold such bodies, plain or gzip, or folders of them. A folder
        whose index lists a page that was answered with an error raises `UsageError`."""
    @property
    def rejections(self) -> Items[Rejection]:
        """Entries that could not be read; `rate` makes a finding of each."""
    def __len__(self) -> int: ...

@final
class Inventory:
    """What a series of syncs saw of domains, projects, VMs, volumes and the rest, from
    which `rate` builds the histories that the price book asks for. Its length is the number
    of syncs."""

    @staticmethod
    def from_folder(path: str | os.PathLike[str]) -> Inventory:
        """Reads a folder with one sub-folder for each recorded sync."""
    @property
    def rejections(self) -> Items[Rejection]:
        """Entries that could not be read."""
    @property
    def notices(self) -> Items[Notice]:
        """What the recording says of itself, such as a kind that could not be listed."""
    def __len__(self) -> int: ...

@final
class Store:
    """A database that `csbill sync` has filled, opened for reading: a file of SQLite, or
    `mysql://USER@HOST:PORT/DATABASE` for MariaDB.

    In a process that forks (a preloading server, Ansible), open it after the fork: a store
    used in a fork raises `ForkedStoreError`. Threads may share a store; they take turns.
    """

    @staticmethod
    def open(path: str | os.PathLike[str], *, password: str | None = None) -> Store:
        """Opens a database. A missing file raises `MissingFileError`, whatever else is
        wrong `StoreError`. The password is for MariaDB alone, and never shown."""
    def close(self) -> None:
        """Closes the database. Further calls raise `StoreError`."""
    def usage(self, period: Period, *, cloud: str = "cloudstack") -> Usage:
        """The usage records whose windows touch the period."""
    def inventory(self, *, cloud: str = "cloudstack") -> Inventory:
        """What all syncs saw, with the labels in force."""
    def rate(self, book: PriceBook, period: Period, *, cloud: str = "cloudstack") -> Bill:
        """Rates the usage of a period, record by record: memory stays bounded. Reads what
        lies around the period as well, since it decides where in a window usage was."""
    def totals(self, book: PriceBook, period: Period, *, cloud: str = "cloudstack") -> Totals:
        """The exact sums of what a period costs, record by record, without statements and
        findings: several times as fast as `rate`."""
    def __enter__(self) -> Self: ...
    def __exit__(self, *_exception: object) -> None: ...

def rate(book: PriceBook, usage: Usage, inventory: Inventory, period: Period) -> Bill:
    """Rates the usage of a period with a price book.

    Give usage of two days more on each side of the period where there is some: windows
    beside a record say where in its window a resource was used. Raises `RatingError` when
    book and inventory do not fit together.
    """

def totals(book: PriceBook, usage: Usage, inventory: Inventory, period: Period) -> Totals:
    """The exact sums of what a period costs, without statements and findings.

    They are those of the bill that `rate` makes of the same input, several times as fast.
    Nothing says here what was wrong with the input: look at the findings of a bill first.
    Raises `RatingError` when book and inventory do not fit together.
    """

@final
class Rejection:
    """An entry of an answer that could not be read. The rest of the answer was."""

    @property
    def page(self) -> str:
        """Where: the file or page."""
    @property
    def position(self) -> int:
        """Which entry of the page, counted from 1."""
    @property
    def field(self) -> str | None:
        """The field that is wrong, where one can be named."""
    @property
    def code(self) -> str:
        """The stable name of what is wrong."""
    @property
    def message(self) -> str:
        """What is wrong, in words."""
    @property
    def json(self) -> str:
        """The entry as sent."""
    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment]

@final
class Notice:
    """What a recording or a fetch says of itself."""

    @property
    def code(self) -> str:
        """The stable name of what happened."""
    @property
    def message(self) -> str:
        """The same in words."""
    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment]

@final
class Bill:
    """The result of rating a period: one statement per billing account, with the findings
    and the counts that account for every record."""

    @property
    def period(self) -> Period:
        """The billing period."""
    @property
    def zone(self) -> str:
        """The IANA name of the book's time zone."""
    @property
    def currency(self) -> str:
        """The currency's ISO 4217 code."""
    @property
    def book_name(self) -> str:
        """The price book's name."""
    @property
    def book_digest(self) -> str:
        """SHA-256 of the price book's content."""
    @property
    def total(self) -> Decimal:
        """The sum of the printed statement totals."""
    @property
    def exact(self) -> Fraction:
        """The sum of the exact statement totals."""
    @property
    def statements(self) -> Items[Statement]:
        """The statements, in the order of their paths."""
    @property
    def findings(self) -> Items[Finding]:
        """What was wrong or doubtful in the input, dearest first."""
    @property
    def counts(self) -> Counts:
        """What became of the records."""
    @property
    def digest(self) -> str:
        """SHA-256 of usage, inventory, book, period and engine version."""
    def to_json(self) -> str:
        """The bill as JSON text, by `rating-engine/schema/bill.schema.json`."""
    def write_csv(
        self,
        path: str | os.PathLike[str],
        report: Literal["lines", "summary", "findings", "focus"] = "lines",
        *,
        by: Sequence[_GroupBy] | None = None,
        dialect: Literal["rfc4180", "excel-de"] = "rfc4180",
        filter: Filter | None = None,
    ) -> None:
        """Writes a report as CSV: `lines`, `summary`, `findings` or `focus` (FOCUS 1.2 rows).

        `by` groups the summary by one of these or several; by `domain` where it is `None`. The dialect is `rfc4180`
        (comma, decimal point) or `excel-de` (semicolon, decimal comma, byte order mark).
        The file is replaced as a whole or not at all.
        """
    def write_xlsx(
        self, path: str | os.PathLike[str], *, filter: Filter | None = None
    ) -> list[str]:
        """Writes a workbook with summary, lines and findings; returns what it could not
        hold as it is, in words. The file is replaced as a whole or not at all."""
    def xlsx_bytes(self, *, filter: Filter | None = None) -> bytes:
        """The same workbook as bytes. Equal bills give equal bytes."""
    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment]

@final
class Filter:
    """Which lines a report is about.

    An empty list keeps all; several entries of a list keep what any of them names; several
    lists keep what all of them keep. An entry is an id, a name or a path. Domains count
    with their sub-domains unless `exclusive`; VMs with the volumes attached to them; `None`
    among the cost centres stands for lines without one.
    """

    def __new__(
        cls,
        *,
        domains: Sequence[str] = ...,
        exclusive: bool = False,
        projects: Sequence[str] = ...,
        vms: Sequence[str] = ...,
        volumes: Sequence[str] = ...,
        cost_centres: Sequence[str | None] = ...,
    ) -> Self: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment]

@final
class Counts:
    """What became of the records that touch the period. `charged`, `exempt`, `reference`
    and `held` add up to `records`."""

    @property
    def records(self) -> int:
        """Records that touch the billing period."""
    @property
    def charged(self) -> int:
        """Records with at least one charge that is not exempt."""
    @property
    def exempt(self) -> int:
        """Records with exempt charges only."""
    @property
    def reference(self) -> int:
        """Records that only serve as reference."""
    @property
    def held(self) -> int:
        """Records held back or left unpriced, each named in a finding."""
    @property
    def neighbours(self) -> int:
        """Records outside the period, read as neighbours (not in `records`)."""
    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment]

@final
class Statement:
    """The statement of one billing account: by default a top-level domain with its
    sub-domains."""

    @property
    def account(self) -> str:
        """The id of the billing account's domain."""
    @property
    def name(self) -> str:
        """The domain's name."""
    @property
    def path(self) -> str:
        """The domain's path."""
    @property
    def total(self) -> Decimal:
        """The printed total: the sum of the lines' amounts."""
    @property
    def exact(self) -> Fraction:
        """The total before rounding."""
    @property
    def currency(self) -> str:
        """The currency's ISO 4217 code."""
    @property
    def lines(self) -> Items[Line]:
        """The line items, in the order of their keys."""
    def write_csv(
        self,
        path: str | os.PathLike[str],
        report: Literal["lines", "summary", "findings", "focus"] = "lines",
        *,
        by: Sequence[_GroupBy] | None = None,
        dialect: Literal["rfc4180", "excel-de"] = "rfc4180",
        filter: Filter | None = None,
    ) -> None:
        """Writes a report as CSV: `lines`, `summary`, `findings` or `focus` (FOCUS 1.2 rows).

        `by` groups the summary by one of these or several; by `domain` where it is `None`. The dialect is `rfc4180`
        (comma, decimal point) or `excel-de` (semicolon, decimal comma, byte order mark).
        The file is replaced as a whole or not at all.
        """
    def write_xlsx(
        self, path: str | os.PathLike[str], *, filter: Filter | None = None
    ) -> list[str]:
        """Writes a workbook with summary, lines and findings; returns what it could not
        hold as it is, in words. The file is replaced as a whole or not at all."""
    def xlsx_bytes(self, *, filter: Filter | None = None) -> bytes:
        """The same workbook as bytes. Equal bills give equal bytes."""
    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment]

@final
class Line:
    """One position of a statement: all charges of one key, added exactly, then printed."""

    @property
    def key(self) -> str:
        """The line's identity: stable for equal inputs."""
    @property
    def domain(self) -> str:
        """The id of the domain that owns the resource."""
    @property
    def domain_path(self) -> str:
        """That domain's path."""
    @property
    def account(self) -> str | None:
        """The id of the account that owns the resource, where an account does."""
    @property
    def project(self) -> str | None:
        """The id of the project that owns the resource, where a project does."""
    @property
    def holder_name(self) -> str:
        """The account's or project's name."""
    @property
    def vm(self) -> str | None:
        """The id of the VM that the line belongs to: itself, or the one a volume is
        attached to."""
    @property
    def vm_name(self) -> str | None:
        """That VM's name."""
    @property
    def volume(self) -> str | None:
        """The volume's id, where the line is about one."""
    @property
    def resource(self) -> str:
        """The id of the resource charged; its description where it has no id."""
    @property
    def resource_kind(self) -> str:
        """What the resource is (`vm`, `volume`, `ip`, …)."""
    @property
    def resource_name(self) -> str:
        """The resource's name."""
    @property
    def cost_centre(self) -> str | None:
        """The cost centre."""
    @property
    def created(self) -> datetime | None:
        """When the resource was created, where known."""
    @property
    def removed(self) -> datetime | None:
        """When the resource was removed, where it was."""
    @property
    def tags(self) -> tuple[tuple[str, str], ...]:
        """The tags in force for any part of the line, as pairs of key and value."""
    @property
    def item_kind(self) -> str:
        """The kind of item charged: `meter`, `service`, `package` or `minimum`."""
    @property
    def item(self) -> str:
        """The item charged: `cpu`, `ram`, `disk`, …, or a service's or package's name."""
    @property
    def label(self) -> str:
        """How the item is called on a bill."""
    @property
    def price(self) -> str:
        """The price's id."""
    @property
    def price_text(self) -> str:
        """The price in words."""
    @property
    def exemption(self) -> str | None:
        """Why the line costs nothing although used; `None` where it is charged."""
    @property
    def discounts(self) -> tuple[str, ...]:
        """The ids of the discounts applied, in order."""
    @property
    def used_millis(self) -> int:
        """Time used, in milliseconds; 0 for counters."""
    @property
    def quantity(self) -> Fraction:
        """The quantity in the price's unit."""
    @property
    def unit(self) -> str:
        """The price's unit, such as `GiB-month`."""
    @property
    def list_exact(self) -> Fraction:
        """The amount before discounts."""
    @property
    def exact(self) -> Fraction:
        """The amount after discounts, before rounding."""
    @property
    def amount(self) -> Decimal:
        """What is printed: the line's share of the statement's rounded total."""
    @property
    def period(self) -> Period:
        """From the first to the last instant charged."""
    def explain(self) -> str:
        """How the amount came about, in words."""
    @property
    def explanation(self) -> dict[str, Any]:
        """How the amount came about, as data that `json.dumps` takes: prices considered,
        segments, reductions, records. Exact numbers are texts such as `37/5`."""
    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...

@final
class Finding:
    """Something wrong or doubtful in the input, with the money at stake."""

    @property
    def kind(self) -> str:
        """The stable name of the kind of doubt, such as `not_metered`."""
    @property
    def policy(self) -> str:
        """What was done about it: `bill_and_flag`, `bill_once`, `clip` or `hold`."""
    @property
    def account(self) -> str | None:
        """The billing account's domain id."""
    @property
    def owner(self) -> str | None:
        """The owner's domain path and holder."""
    @property
    def resource(self) -> str | None:
        """The resource's id."""
    @property
    def resource_name(self) -> str | None:
        """The resource's name."""
    @property
    def period(self) -> Period | None:
        """The time concerned."""
    @property
    def millis(self) -> int:
        """Time concerned, in milliseconds."""
    @property
    def records(self) -> int:
        """Number of records concerned."""
    @property
    def value(self) -> Fraction | None:
        """The money at stake in the book's currency; `None` where it cannot be told."""
    @property
    def message(self) -> str:
        """The whole in words."""
    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment]

@final
class Totals:
    """What a period costs, as exact sums alone: net of discounts and with minimum and maximum
    charges; before credits, rounding and taxes, which belong to statements."""

    @property
    def period(self) -> Period:
        """The billing period."""
    @property
    def currency(self) -> str:
        """The currency's ISO 4217 code."""
    @property
    def exact(self) -> Fraction:
        """The sum of everything, exact."""
    @property
    def totals(self) -> Items[Total]:
        """The sums, one for each thing of each resource, owner and cost centre."""
    def by_account(self) -> dict[str, Fraction]:
        """The exact sum of each billing account, by its domain's id."""
    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment]

@final
class Total:
    """What one thing of one resource, owner and cost centre costs."""

    @property
    def billing_account(self) -> str:
        """The id of the billing account's domain."""
    @property
    def domain(self) -> str:
        """The id of the domain that owns the resource."""
    @property
    def account(self) -> str | None:
        """The id of the account that owns the resource, where an account does."""
    @property
    def project(self) -> str | None:
        """The id of the project that owns the resource, where a project does."""
    @property
    def cost_centre(self) -> str | None:
        """The cost centre."""
    @property
    def resource(self) -> str:
        """The id of the resource charged; its description where CloudStack gives no id."""
    @property
    def usage_type(self) -> int | None:
        """CloudStack's number of the usage type; `None` of a minimum charge."""
    @property
    def item_kind(self) -> str:
        """The kind of item charged: `meter`, `service`, `package` or `minimum`."""
    @property
    def item(self) -> str:
        """The item charged: `cpu`, `ram`, `disk`, …, or a service's or package's name."""
    @property
    def exact(self) -> Fraction:
        """The amount after discounts, exact; zero where it is exempt."""
    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment]
