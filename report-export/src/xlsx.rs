//! Reports as an XLSX workbook.

use std::collections::BTreeSet;
use std::fmt;
use std::io::Write;
use std::path::Path;

use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime, Timelike, Utc};
use rating_engine::Bill;
use rust_xlsxwriter::{
    DocProperties, ExcelDateTime, Format, Formula, Worksheet, XlsxError, utility,
};

use crate::cell::{Cell, plain};
use crate::column::Column;
use crate::control::Control;
use crate::error::{ErrorKind, ExportError};
use crate::file::replace;
use crate::guard::guarded;
use crate::number::exact_float;
use crate::report::Report;
use crate::sink::Sink;
use crate::text::{clean, cut_utf16};
use crate::xlsx_style::{ColumnStyle, header, width, wrapped_height};

/// Rows of a sheet, the header included. Source: ECMA-376, Excel's limits.
const MAX_ROWS: u32 = 1_048_576;
/// Columns of a sheet.
const MAX_COLUMNS: usize = 16_384;
/// UTF-16 units of a text cell.
const MAX_TEXT: usize = 32_767;
/// Characters of a sheet's name.
const MAX_NAME: usize = 31;
/// Warnings kept in words; the rest is counted.
const MAX_WARNINGS: usize = 1_000;

/// Something that a workbook cannot hold as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// The sheet.
    pub sheet: String,
    /// The row of the sheet, counted from 1, the header included.
    pub row: u32,
    /// The column's name.
    pub column: String,
    /// What was done.
    pub kind: WarningKind,
}

/// What was done to a cell that a workbook cannot hold as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum WarningKind {
    /// A number of more than 15 significant digits was written as text.
    NumberAsText,
    /// A date that Excel does not know (before 1901) was written as text.
    DateAsText,
    /// A text of more than 32,767 characters was cut.
    TextCut,
}

impl WarningKind {
    /// The stable name.
    pub fn slug(self) -> &'static str {
        match self {
            Self::NumberAsText => "number_as_text",
            Self::DateAsText => "date_as_text",
            Self::TextCut => "text_cut",
        }
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.kind {
            WarningKind::NumberAsText => {
                "a number of more than 15 significant digits is written as text, because a \
                 spreadsheet would change it"
            }
            WarningKind::DateAsText => "a date before 1901 is written as text",
            WarningKind::TextCut => "a text of more than 32,767 characters is cut; CSV has it all",
        };
        write!(
            f,
            "sheet {}, row {}, column {}: {what}",
            self.sheet, self.row, self.column
        )
    }
}

/// The warnings of a workbook: the first thousand in words, all of them counted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Warnings {
    /// The first thousand.
    pub first: Vec<Warning>,
    /// How many there are.
    pub count: u64,
}

impl Warnings {
    fn push(&mut self, warning: Warning) {
        self.count += 1;
        if self.first.len() < MAX_WARNINGS {
            self.first.push(warning);
        }
    }
}

/// A workbook that takes one report a sheet, row by row, in bounded memory.
///
/// Numbers are numbers wherever a spreadsheet keeps their digits, dates are dates (UTC),
/// text stays text even if it begins with `=`. Each sheet has a frozen header, a filter, a
/// totals row with formulas and their results, and is set up to print. Equal input gives
/// equal bytes.
pub struct Workbook {
    book: rust_xlsxwriter::Workbook,
    /// Names in use, in lower case: Excel compares them so.
    names: BTreeSet<String>,
    rows_per_sheet: u32,
    next_name: Option<String>,
    sheet: Option<Sheet>,
    sheets: usize,
    warnings: Warnings,
}

/// The report being written, over one sheet or, where it is longer, several.
struct Sheet {
    base: String,
    columns: Vec<Column>,
    styles: Vec<ColumnStyle>,
    /// Columns with a number that had to be written as text: a formula would miss it.
    has_text_numbers: Vec<bool>,
    parts: Vec<Part>,
}

/// One sheet of a report.
struct Part {
    index: usize,
    name: String,
    /// The row that is written next, counted from 0; row 0 is the header.
    next_row: u32,
}

