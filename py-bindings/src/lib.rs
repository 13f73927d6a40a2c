//! The native part of the Python package `cloudstack_billing`: extracts arguments, releases
//! the interpreter, calls the library and wraps what it returns. It holds no logic of its own.

mod bill;
mod book;
mod counts;
mod decimal;
mod document;
mod failure;
mod finding;
mod instant;
mod inventory;
mod items;
mod line;
mod number;
mod period;
mod rate;
mod rejection;
mod report;
mod signals;
mod statement;
mod store;
mod totals;
mod usage;

/// See `_native.pyi` for the whole, typed.
#[pyo3::pymodule]
mod _native {
    #[pymodule_export]
    use crate::bill::PyBill;
    #[pymodule_export]
    use crate::book::PyPriceBook;
    #[pymodule_export]
    use crate::counts::PyCounts;
    #[pymodule_export]
    use crate::finding::PyFinding;
    #[pymodule_export]
    use crate::inventory::PyInventory;
    #[pymodule_export]
    use crate::items::{PyItems, PyItemsIterator};
    #[pymodule_export]
    use crate::line::PyLine;
    #[pymodule_export]
    use crate::period::PyPeriod;
    #[pymodule_export]
    use crate::rate::{rate, totals};
    #[pymodule_export]
    use crate::rejection::{PyNotice, PyRejection};
    #[pymodule_export]
    use crate::report::PyFilter;
    #[pymodule_export]
    use crate::statement::PyStatement;
    #[pymodule_export]
    use crate::store::PyStore;
    #[pymodule_export]
    use crate::totals::{PyTotal, PyTotals};
    #[pymodule_export]
    use crate::usage::PyUsage;
}
