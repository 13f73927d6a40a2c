//! Pages as CloudStack cuts them.

use std::ops::Range;

use crate::answer::Answer;
use crate::request::Params;

/// Which entries of a list of any length a request asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Paging {
    offset: usize,
    size: usize,
}

impl Paging {
    /// Reads `page` and `pagesize`. Without both the first `max` entries; with `pagesize=-1`
    /// alone everything.
    ///
    /// CloudStack: `BaseListCmd.getStartIndex`, `getPageSizeVal`.
    pub(crate) fn read(command: &str, params: &Params, max: usize) -> Result<Self, Answer> {
        let number = |name: &str| match params.get(name) {
            None => Ok(None),
            Some(text) => match text.parse::<i64>() {
                Ok(number) => Ok(Some(number)),
                Err(_) => Err(Answer::invalid(command, name, text)),
            },
        };
        let needed = |name: &str, by: &str| {
            let text = format!("\"{name}\" parameter is required when \"{by}\" is specified");
            Answer::parameter(command, &text)
        };
        match (number("page")?, number("pagesize")?) {
            (None, None) => Ok(Self {
                offset: 0,
                size: max,
            }),
            (None, Some(-1)) => Ok(Self {
                offset: 0,
                size: usize::MAX,
            }),
            (None, Some(_)) => Err(needed("page", "pagesize")),
            (Some(_), None) => Err(needed("pagesize", "page")),
            (Some(page), Some(size)) => {
                let size = usize::try_from(size)
                    .map_err(|_| Answer::invalid(command, "pagesize", &size.to_string()))?;
                if size > max {
                    let text = format!("Page size can't exceed max allowed page size value: {max}");
                    return Err(Answer::value(command, &text));
                }
                // a page below 1 is the first
                let before = usize::try_from(page.max(1) - 1).unwrap_or(usize::MAX);
                Ok(Self {
                    offset: before.saturating_mul(size),
                    size,
                })
            }
        }
    }

    /// The positions of a list of `count` entries.
    pub(crate) fn of(self, count: usize) -> Range<usize> {
        let start = self.offset.min(count);
        start..self.offset.saturating_add(self.size).min(count)
    }
}
