"""What can go wrong, as exceptions that code can branch on and that survive pickling.

Every exception of this package is a :class:`BillingError` and the builtin exception that
fits. It carries ``code``, a stable name to branch on, and ``context``, plain data that says
where (page, record, field, path …). The message is for people and may change.
"""

from __future__ import annotations

import errno as _errno
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

__all__ = [
    "BillingError",
    "BookProblem",
    "ExportError",
    "FileError",
    "FilterError",
    "ForkedStoreError",
    "MissingFileError",
    "PriceBookError",
    "RatingError",
    "StoreError",
    "UsageError",
]


def _restore(
    kind: type[BillingError], message: str, code: str, state: dict[str, Any]
) -> BillingError:
    error = kind(message, code=code, context=state.get("context"))
    error.__dict__.update(state)
    return error


class BillingError(Exception):
    """Base of every exception that this package raises by itself."""

    code: str
    """The stable name of what went wrong, such as ``malformed_answer``."""

    context: dict[str, Any]
    """Where and what, as plain data. Empty where there is nothing to add."""

    def __init__(
        self,
        message: str,
        *,
        code: str = "billing_error",
        context: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.context = dict(context or {})

    @property
    def message(self) -> str:
        """What went wrong and what to do, in words."""
        return str(self.args[0])

    def __str__(self) -> str:
        return self.message

    def __reduce__(self) -> tuple[Any, ...]:
        return (_restore, (type(self), self.message, self.code, dict(self.__dict__)))


class BookProblem(NamedTuple):
    """One thing that is wrong in a price book."""

    place: str
    """Where in the book, such as ``price[3].valid.until``."""
    code: str
    """Its stable name."""
    message: str
    """What is wrong and what to do."""
    line: int | None = None
    """The line in a TOML file, counted from 1."""


class PriceBookError(BillingError, ValueError):
    """A price book cannot be used. ``errors`` names everything that is wrong with it."""

    errors: tuple[BookProblem, ...]
    """All problems, in the order of the book."""

    def __init__(
        self,
        message: str,
        *,
        code: str = "price_book",
        context: Mapping[str, Any] | None = None,
        errors: Iterable[tuple[str, str, str, int | None]] = (),
    ) -> None:
        super().__init__(message, code=code, context=context)
        self.errors = tuple(BookProblem(*problem) for problem in errors)


class UsageError(BillingError, ValueError):
    """What was given as usage or metadata is not what CloudStack answers."""


class RatingError(BillingError, ValueError):
    """This usage cannot be rated as asked, such as for a period that cannot be billed."""


class FileError(BillingError, OSError):
    """A file or folder cannot be read or written; ``errno`` and ``filename`` say more."""

    def __init__(
        self,
        message: str,
        *,
        code: str = "file",
        context: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message, code=code, context=context)
        self.errno = self.context.get("errno")
        self.filename = self.context.get("path")


class MissingFileError(FileError, FileNotFoundError):
    """There is no such file or folder."""


class StoreError(BillingError, OSError):
    """The store cannot be opened, read or understood."""


class ForkedStoreError(StoreError):
    """A store was opened in one process and used in a fork of it."""


class ExportError(BillingError, OSError):
    """A report cannot be written. ``context`` names report, row and column where known."""

    def __init__(
        self,
        message: str,
        *,
        code: str = "export",
        context: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message, code=code, context=context)
        self.errno = self.context.get("errno")


class FilterError(BillingError, LookupError):
    """A filter names something that the bill does not have, or has several times."""


def _file_error(message: str, *, code: str, context: Mapping[str, Any]) -> FileError:
    """The exception for an error of the operating system (called by the native part)."""
    missing = context.get("errno") == _errno.ENOENT
    kind = MissingFileError if missing else FileError
    return kind(message, code=code, context=context)
