//! Workbooks as bytes.

use std::panic::{self, AssertUnwindSafe};

use report_export::{View, Warnings, workbook};

use crate::exit::Exit;
use crate::failure::Failure;

/// The workbook of a view.
///
/// The library that writes sheets keeps rows in temporary files, and panics when there is no
/// room for them: that is told as any other full disk.
pub(crate) fn bytes(view: &View<'_>) -> Result<(Vec<u8>, Warnings), Failure> {
    let hook = panic::take_hook();
    panic::set_hook(Box::new(|_| {}));
    let made = panic::catch_unwind(AssertUnwindSafe(|| workbook(view)?.to_bytes()));
    panic::set_hook(hook);
    match made {
        Ok(made) => Ok(made?),
        Err(cause) => {
            let cause = cause
                .downcast_ref::<String>()
                .map(String::as_str)
                .or(cause.downcast_ref::<&str>().copied())
                .unwrap_or("unknown");
            let message = format!(
                "the workbook could not be made; is there room for temporary files in {}? ({cause})",
                std::env::temp_dir().display()
            );
            Err(Failure::new(Exit::Failed, message))
        }
    }
}
