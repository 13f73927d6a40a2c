//! Which sheets a workbook has.

use crate::error::ExportError;
use crate::reports::about::about;
use crate::reports::findings::findings;
use crate::reports::lines::lines;
use crate::reports::summary::{GroupBy, summary};
use crate::reports::taxes::taxes;
use crate::view::View;
use crate::xlsx::Workbook;

/// A workbook of a view: `Summary`, `Lines`, `Findings` and `About`.
///
/// For one statement the summary is by project (or account) and item. For a whole bill it
/// is by domain, followed by sheets by project, VM, volume, cost centre and item. Where the
/// book has taxes or deposits, `Tax` goes from net to gross and payable.
///
/// # Errors
/// When the workbook cannot be built or its temporary files cannot be written.
pub fn workbook(view: &View<'_>) -> Result<Workbook, ExportError> {
    let mut workbook = Workbook::new(view.bill(), &title(view));
    for (sheet, by) in summaries(view) {
        workbook.add(sheet, &summary(view, by)?)?;
    }
    if let Some(taxes) = taxes(view) {
        workbook.add("Tax", &taxes)?;
    }
    workbook.add("Lines", &lines(view))?;
    workbook.add("Findings", &findings(view)?)?;
    let about = about(view, workbook.warnings());
    workbook.add("About", &about)?;
    Ok(workbook)
}

fn summaries(view: &View<'_>) -> &'static [(&'static str, &'static [GroupBy])] {
    if view.statement().is_some() {
        &[("Summary", &[GroupBy::Project, GroupBy::Item])]
    } else {
        &[
            ("Summary", &[GroupBy::Domain]),
            ("By project", &[GroupBy::Project]),
            ("By VM", &[GroupBy::Vm]),
            ("By volume", &[GroupBy::Volume]),
            ("By cost centre", &[GroupBy::CostCentre]),
            ("By item", &[GroupBy::Item]),
        ]
    }
}

fn title(view: &View<'_>) -> String {
    match view.statement() {
        Some(statement) => format!("Statement of {}", statement.path),
        None => "Bill".to_owned(),
    }
}
