//! The one error of this crate.

use std::fmt;

/// What went wrong, for callers that branch on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A filter names something that the bill does not have.
    UnknownName,
    /// A filter's name stands for several things.
    AmbiguousName,
    /// Options that contradict each other.
    Options,
    /// A line is in another currency than its bill.
    Currency,
    /// The printed lines of a statement do not add up to its printed total.
    Inconsistent,
    /// A row has another number of cells than the report has columns.
    Shape,
    /// More columns than the format can hold.
    Limit,
    /// The target path is no regular file.
    Target,
    /// Reading or writing failed.
    Io,
    /// The workbook could not be built.
    Workbook,
}

impl ErrorKind {
    /// Every kind.
    pub const ALL: &'static [Self] = &[
        Self::UnknownName,
        Self::AmbiguousName,
        Self::Options,
        Self::Currency,
        Self::Inconsistent,
        Self::Shape,
        Self::Limit,
        Self::Target,
        Self::Io,
        Self::Workbook,
    ];

    /// The stable name of the kind.
    pub fn slug(self) -> &'static str {
        match self {
            Self::UnknownName => "unknown_name",
            Self::AmbiguousName => "ambiguous_name",
            Self::Options => "options",
            Self::Currency => "currency_mismatch",
            Self::Inconsistent => "inconsistent_bill",
            Self::Shape => "row_shape",
            Self::Limit => "format_limit",
            Self::Target => "target_not_a_file",
            Self::Io => "io",
            Self::Workbook => "workbook",
        }
    }
}

/// Where in the output something went wrong. What is not known is none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Position {
    /// The report's name, such as `lines`.
    pub report: Option<String>,
    /// The data row, counted from 1; the header does not count.
    pub row: Option<u64>,
    /// The column's name, such as `amount`.
    pub column: Option<String>,
}

/// An error of making or writing a report: a kind, a message that says what to do, the
/// position, and the cause.
pub struct ExportError(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    message: String,
    position: Position,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl ExportError {
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            kind,
            message: message.into(),
            position: Position::default(),
            source: None,
        }))
    }

    pub(crate) fn with_source(
        mut self,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        self.0.source = Some(source.into());
        self
    }

    pub(crate) fn in_report(mut self, report: &str) -> Self {
        self.0.position.report = Some(report.to_owned());
        self
    }

    pub(crate) fn at_row(mut self, row: u64) -> Self {
        self.0.position.row = Some(row);
        self
    }

    pub(crate) fn at_column(mut self, column: &str) -> Self {
        self.0.position.column = Some(column.to_owned());
        self
    }

    /// An I/O error with what was being done.
    pub(crate) fn io(doing: impl fmt::Display, source: std::io::Error) -> Self {
        Self::new(ErrorKind::Io, format!("{doing}: {source}")).with_source(source)
    }

    /// What went wrong.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The stable name of the kind.
    pub fn slug(&self) -> &'static str {
        self.0.kind.slug()
    }

    /// Where in the output.
    pub fn position(&self) -> &Position {
        &self.0.position
    }

    /// Whether a filter named something that is not there or is there several times.
    pub fn is_name_error(&self) -> bool {
        matches!(
            self.kind(),
            ErrorKind::UnknownName | ErrorKind::AmbiguousName
        )
    }

    /// Whether reading or writing failed: the same call may work once there is space or
    /// permission.
    pub fn is_io(&self) -> bool {
        matches!(self.kind(), ErrorKind::Io)
    }
}

impl fmt::Display for ExportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)?;
        let Position {
            report,
            row,
            column,
        } = &self.0.position;
        let parts: Vec<String> = [
            report.as_ref().map(|report| format!("report {report}")),
            row.map(|row| format!("row {row}")),
            column.as_ref().map(|column| format!("column {column}")),
        ]
        .into_iter()
        .flatten()
        .collect();
        if parts.is_empty() {
            Ok(())
        } else {
            write!(f, " ({})", parts.join(", "))
        }
    }
}

impl fmt::Debug for ExportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExportError")
            .field("kind", &self.0.kind)
            .field("message", &self.0.message)
            .field("position", &self.0.position)
            .field("source", &self.0.source)
            .finish()
    }
}

impl std::error::Error for ExportError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        let source = self.0.source.as_deref()?;
        Some(source as &(dyn std::error::Error + 'static))
    }
}
