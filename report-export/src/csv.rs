//! Reports as CSV.

use std::io::Write;
use std::path::Path;
use std::str::FromStr;

use crate::cell::{Cell, plain};
use crate::column::Column;
use crate::control::Control;
use crate::error::{ErrorKind, ExportError};
use crate::file::replace;
use crate::report::Report;
use crate::sink::Sink;
use crate::text::{clean, guard};

const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// How CSV is written: a dialect, and switches to change it.
///
/// Every dialect writes a header of column names, CRLF line ends and UTF-8, quotes only
/// where needed, numbers in plain decimals without grouping or exponent, and instants as
/// RFC 3339 in UTC. Text is cleaned of control characters, and text that a spreadsheet
/// would run as a formula gets a leading apostrophe (numbers stay numbers).
///
/// ```
/// use report_export::Csv;
///
/// assert!(Csv::rfc4180().check().is_ok());
/// assert!(Csv::excel_de().check().is_ok());
/// assert!(Csv::rfc4180().with_decimal_comma(true).check().is_err());
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "switches that are independent of each other, each set by a method of its name"
)]
pub struct Csv {
    semicolon: bool,
    decimal_comma: bool,
    byte_order_mark: bool,
    formula_guard: bool,
    totals: bool,
    control: bool,
}

impl Csv {
    /// Comma, decimal point, no byte order mark, and only the header and the rows: a file
    /// for programs, in which every record after the header is one of the same kind.
    pub fn rfc4180() -> Self {
        Self {
            semicolon: false,
            decimal_comma: false,
            byte_order_mark: false,
            formula_guard: true,
            totals: false,
            control: false,
        }
    }

    /// Semicolon, decimal comma and byte order mark, as a German Excel opens it, with the
    /// totals row and the control block after the rows.
    pub fn excel_de() -> Self {
        Self {
            semicolon: true,
            decimal_comma: true,
            byte_order_mark: true,
            formula_guard: true,
            totals: true,
            control: true,
        }
    }

    /// Whether fields are separated by semicolons.
    #[must_use]
    pub fn with_semicolon(mut self, on: bool) -> Self {
        self.semicolon = on;
        self
    }

    /// Whether decimals have a comma: only together with semicolons.
    #[must_use]
    pub fn with_decimal_comma(mut self, on: bool) -> Self {
        self.decimal_comma = on;
        self
    }

    /// Whether the file begins with a UTF-8 byte order mark, which Excel needs for umlauts.
    #[must_use]
    pub fn with_byte_order_mark(mut self, on: bool) -> Self {
        self.byte_order_mark = on;
        self
    }

    /// Whether text that a spreadsheet would run as a formula gets a leading apostrophe.
    /// Switch it off only for programs that must read every text as it is.
    #[must_use]
    pub fn with_formula_guard(mut self, on: bool) -> Self {
        self.formula_guard = on;
        self
    }

    /// Whether the totals row follows the rows.
    #[must_use]
    pub fn with_totals(mut self, on: bool) -> Self {
        self.totals = on;
        self
    }

    /// Whether the control block follows, one record an entry: its name in the first
    /// column, its value in the second.
    #[must_use]
    pub fn with_control(mut self, on: bool) -> Self {
        self.control = on;
        self
    }

    /// Whether the options go together.
    ///
    /// # Errors
    /// When decimals have a comma and fields are separated by one.
    pub fn check(&self) -> Result<(), ExportError> {
        if self.decimal_comma && !self.semicolon {
            return Err(ExportError::new(
                ErrorKind::Options,
                "a decimal comma needs semicolons between fields; switch both on or both off",
            ));
        }
        Ok(())
    }

    /// Writes the report.
    ///
    /// # Errors
    /// When the options contradict each other or writing fails.
    pub fn write(&self, report: &Report<'_>, writer: impl Write) -> Result<(), ExportError> {
        let mut sink = CsvSink::new(writer, self)?;
        report.write(&mut sink)
    }

    /// The report as bytes.
    ///
    /// # Errors
    /// When the options contradict each other.
    pub fn to_bytes(&self, report: &Report<'_>) -> Result<Vec<u8>, ExportError> {
        let mut bytes = Vec::new();
        self.write(report, &mut bytes)?;
        Ok(bytes)
    }

