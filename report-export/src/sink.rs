//! The port that a report is written through.

use crate::cell::Cell;
use crate::column::Column;
use crate::control::Control;
use crate::error::ExportError;

/// A format that takes a report row by row: [`Sink::begin`] once, [`Sink::row`] for every
/// row in order, [`Sink::finish`] once.
///
/// A sink keeps nothing of a row, so a report of any length is written in bounded memory.
pub trait Sink {
    /// Begins a report.
    ///
    /// # Errors
    /// When the format cannot hold these columns, or writing fails.
    fn begin(&mut self, name: &str, title: &str, columns: &[Column]) -> Result<(), ExportError>;

    /// Writes a row of as many cells as there are columns.
    ///
    /// # Errors
    /// When writing fails.
    fn row(&mut self, cells: &[Cell<'_>]) -> Result<(), ExportError>;

    /// Ends the report with its totals row (empty where there is none) and control block.
    ///
    /// # Errors
    /// When writing fails.
    fn finish(&mut self, totals: &[Cell<'_>], control: &Control) -> Result<(), ExportError>;
}
