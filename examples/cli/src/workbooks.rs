//! Workbooks as bytes.

use std::panic;

use report_export::{View, Warnings, workbook};

use crate::failure::Failure;

/// The workbook of a view.
///
/// A full folder for temporary files is a panic within the library that writes sheets, which
/// comes back as an error: what the panic would print is left out.
pub(crate) fn bytes(view: &View<'_>) -> Result<(Vec<u8>, Warnings), Failure> {
    let hook = panic::take_hook();
    panic::set_hook(Box::new(|_| {}));
    let made = workbook(view).and_then(report_export::Workbook::to_bytes);
    panic::set_hook(hook);
    Ok(made?)
}
