//! Ctrl-C during long calls.

use pyo3::prelude::*;

/// After how many records a long call looks for signals.
pub(crate) const RECORDS: usize = 10_000;

/// Lets Python handle the signals that came meanwhile; to be called while the interpreter
/// is released.
///
/// # Errors
/// What a handler raised, such as `KeyboardInterrupt`.
pub(crate) fn check() -> PyResult<()> {
    Python::attach(|py| {
        py.check_signals()?;
        Ok(())
    })
}
