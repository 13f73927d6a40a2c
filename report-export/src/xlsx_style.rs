//! How cells of a workbook look.

use rating_engine::Currency;
use rust_xlsxwriter::{Color, Format, FormatAlign, FormatBorder};

use crate::column::{Column, Kind};

/// The formats of one column: in rows, and in the totals row.
#[derive(Debug, Clone)]
pub(crate) struct ColumnStyle {
    pub(crate) row: Format,
    pub(crate) total: Format,
}

impl ColumnStyle {
    pub(crate) fn of(column: &Column) -> Self {
        let format = Format::new()
            .set_num_format(number_format(column))
            .set_align(FormatAlign::Top);
        let row = match column.kind() {
            // line breaks in texts are shown, the row's height stays with the reader
            Kind::Text if column.width() >= 60 => format.set_text_wrap(),
            _ => format,
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
fn number_format(column: &Column) -> String {
    match column.kind() {
        Kind::Text => "General".to_owned(),
        Kind::Money => {
            let digits = column
                .unit()
                .and_then(Currency::from_code)
                .map_or(2, |currency| currency.minor_digits());
            with_places(digits)
        }
        Kind::Quantity | Kind::Price => with_places(6),
        Kind::Date => "yyyy-mm-dd".to_owned(),
        Kind::Instant => "yyyy-mm-dd hh:mm:ss".to_owned(),
        Kind::Integer => with_places(0),
    }
}

fn with_places(places: u32) -> String {
    match places {
        0 => "#,##0".to_owned(),
        _ => format!("#,##0.{}", "0".repeat(places as usize)),
    }
}