impl Workbook {
    /// An empty workbook about this bill. Its date of creation is the end of the period.
    pub fn new(bill: &Bill, title: &str) -> Self {
        let mut book = rust_xlsxwriter::Workbook::new();
        // a fixed date, so that equal bills make equal files
        let created = excel_datetime(bill.period.end().naive_utc()).unwrap_or_default();
        let properties = DocProperties::new()
            .set_title(clean(title))
            .set_subject(format!("{} {}", bill.period, bill.zone))
            .set_comment(format!("Digest of the bill: {}", clean(&bill.digest)))
            .set_creation_datetime(&created);
        book.set_properties(&properties);
        Self {
            book,
            names: BTreeSet::new(),
            rows_per_sheet: MAX_ROWS,
            next_name: None,
            sheet: None,
            sheets: 0,
            warnings: Warnings::default(),
        }
    }

    /// The same with fewer rows a sheet than the format allows, the header included; at
    /// least two. Longer reports go on in a further sheet.
    #[must_use]
    pub fn with_rows_per_sheet(mut self, rows: u32) -> Self {
        self.rows_per_sheet = rows.clamp(2, MAX_ROWS);
        self
    }

    /// Adds a report as a sheet of this name (made valid and unique where it is not).
    ///
    /// # Errors
    /// When the report has more columns than a sheet, or writing fails.
    pub fn add(&mut self, sheet: &str, report: &Report<'_>) -> Result<(), ExportError> {
        self.next_name = Some(sheet.to_owned());
        report.write(self)
    }

    /// What could not be written as it is, so far.
    pub fn warnings(&self) -> &Warnings {
        &self.warnings
    }

    /// Writes the workbook to a file, which is replaced as a whole or not at all.
    ///
    /// # Errors
    /// When the path is no regular file, or writing fails.
    pub fn save(mut self, path: impl AsRef<Path>) -> Result<Warnings, ExportError> {
        replace(path.as_ref(), |file| {
            let writer = std::io::BufWriter::new(file);
            guarded(|| self.book.save_to_writer(writer).map_err(failed))
        })?;
        Ok(self.warnings)
    }

    /// Writes the workbook.
    ///
    /// # Errors
    /// When writing fails.
    pub fn write_to(mut self, writer: impl Write + Send) -> Result<Warnings, ExportError> {
        guarded(|| self.book.save_to_writer(writer).map_err(failed))?;
        Ok(self.warnings)
    }

    /// The workbook as bytes, all of them in memory.
    ///
    /// # Errors
    /// When it cannot be built.
    pub fn to_bytes(self) -> Result<(Vec<u8>, Warnings), ExportError> {
        let mut bytes = Vec::new();
        let warnings = self.write_to(&mut bytes)?;
        Ok((bytes, warnings))
    }

    /// A valid name that no sheet has: the wanted one, with a number where it is taken.
    fn unique_name(&mut self, wanted: &str) -> String {
        let wanted = sheet_name(wanted);
        let mut number = 1_u32;
        loop {
            let name = if number == 1 {
                wanted.clone()
            } else {
                let suffix = format!(" ({number})");
                let kept = MAX_NAME.saturating_sub(suffix.len());
                format!("{}{suffix}", first_units(&wanted, kept).trim_end())
            };
            if self.names.insert(name.to_lowercase()) {
                return name;
            }
            number = number.saturating_add(1);
        }
    }

    /// Begins the next sheet of the report with its header.
    fn open_part(&mut self, sheet: &mut Sheet) -> Result<(), ExportError> {
        let name = self.unique_name(&sheet.base);
        let worksheet = self
            .book
            .add_worksheet_with_constant_memory()
            .map_err(failed)?;
        set_up(worksheet, &name, &sheet.columns).map_err(failed)?;
        sheet.parts.push(Part {
            index: self.sheets,
            name,
            next_row: 1,
        });
        self.sheets += 1;
        Ok(())
    }

    /// Opens a further sheet where the last one is full.
    fn make_room(&mut self, sheet: &mut Sheet) -> Result<(), ExportError> {
        let is_full = sheet
            .parts
            .last()
            .is_none_or(|part| part.next_row >= self.rows_per_sheet);
        if is_full {
            self.open_part(sheet)?;
        }
        Ok(())
    }

