//! Rows of text in aligned columns.

/// A column: its heading, and whether it holds numbers, which stand right.
pub(crate) struct Heading(pub(crate) &'static str, pub(crate) bool);

/// Lays rows out below their headings.
pub(crate) fn layout(headings: &[Heading], rows: &[Vec<String>]) -> String {
    let length = |text: &str| text.chars().count();
    let widths: Vec<usize> = headings
        .iter()
        .enumerate()
        .map(|(column, heading)| {
            let cells = rows.iter().filter_map(|row| row.get(column));
            let widest = cells.map(|text| length(text)).max().unwrap_or(0);
            widest.max(length(heading.0))
        })
        .collect();
    let first: Vec<String> = headings.iter().map(|one| one.0.to_owned()).collect();
    let rule: Vec<String> = widths.iter().map(|width| "─".repeat(*width)).collect();
    let mut out = String::new();
    for row in [&first, &rule].into_iter().chain(rows) {
        let cells = row.iter().zip(&widths).zip(headings);
        let line: Vec<String> = cells
            .map(|((text, width), Heading(_, right))| {
                let gap = " ".repeat(width.saturating_sub(length(text)));
                if *right {
                    gap + text
                } else {
                    text.clone() + &gap
                }
            })
            .collect();
        out.push_str(line.join("  ").trim_end());
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stand_right_and_texts_left() {
        let rows = [
            vec!["ä".to_owned(), "1".to_owned()],
            vec!["bcd".to_owned(), "22".to_owned()],
        ];
        let text = layout(&[Heading("x", false), Heading("y", true)], &rows);
        assert_eq!(text, "x     y\n───  ──\nä     1\nbcd  22\n");
    }
}
