//! What is wrong with a price book: everything at once, each with its place.

use std::fmt;

/// One error in a price book.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct BookError {
    line: Option<usize>,
    place: String,
    slug: &'static str,
    message: String,
}

impl BookError {
    /// Every [slug](Self::slug) that reading a book can give.
    pub const SLUGS: &'static [&'static str] = &[
        "conflict",
        "duplicate_id",
        "empty",
        "factor_overlap",
        "limit_overlap",
        "missing",
        "negative",
        "not_a_date",
        "not_a_duration",
        "not_a_number",
        "not_a_size",
        "not_a_tag",
        "not_exact",
        "not_payable",
        "out_of_range",
        "overspent",
        "price_overlap",
        "reversed",
        "schema_version",
        "scope",
        "syntax",
        "tax_overlap",
        "tier_bounds",
        "unknown_currency",
        "unknown_field",
        "unknown_meter",
        "unknown_reference",
        "unknown_unit",
        "unknown_value",
        "unknown_zone",
        "wrong_type",
    ];

    /// The slugs that only editing a book can give.
    pub const EDIT_SLUGS: &'static [&'static str] = &["no_change", "not_in_force", "recorded"];

    pub(crate) fn new(
        slug: &'static str,
        place: String,
        line: Option<usize>,
        message: String,
    ) -> Self {
        debug_assert!(
            Self::SLUGS.contains(&slug) || Self::EDIT_SLUGS.contains(&slug),
            "{slug} is not in a list"
        );
        Self {
            line,
            place,
            slug,
            message,
        }
    }

    /// The stable name of what is wrong.
    pub fn slug(&self) -> &'static str {
        self.slug
    }

    /// The place by path, such as `price[3].amount`.
    pub fn place(&self) -> &str {
        &self.place
    }

    /// The line in a TOML file, counted from 1.
    pub fn line(&self) -> Option<usize> {
        self.line
    }

    /// What is wrong and what to do.
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl fmt::Display for BookError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(line) = self.line {
            write!(f, "line {line}: ")?;
        }
        if !self.place.is_empty() {
            write!(f, "{}: ", self.place)?;
        }
        f.write_str(&self.message)
    }
}

/// Everything that is wrong with a price book, in the order of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BookErrors(Vec<BookError>);

impl BookErrors {
    pub(crate) fn new(mut errors: Vec<BookError>) -> Self {
        errors.sort();
        Self(errors)
    }

    /// The errors; never none.
    pub fn errors(&self) -> &[BookError] {
        &self.0
    }
}

impl fmt::Display for BookErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.0.len();
        write!(
            f,
            "the price book has {count} error{}",
            if count == 1 { "" } else { "s" }
        )?;
        self.0.iter().try_for_each(|error| write!(f, "\n  {error}"))
    }
}

impl std::error::Error for BookErrors {}