    fn write_row(&mut self, sheet: &mut Sheet, cells: &[Cell<'_>]) -> Result<(), ExportError> {
        self.make_room(sheet)?;
        let Some(part) = sheet.parts.last_mut() else {
            return Ok(());
        };
        let worksheet = self.book.worksheet_from_index(part.index).map_err(failed)?;
        let row = part.next_row;
        let wrapped = sheet.columns.iter().zip(cells);
        if let Some(height) = wrapped
            .filter_map(|(column, cell)| wrapped_height(column, cell))
            .max()
        {
            worksheet.set_row_height(row, height).map_err(failed)?;
        }
        for (index, (cell, style)) in cells.iter().zip(&sheet.styles).enumerate() {
            let place = Place {
                row,
                column: column_number(index),
            };
            let name = sheet.columns.get(index).map_or("", Column::name);
            let kind = write_cell(worksheet, place, cell, &style.row)
                .map_err(|error| failed(error).at_column(name))?;
            if let Some(kind) = kind {
                if kind == WarningKind::NumberAsText
                    && let Some(has) = sheet.has_text_numbers.get_mut(index)
                {
                    *has = true;
                }
                self.warnings.push(Warning {
                    sheet: part.name.clone(),
                    row: row + 1,
                    column: name.to_owned(),
                    kind,
                });
            }
        }
        part.next_row += 1;
        Ok(())
    }

    fn write_totals(&mut self, sheet: &mut Sheet, totals: &[Cell<'_>]) -> Result<(), ExportError> {
        let ranges: Vec<(String, u32)> = sheet
            .parts
            .iter()
            .map(|part| (part.name.clone(), part.next_row))
            .collect();
        self.make_room(sheet)?;
        let Some(part) = sheet.parts.last_mut() else {
            return Ok(());
        };
        let worksheet = self.book.worksheet_from_index(part.index).map_err(failed)?;
        for (index, (cell, style)) in totals.iter().zip(&sheet.styles).enumerate() {
            let place = Place {
                row: part.next_row,
                column: column_number(index),
            };
            let (summed, name) = sheet
                .columns
                .get(index)
                .map_or((false, ""), |column| (column.is_summed(), column.name()));
            let text_numbers = sheet.has_text_numbers.get(index).copied().unwrap_or(false);
            let formula = (summed && !text_numbers)
                .then(|| sum_formula(&ranges, &part.name, place.column, cell))
                .flatten();
            let kind = match formula {
                Some(formula) => worksheet
                    .write_formula_with_format(place.row, place.column, formula, &style.total)
                    .map(|_| None),
                None => write_cell(worksheet, place, cell, &style.total),
            };
            let kind = kind.map_err(|error| failed(error).at_column(name))?;
            if let Some(kind) = kind {
                self.warnings.push(Warning {
                    sheet: part.name.clone(),
                    row: place.row + 1,
                    column: name.to_owned(),
                    kind,
                });
            }
        }
        part.next_row += 1;
        Ok(())
    }

    /// What goes on paper: all columns up to the last one that is not for reference only,
    /// so that a sheet of many columns fits its page and can be read.
    fn set_print_areas(&mut self, sheet: &Sheet) -> Result<(), ExportError> {
        let mut columns = sheet.columns.iter();
        let Some(last) = columns.rposition(|column| !column.is_for_reference()) else {
            return Ok(());
        };
        for part in &sheet.parts {
            self.book
                .worksheet_from_index(part.index)
                .and_then(|worksheet| {
                    let last_row = part.next_row.saturating_sub(1);
                    worksheet.set_print_area(0, 0, last_row, column_number(last))
                })
                .map_err(failed)?;
        }
        Ok(())
    }

    /// The filter arrows of every sheet of the report, over header and rows.
    fn set_filters(&mut self, sheet: &Sheet, data_ends: &[u32]) -> Result<(), ExportError> {
        let last_column = column_number(sheet.columns.len().saturating_sub(1));
        for (part, end) in sheet.parts.iter().zip(data_ends) {
            self.book
                .worksheet_from_index(part.index)
                .and_then(|worksheet| {
                    worksheet.autofilter(0, 0, end.saturating_sub(1), last_column)
                })
                .map_err(failed)?;
        }
        Ok(())
    }
}

impl fmt::Debug for Workbook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Workbook")
            .field("sheets", &self.names)
            .field("warnings", &self.warnings.count)
            .finish_non_exhaustive()
    }
}

