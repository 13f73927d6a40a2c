//! What the columns of a report are.

use rating_engine::Currency;

/// What the cells of a column hold, which decides how a format writes them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// Free text.
    Text,
    /// An amount, at the minor digits of the currency that is the column's unit.
    Money,
    /// A quantity: a decimal number, at most nine places.
    Quantity,
    /// A price per unit: a decimal number with as many places as it has.
    Price,
    /// A civil date.
    Date,
    /// An instant in UTC.
    Instant,
    /// A whole number.
    Integer,
}

/// One column of a report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    name: &'static str,
    title: &'static str,
    kind: Kind,
    unit: Option<String>,
    summed: bool,
    reference: bool,
    width: u16,
}

impl Column {
    /// A column with this stable `snake_case` name and this title for people.
    pub fn new(name: &'static str, title: &'static str, kind: Kind) -> Self {
        let width = match kind {
            Kind::Text => 24,
            Kind::Money | Kind::Price => 14,
            Kind::Quantity => 16,
            Kind::Date => 12,
            Kind::Instant => 20,
            Kind::Integer => 10,
        };
        Self {
            name,
            title,
            kind,
            unit: None,
            summed: false,
            reference: false,
            width,
        }
    }

    /// A text column.
    pub fn text(name: &'static str, title: &'static str) -> Self {
        Self::new(name, title, Kind::Text)
    }

    /// A column of ids: text, wide enough for a UUID, for reference.
    pub fn id(name: &'static str, title: &'static str) -> Self {
        Self::text(name, title).with_width(37).for_reference()
    }

    /// A column of amounts in this currency.
    pub fn money(name: &'static str, title: &'static str, currency: Currency) -> Self {
        Self::new(name, title, Kind::Money).with_unit(currency.code())
    }

    /// A column of instants in UTC.
    pub fn instant(name: &'static str, title: &'static str) -> Self {
        Self::new(name, title, Kind::Instant).with_unit("UTC")
    }

    /// The same with a unit, such as `EUR` or `h`.
    #[must_use]
    pub fn with_unit(mut self, unit: &str) -> Self {
        self.unit = Some(unit.to_owned());
        self
    }

    /// The same, where the totals row holds the sum of the column.
    #[must_use]
    pub fn summed(mut self) -> Self {
        self.summed = true;
        self
    }

    /// The same for reference only: ids, keys and what other columns say in words. Files
    /// carry such columns; where room is short, as on paper or in a terminal, they give way.
    #[must_use]
    pub fn for_reference(mut self) -> Self {
        self.reference = true;
        self
    }

    /// The same with a preferred width, in characters.
    #[must_use]
    pub fn with_width(mut self, width: u16) -> Self {
        self.width = width;
        self
    }

    /// The stable name, in `snake_case`: the header of CSV files.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The title for people, without the unit.
    pub fn title(&self) -> &'static str {
        self.title
    }

    /// The title with the unit, such as `Amount (EUR)`.
    pub fn heading(&self) -> String {
        match &self.unit {
            Some(unit) => format!("{} ({unit})", self.title),
            None => self.title.to_owned(),
        }
    }

    /// What its cells hold.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The unit of all its cells, where there is one.
    pub fn unit(&self) -> Option<&str> {
        self.unit.as_deref()
    }

    /// Whether the totals row holds the sum of the column.
    pub fn is_summed(&self) -> bool {
        self.summed
    }

    /// Whether it is for reference only, see [`Column::for_reference`].
    pub fn is_for_reference(&self) -> bool {
        self.reference
    }

    /// Whether its cells are numbers, which stand at the right.
    pub fn is_numeric(&self) -> bool {
        match self.kind {
            Kind::Money | Kind::Quantity | Kind::Price | Kind::Integer => true,
            Kind::Text | Kind::Date | Kind::Instant => false,
        }
    }

    /// The preferred width, in characters.
    pub fn width(&self) -> u16 {
        self.width
    }
}
