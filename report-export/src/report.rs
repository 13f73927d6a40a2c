//! A report, apart from any format.

use std::fmt;

use crate::cell::Cell;
use crate::column::Column;
use crate::control::Control;
use crate::error::{ErrorKind, ExportError};
use crate::sink::Sink;

/// The rows of a report, one after the other.
pub type Rows<'a> = Box<dyn Iterator<Item = Vec<Cell<'a>>> + 'a>;

/// Columns and rows with totals and a control block; a [`Sink`] gives them a format.
///
/// Rows are made while they are read, and can be read again: a report may go to several
/// sinks.
pub struct Report<'a> {
    name: String,
    title: String,
    columns: Vec<Column>,
    rows: Box<dyn Fn() -> Rows<'a> + 'a>,
    totals: Vec<Cell<'a>>,
    control: Control,
}

impl<'a> Report<'a> {
    /// A report with this stable name and this title for people. `rows` is called anew for
    /// every reading; `totals` is one cell a column, or empty.
    pub fn new(
        name: impl Into<String>,
        title: impl Into<String>,
        columns: Vec<Column>,
        rows: impl Fn() -> Rows<'a> + 'a,
        totals: Vec<Cell<'a>>,
        control: Control,
    ) -> Self {
        Self {
            name: name.into(),
            title: title.into(),
            columns,
            rows: Box::new(rows),
            totals,
            control,
        }
    }

    /// The stable name, in `snake_case`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The title for people.
    pub fn title(&self) -> &str {
        &self.title
    }

    /// The columns.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// The rows, from the first.
    pub fn rows(&self) -> Rows<'a> {
        (self.rows)()
    }

    /// The totals row; empty where there is none.
    pub fn totals(&self) -> &[Cell<'a>] {
        &self.totals
    }

    /// The control block.
    pub fn control(&self) -> &Control {
        &self.control
    }

    /// Writes the report to a sink.
    ///
    /// # Errors
    /// What the sink returns, and when a row has another number of cells than there are
    /// columns; with the report's name and the row.
    pub fn write(&self, sink: &mut dyn Sink) -> Result<(), ExportError> {
        let place = |error: ExportError| error.in_report(&self.name);
        sink.begin(&self.name, &self.title, &self.columns)
            .map_err(place)?;
        for (row, cells) in (1..).zip(self.rows()) {
            self.check_shape(&cells, "a row")
                .and_then(|()| sink.row(&cells))
                .map_err(|error| place(error).at_row(row))?;
        }
        if !self.totals.is_empty() {
            self.check_shape(&self.totals, "the totals row")
                .map_err(place)?;
        }
        sink.finish(&self.totals, &self.control).map_err(place)
    }

    fn check_shape(&self, cells: &[Cell<'_>], what: &str) -> Result<(), ExportError> {
        if cells.len() == self.columns.len() {
            return Ok(());
        }
        Err(ExportError::new(
            ErrorKind::Shape,
            format!(
                "{what} has {} cells, but the report has {} columns; give every row one cell \
                 a column",
                cells.len(),
                self.columns.len()
            ),
        ))
    }
}

impl fmt::Debug for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Report")
            .field("name", &self.name)
            .field("columns", &self.columns)
            .field("totals", &self.totals)
            .field("control", &self.control)
            .finish_non_exhaustive()
    }
}