impl Sink for Workbook {
    fn begin(&mut self, _name: &str, title: &str, columns: &[Column]) -> Result<(), ExportError> {
        if columns.is_empty() || columns.len() > MAX_COLUMNS {
            return Err(ExportError::new(
                ErrorKind::Limit,
                format!(
                    "a sheet holds 1 to {MAX_COLUMNS} columns, not {}; write this report as CSV",
                    columns.len()
                ),
            ));
        }
        let base = self.next_name.take().unwrap_or_else(|| title.to_owned());
        let mut sheet = Sheet {
            base,
            styles: columns.iter().map(ColumnStyle::of).collect(),
            has_text_numbers: vec![false; columns.len()],
            columns: columns.to_vec(),
            parts: Vec::new(),
        };
        guarded(|| self.open_part(&mut sheet))?;
        self.sheet = Some(sheet);
        Ok(())
    }

    fn row(&mut self, cells: &[Cell<'_>]) -> Result<(), ExportError> {
        self.with_sheet(|book, sheet| book.write_row(sheet, cells))
    }

    fn finish(&mut self, totals: &[Cell<'_>], _control: &Control) -> Result<(), ExportError> {
        self.with_sheet(|book, sheet| {
            let ends: Vec<u32> = sheet.parts.iter().map(|part| part.next_row).collect();
            if !totals.is_empty() {
                book.write_totals(sheet, totals)?;
            }
            book.set_print_areas(sheet)?;
            book.set_filters(sheet, &ends)
        })?;
        self.sheet = None;
        Ok(())
    }
}

impl Workbook {
    /// Runs something with the report being written.
    fn with_sheet(
        &mut self,
        run: impl FnOnce(&mut Self, &mut Sheet) -> Result<(), ExportError>,
    ) -> Result<(), ExportError> {
        let Some(mut sheet) = self.sheet.take() else {
            return Err(ExportError::new(
                ErrorKind::Workbook,
                "a row came before its report was begun; call Sink::begin first",
            ));
        };
        let result = guarded(|| run(self, &mut sheet));
        self.sheet = Some(sheet);
        result
    }
}

#[derive(Clone, Copy)]
struct Place {
    row: u32,
    column: u16,
}

/// A column's number. [`Sink::begin`] has checked that it fits.
fn column_number(index: usize) -> u16 {
    u16::try_from(index).unwrap_or(u16::MAX)
}

fn failed(error: XlsxError) -> ExportError {
    match error {
        XlsxError::IoError(error) => ExportError::io("writing the workbook failed", error),
        XlsxError::TempFileError(path, error) => ExportError::io(
            format_args!(
                "the temporary file {} of the workbook failed",
                path.display()
            ),
            error,
        ),
        other => ExportError::new(
            ErrorKind::Workbook,
            format!("the workbook cannot be built: {other}"),
        )
        .with_source(other),
    }
}

/// Name, header, widths and print set-up of a sheet.
fn set_up(worksheet: &mut Worksheet, name: &str, columns: &[Column]) -> Result<(), XlsxError> {
    worksheet.set_name(name)?;
    worksheet.set_freeze_panes(1, 0)?;
    worksheet.set_landscape();
    worksheet.set_paper_size(9); // A4
    worksheet.set_print_fit_to_pages(1, 0);
    worksheet.set_repeat_rows(0, 0)?;
    worksheet.set_footer("&L&A&R&P / &N");
    for (index, column) in columns.iter().enumerate() {
        let number = column_number(index);
        worksheet.set_column_width(number, width(column))?;
        worksheet.write_string_with_format(0, number, column.heading(), &header(column))?;
    }
    Ok(())
}

/// Writes a cell; tells what could not be written as it is.
fn write_cell(
    worksheet: &mut Worksheet,
    Place { row, column }: Place,
    cell: &Cell<'_>,
    format: &Format,
) -> Result<Option<WarningKind>, XlsxError> {
    let warning = match cell {
        Cell::Empty => {
            worksheet.write_blank(row, column, format)?;
            return Ok(None);
        }
        Cell::Text(text) => {
            let text = clean(text);
            let cut = cut_utf16(&text, MAX_TEXT);
            let warning = cut.as_ref().map(|_| WarningKind::TextCut);
            let text = cut.as_deref().unwrap_or(&text);
            worksheet.write_string_with_format(row, column, text, format)?;
            return Ok(warning);
        }
        Cell::Decimal(_) | Cell::Integer(_) => {
            if let Some(number) = exact_float(&plain(cell)) {
                worksheet.write_number_with_format(row, column, number, format)?;
                return Ok(None);
            }
            WarningKind::NumberAsText
        }
        Cell::Date(date) => {
            if let Some(date) = excel_date(*date) {
                worksheet.write_datetime_with_format(row, column, date, format)?;
                return Ok(None);
            }
            WarningKind::DateAsText
        }
        Cell::Instant(instant) => {
            if let Some(instant) = excel_instant(*instant) {
                worksheet.write_datetime_with_format(row, column, instant, format)?;
                return Ok(None);
            }
            WarningKind::DateAsText
        }
    };
    worksheet.write_string_with_format(row, column, plain(cell), format)?;
    Ok(Some(warning))
}

/// The sum of a column over all sheets of a report, with its result, so that it reads
/// right without being recalculated. None where there is nothing to add, or the result is
/// no number that a spreadsheet keeps.
fn sum_formula(
    ranges: &[(String, u32)],
    own_sheet: &str,
    column: u16,
    total: &Cell<'_>,
) -> Option<Formula> {
    if !matches!(total, Cell::Decimal(_) | Cell::Integer(_)) {
        return None;
    }
    let result = plain(total);
    exact_float(&result)?;
    let parts: Vec<String> = ranges
        .iter()
        .filter(|(_, next_row)| *next_row > 1)
        .map(|(name, next_row)| {
            let last = next_row - 1;
            if name == own_sheet {
                utility::cell_range(1, column, last, column)
            } else {
                utility::worksheet_range(name, 1, column, last, column)
            }
        })
        .collect();
    if parts.is_empty() {
        return None;
    }
    let formula = format!("=SUM({})", parts.join(","));
    Some(Formula::new(formula).set_result(result))
}

/// Excel's dates have a day too many in 1900, so that year is left out.
fn excel_date(date: NaiveDate) -> Option<ExcelDateTime> {
    let year = u16::try_from(date.year())
        .ok()
        .filter(|year| *year > 1900)?;
    let month = u8::try_from(date.month()).ok()?;
    let day = u8::try_from(date.day()).ok()?;
    ExcelDateTime::from_ymd(year, month, day).ok()
}

fn excel_datetime(datetime: NaiveDateTime) -> Option<ExcelDateTime> {
    let date = excel_date(datetime.date())?;
    let hour = u16::try_from(datetime.hour()).ok()?;
    let minute = u8::try_from(datetime.minute()).ok()?;
    let second = u8::try_from(datetime.second()).ok()?;
    let millis = u16::try_from(datetime.nanosecond() / 1_000_000).ok()?;
    date.and_hms_milli(hour, minute, second, millis.min(999))
        .ok()
}

fn excel_instant(instant: DateTime<Utc>) -> Option<ExcelDateTime> {
    excel_datetime(instant.naive_utc())
}

/// A name as Excel allows it: at most 31 characters, none of `[]:*?/\`, no apostrophe at
/// its ends, not blank, and not the reserved "History".
fn sheet_name(wanted: &str) -> String {
    let cleaned: String = clean(wanted)
        .chars()
        .map(|character| match character {
            '[' | ']' | ':' | '*' | '?' | '/' | '\\' | '\n' | '\t' => '_',
            other => other,
        })
        .collect();
    let name = first_units(cleaned.trim_matches(['\'', ' ']), MAX_NAME);
    let name = name.trim_matches(['\'', ' ']);
    if name.is_empty() {
        "Sheet".to_owned()
    } else if name.eq_ignore_ascii_case("history") {
        format!("{name}_")
    } else {
        name.to_owned()
    }
}

/// The first characters that fit into this many UTF-16 units.
fn first_units(text: &str, limit: usize) -> String {
    let mut units = 0;
    text.chars()
        .take_while(|character| {
            units += character.len_utf16();
            units <= limit
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sheet_names_are_made_valid() {
        for (wanted, name) in [
            ("Lines", "Lines"),
            ("ROOT/acme: [x]?", "ROOT_acme_ _x__"),
            ("'quoted'", "quoted"),
            ("", "Sheet"),
            ("''", "Sheet"),
            ("History", "History_"),
            (
                "a name that is longer than what fits",
                "a name that is longer than what",
            ),
        ] {
            assert_eq!(sheet_name(wanted), name);
            assert!(utility::check_sheet_name(name).is_ok(), "{name}");
        }
        assert_eq!(sheet_name(&"🦀".repeat(40)), "🦀".repeat(15));
    }
}
