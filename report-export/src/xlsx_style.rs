//! How cells of a workbook look.

use rating_engine::Currency;
use rust_xlsxwriter::{Color, Format, FormatAlign, FormatBorder};

use crate::cell::Cell;
use crate::column::{Column, Kind};

/// Text is wrapped in columns at least this wide: messages and notes.
const WRAPPED_FROM: u16 = 60;

/// The formats of one column: in rows, and in the totals row.
#[derive(Debug, Clone)]
pub(crate) struct ColumnStyle {
    pub(crate) row: Format,
    pub(crate) total: Format,
}

impl ColumnStyle {
    pub(crate) fn of(column: &Column) -> Self {
        let format = Format::new().set_align(FormatAlign::Top);
        let row = match number_format(column) {
            Some(numbers) => format.set_num_format(numbers),
            // text stays text when somebody edits the cell, also if it begins with =
            None => format.set_quote_prefix(),
        };
        let row = if column.is_numeric() {
            at_the_right(row)
        } else {
            // dates too: they would stand at the right, away from their headings
            row.set_align(FormatAlign::Left)
        };
        let row = if column.width() >= WRAPPED_FROM {
            row.set_text_wrap()
        } else {
            row
        };
        let total = row.clone().set_bold().set_border_top(FormatBorder::Thin);
        Self { row, total }
    }
}

/// The format of a column's heading, which stands where the column's cells do.
pub(crate) fn header(column: &Column) -> Format {
    let format = Format::new()
        .set_bold()
        .set_align(FormatAlign::Top)
        .set_background_color(Color::RGB(0x00E8_EDF3))
        .set_border_bottom(FormatBorder::Thin);
    if column.is_numeric() {
        at_the_right(format)
    } else {
        format
    }
}

/// The width of a column: what its cells want, and room for its heading with the arrow of
/// the filter.
pub(crate) fn width(column: &Column) -> u16 {
    let heading = u16::try_from(column.heading().chars().count()).unwrap_or(u16::MAX);
    column.width().max(heading.saturating_add(HEADING_ROOM))
}

/// The height of a row in which this cell's text is wrapped; none where it is one line.
/// Not every program finds the height by itself.
pub(crate) fn wrapped_height(column: &Column, cell: &Cell<'_>) -> Option<u32> {
    let Cell::Text(text) = cell else {
        return None;
    };
    let per_line = usize::from(column.width());
    if column.width() < WRAPPED_FROM || text.len() <= per_line {
        return None;
    }
    // words do not fill their lines
    let lines = text.chars().count().div_ceil(per_line * 9 / 10);
    Some(LINE_HEIGHT * u32::try_from(lines).unwrap_or(MAX_LINES).min(MAX_LINES))
}

/// The height of a line, in points.
const LINE_HEIGHT: u32 = 15;
/// A row is 409 points high at most.
const MAX_LINES: u32 = 27;

/// Bold letters, and the arrow of the filter.
const HEADING_ROOM: u16 = 4;

/// Numbers end a little before the text of the next column begins.
fn at_the_right(format: Format) -> Format {
    format.set_align(FormatAlign::Right).set_indent(1)
}

/// One number format per kind, and for money one per number of minor digits. Quantities
/// show two to six places; the cell holds up to nine.
fn number_format(column: &Column) -> Option<String> {
    match column.kind() {
        Kind::Text => None,
        Kind::Money => {
            let digits = column
                .unit()
                .and_then(Currency::from_code)
                .map_or(2, |currency| currency.minor_digits());
            Some(with_places(digits))
        }
        Kind::Quantity | Kind::Price => Some("#,##0.00####".to_owned()),
        Kind::Date => Some("yyyy-mm-dd".to_owned()),
        Kind::Instant => Some("yyyy-mm-dd hh:mm:ss".to_owned()),
        Kind::Integer => Some(with_places(0)),
    }
}

fn with_places(places: u32) -> String {
    match places {
        0 => "#,##0".to_owned(),
        _ => format!("#,##0.{}", "0".repeat(places as usize)),
    }
}