    /// Writes the report to a file, which is replaced as a whole or not at all.
    ///
    /// # Errors
    /// When the options contradict each other, the path is no regular file, or writing
    /// fails.
    pub fn write_file(
        &self,
        report: &Report<'_>,
        path: impl AsRef<Path>,
    ) -> Result<(), ExportError> {
        self.check()?;
        replace(path.as_ref(), |file| {
            self.write(report, std::io::BufWriter::new(file))
        })
    }
}

impl FromStr for Csv {
    type Err = ExportError;

    /// A dialect by its name: `rfc4180` or `excel-de`.
    fn from_str(name: &str) -> Result<Self, ExportError> {
        match name {
            "rfc4180" => Ok(Self::rfc4180()),
            "excel-de" => Ok(Self::excel_de()),
            _ => Err(ExportError::new(
                ErrorKind::Options,
                format!("there is no CSV dialect {name:?}; use rfc4180 or excel-de"),
            )),
        }
    }
}

impl Default for Csv {
    /// [`Csv::rfc4180`].
    fn default() -> Self {
        Self::rfc4180()
    }
}

/// A report as CSV.
#[derive(Debug)]
pub struct CsvSink<W: Write> {
    writer: ::csv::Writer<W>,
    options: Csv,
    columns: Vec<&'static str>,
}

impl<W: Write> CsvSink<W> {
    /// A sink into this writer, which is buffered inside.
    ///
    /// # Errors
    /// When the options contradict each other, or the byte order mark cannot be written.
    pub fn new(mut writer: W, options: &Csv) -> Result<Self, ExportError> {
        options.check()?;
        if options.byte_order_mark {
            writer
                .write_all(BYTE_ORDER_MARK)
                .map_err(|error| ExportError::io("writing CSV failed", error))?;
        }
        let writer = ::csv::WriterBuilder::new()
            .delimiter(if options.semicolon { b';' } else { b',' })
            .terminator(::csv::Terminator::CRLF)
            .from_writer(writer);
        Ok(Self {
            writer,
            options: options.clone(),
            columns: Vec::new(),
        })
    }

    fn field(&mut self, text: &str) -> Result<(), ExportError> {
        self.writer.write_field(text).map_err(failed)
    }

    fn text(&mut self, text: &str) -> Result<(), ExportError> {
        let cleaned = clean(text);
        if self.options.formula_guard {
            self.field(&guard(&cleaned))
        } else {
            self.field(&cleaned)
        }
    }

    fn cell(&mut self, cell: &Cell<'_>) -> Result<(), ExportError> {
        match cell {
            Cell::Text(text) => self.text(text),
            Cell::Decimal(decimal) if self.options.decimal_comma => {
                self.field(&decimal.as_str().replace('.', ","))
            }
            other => self.field(&plain(other)),
        }
    }

    fn end_record(&mut self) -> Result<(), ExportError> {
        self.writer.write_record(None::<&[u8]>).map_err(failed)
    }

    /// A name and a value in a record as wide as the others.
    fn entry(&mut self, name: &str, value: &Cell<'_>) -> Result<(), ExportError> {
        self.text(name)?;
        if self.columns.len() > 1 {
            self.cell(value)?;
        }
        for _ in 2..self.columns.len() {
            self.field("")?;
        }
        self.end_record()
    }
}

fn failed(error: ::csv::Error) -> ExportError {
    ExportError::new(ErrorKind::Io, format!("writing CSV failed: {error}")).with_source(error)
}

impl<W: Write> Sink for CsvSink<W> {
    fn begin(&mut self, _name: &str, _title: &str, columns: &[Column]) -> Result<(), ExportError> {
        self.columns = columns.iter().map(Column::name).collect();
        self.writer.write_record(&self.columns).map_err(failed)
    }

    fn row(&mut self, cells: &[Cell<'_>]) -> Result<(), ExportError> {
        for (index, cell) in cells.iter().enumerate() {
            self.cell(cell).map_err(|error| {
                error.at_column(self.columns.get(index).copied().unwrap_or_default())
            })?;
        }
        self.end_record()
    }

    fn finish(&mut self, totals: &[Cell<'_>], control: &Control) -> Result<(), ExportError> {
        if self.options.totals && !totals.is_empty() {
            self.row(totals)?;
        }
        if self.options.control {
            for (name, _, value) in control.entries() {
                self.entry(name, &value)?;
            }
        }
        self.writer
            .flush()
            .map_err(|error| ExportError::io("writing CSV failed", error))
    }
}
