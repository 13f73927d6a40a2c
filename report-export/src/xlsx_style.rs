//! How cells of a workbook look.

use rating_engine::Currency;
use rust_xlsxwriter::{Color, Format, FormatAlign, FormatBorder};

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
        let row = if column.width() >= WRAPPED_FROM {
            row.set_text_wrap()
        } else {
            row
        };
        let total = row.clone().set_bold().set_border_top(FormatBorder::Thin);
        Self { row, total }
    }
}

pub(crate) fn header() -> Format {
    Format::new()
        .set_bold()
        .set_text_wrap()
        .set_align(FormatAlign::Top)
        .set_background_color(Color::RGB(0x00E8_EDF3))
        .set_border_bottom(FormatBorder::Thin)
}

/// One number format per kind, and for money one per number of minor digits. Quantities
/// show six places; the cell holds up to nine.
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
        Kind::Quantity | Kind::Price => Some(with_places(6)),
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
