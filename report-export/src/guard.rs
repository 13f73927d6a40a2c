//! A full disk behind the library that writes sheets.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::error::{ErrorKind, ExportError};

/// Runs a part of writing a workbook, and makes an error of a panic in it.
///
/// `rust_xlsxwriter` keeps the rows of a sheet in a temporary file, and panics when it cannot
/// write there. To whoever exports that is a full disk as any other. The panic hook of the
/// process is left alone; one that prints will print.
pub(crate) fn guarded<T>(run: impl FnOnce() -> Result<T, ExportError>) -> Result<T, ExportError> {
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|cause| {
        let cause = cause
            .downcast_ref::<String>()
            .map(String::as_str)
            .or(cause.downcast_ref::<&str>().copied())
            .unwrap_or("no reason given");
        Err(ExportError::new(
            ErrorKind::Io,
            format!(
                "the workbook could not be written; is there room for temporary files in {}? \
                 ({cause})",
                std::env::temp_dir().display()
            ),
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_an_error_that_names_the_folder() {
        let broken: Result<(), _> = guarded(|| std::panic::panic_any("no space".to_owned()));
        let error = broken.unwrap_err();
        assert!(error.is_io());
        let text = error.to_string();
        assert!(text.contains("(no space)"), "{text}");
        assert!(
            text.contains(&std::env::temp_dir().display().to_string()),
            "{text}"
        );
        assert_eq!(guarded(|| Ok(7)).unwrap(), 7);
    }
}
