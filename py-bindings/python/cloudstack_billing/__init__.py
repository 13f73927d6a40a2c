"""Apache CloudStack usage into correct, explainable, exportable bills.

Amounts come out as ``decimal.Decimal``, exact values as ``fractions.Fraction``, instants as
aware ``datetime`` in UTC. Whatever goes wrong is a :class:`BillingError`.
"""

from cloudstack_billing._native import (
    Bill,
    Counts,
    Filter,
    Finding,
    Inventory,
    Items,
    ItemsIterator,
    Line,
    Notice,
    Period,
    PriceBook,
    Rejection,
    Statement,
    Store,
    Usage,
    rate,
)
from cloudstack_billing.errors import (
    BillingError,
    BookProblem,
    ExportError,
    FileError,
    FilterError,
    ForkedStoreError,
    MissingFileError,
    PriceBookError,
    RatingError,
    StoreError,
    UsageError,
)

__all__ = [
    "Bill",
    "BillingError",
    "BookProblem",
    "Counts",
    "ExportError",
    "FileError",
    "Filter",
    "FilterError",
    "Finding",
    "ForkedStoreError",
    "Inventory",
    "Items",
    "ItemsIterator",
    "Line",
    "MissingFileError",
    "Notice",
    "Period",
    "PriceBook",
    "PriceBookError",
    "RatingError",
    "Rejection",
    "Statement",
    "Store",
    "StoreError",
    "Usage",
    "UsageError",
    "rate",
]
