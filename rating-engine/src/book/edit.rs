//! Changes of a price book, as pure functions on its text: a new version with its reason.

use chrono::{DateTime, SecondsFormat, Utc};
use cloudstack_usage::Period;
use serde_json::{Value as Json, json};

use super::change::SECTION as HISTORY;
use super::editable::{BookFormat, Editable, Row, refused};
use super::errors::BookErrors;
use super::model::PriceBook;
use super::when::When;

/// One change of a price book.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Edit {
    /// A new `[[price]]` row, with an `id` of its own.
    AddPrice(Row),
    /// A price ends: a `[[price]]` or `[[os_image]]` row, or the price in the row of a
    /// service or package.
    EndPrice {
        /// Its id.
        id: String,
        /// The last day or instant.
        until: When,
    },
    /// A price ends and another one, like it but for what `with` says, begins.
    ReplacePrice {
        /// The id of the price that ends.
        id: String,
        /// The first day or instant of the new one.
        from: When,
        /// The fields that are otherwise in the new one; null takes a field away. Without an
        /// `id` the new price is called after the old one and its first day.
        with: Row,
    },
    /// A new `[[os_image]]` row.
    AddOsImage(Row),
    /// A new `[[discount]]` row.
    AddDiscount(Row),
    /// A discount ends.
    EndDiscount {
        /// Its id.
        id: String,
        /// The last day or instant.
        until: When,
    },
    /// A new `[[factor]]` row.
    AddFactor(Row),
    /// A factor ends.
    EndFactor {
        /// Its id.
        id: String,
        /// The last day or instant.
        until: When,
    },
    /// A new `[[service]]` row.
    AddService(Row),
    /// A new `[[package]]` row.
    AddPackage(Row),
    /// A cell of the package matrix: a service is in a package during a time, or is not.
    SetPackageService {
        /// The package.
        package: String,
        /// The service.
        service: String,
        /// Since when; none means always.
        from: Option<When>,
        /// Until when; none means for ever.
        until: Option<When>,
        /// Whether it is in it during that time.
        present: bool,
    },
    /// A new `[[exemption]]` row. A book without any gets its three usual ones as rows too,
    /// so that they stay.
    AddExemption(Row),
    /// An exemption ends.
    EndExemption {
        /// Its id.
        id: String,
        /// The last day or instant.
        until: When,
    },
}

/// Who changes a book, why, and when that is written down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangeNote {
    /// Who.
    pub author: String,
    /// Why.
    pub reason: String,
    /// When it is written down (the caller's clock; there is none in here).
    pub recorded: DateTime<Utc>,
}

/// A new version of a price book.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EditedBook {
    /// The text of the file.
    pub text: String,
    /// The book, valid.
    pub book: PriceBook,
    /// Its version.
    pub version: u32,
}

/// Changes the text of a price book. The result is a valid book with one more `[[change]]`
/// row; all edits are made, or none.
///
/// ```
/// use rating_engine::{BookFormat, ChangeNote, Edit, edit_book};
///
/// let text = r#"
/// schema = 1
/// name = "Example"
/// currency = "EUR"
/// zone = "Europe/Berlin"
/// compute = "allocated"
///
/// [[price]]
/// id = "cpu"
/// meter = "cpu"
/// amount = "6.20"  # since the last round of talks
/// per = "month"
/// "#;
/// let with = serde_json::json!({ "amount": "6.50" });
/// let edit = Edit::ReplacePrice {
///     id: "cpu".to_owned(),
///     from: "2026-11-01".parse().unwrap(),
///     with: with.as_object().unwrap().clone(),
/// };
/// let note = ChangeNote {
///     author: "ada".to_owned(),
///     reason: "energy".to_owned(),
///     recorded: "2026-10-20T09:00:00Z".parse().unwrap(),
/// };
/// let edited = edit_book(text, BookFormat::Toml, &[edit], &note).unwrap();
/// assert_eq!(edited.version, 1);
/// assert_eq!(edited.book.prices().len(), 2);
/// assert!(edited.text.contains("# since the last round of talks"));
/// ```
///
/// # Errors
/// When the text is no valid book, an edit names what is not there or changes nothing, or
/// the result would be no valid book: every error, each with its place.
pub fn edit_book(
    text: &str,
    format: BookFormat,
    edits: &[Edit],
    note: &ChangeNote,
) -> Result<EditedBook, BookErrors> {
    let mut book = load(text, format)?;
    check_note(&book, note)?;
    let version = book
        .changes()
        .last()
        .map_or(1, |last| last.version.saturating_add(1));
    let mut text = text.to_owned();
    for edit in edits {
        let mut editor = Editor {
            document: Editable::parse(&text, format)?,
            book: &book,
        };
        editor.apply(edit)?;
        text = editor.document.text()?;
        book = load(&text, format)?;
    }
    let mut document = Editable::parse(&text, format)?;
    document.push(HISTORY, &history_row(version, note, edits))?;
    let text = document.text()?;
    let book = load(&text, format)?;
    Ok(EditedBook {
        text,
        book,
        version,
    })
}

fn load(text: &str, format: BookFormat) -> Result<PriceBook, BookErrors> {
    match format {
        BookFormat::Toml => PriceBook::from_toml(text),
        BookFormat::Json => PriceBook::from_json(text),
    }
}

fn check_note(book: &PriceBook, note: &ChangeNote) -> Result<(), BookErrors> {
    let last = book.changes().last();
    if let Some(last) = last.filter(|last| last.recorded > note.recorded) {
        let message = format!(
            "version {} was recorded at {}, later than this change at {}; check the clock",
            last.version, last.recorded, note.recorded
        );
        return Err(refused("recorded", HISTORY, message));
    }
    for (name, text) in [("author", &note.author), ("reason", &note.reason)] {
        if text.trim().is_empty() {
            let message = format!("a change of prices needs its {name}");
            return Err(refused("missing", &format!("{HISTORY}.{name}"), message));
        }
    }
    Ok(())
}

fn history_row(version: u32, note: &ChangeNote, edits: &[Edit]) -> Row {
    let what: Vec<String> = edits.iter().map(Edit::describe).collect();
    let recorded = note.recorded.to_rfc3339_opts(SecondsFormat::AutoSi, true);
    let mut row = Row::new();
    row.insert("version".to_owned(), version.into());
    row.insert("author".to_owned(), note.author.clone().into());
    row.insert("reason".to_owned(), note.reason.clone().into());
    row.insert("recorded".to_owned(), recorded.into());
    if !what.is_empty() {
        row.insert("what".to_owned(), what.join("; ").into());
    }
    row
}

/// The id that a row gives itself.
fn id_of(row: &Row) -> &str {
    row.get("id").and_then(Json::as_str).unwrap_or("without id")
}

impl Edit {
    /// The change in words.
    pub fn describe(&self) -> String {
        match self {
            Self::AddPrice(row) => format!("add price {}", id_of(row)),
            Self::EndPrice { id, until } => format!("end price {id} on {until}"),
            Self::ReplacePrice { id, from, .. } => format!("replace price {id} from {from}"),
            Self::AddOsImage(row) => format!("add OS image {}", id_of(row)),
            Self::AddDiscount(row) => format!("add discount {}", id_of(row)),
            Self::EndDiscount { id, until } => format!("end discount {id} on {until}"),
            Self::AddFactor(row) => format!("add factor {}", id_of(row)),
            Self::EndFactor { id, until } => format!("end factor {id} on {until}"),
            Self::AddService(row) => format!("add service {}", id_of(row)),
            Self::AddPackage(row) => format!("add package {}", id_of(row)),
            Self::AddExemption(row) => format!("add exemption {}", id_of(row)),
            Self::EndExemption { id, until } => format!("end exemption {id} on {until}"),
            Self::SetPackageService {
                package,
                service,
                from,
                until,
                present,
            } => {
                let verb = if *present { "put" } else { "take" };
                let into = if *present { "into" } else { "out of" };
                let from = from.map(|from| format!(" from {from}")).unwrap_or_default();
                let until = until
                    .map(|until| format!(" until {until}"))
                    .unwrap_or_default();
                format!("{verb} service {service} {into} package {package}{from}{until}")
            }
        }
    }
}

/// What there is instead of what was named.
fn listed(ids: &[impl AsRef<str>]) -> String {
    if ids.is_empty() {
        return "the book has none".to_owned();
    }
    let ids: Vec<&str> = ids.iter().map(AsRef::as_ref).collect();
    format!("there are {}", ids.join(", "))
}

/// The sections that a price can stand in.
const PRICE_SECTIONS: &[&str] = &["price", "os_image", "service", "package"];

/// Fields of a service's or package's row that do not belong to its price.
const NOT_OF_PRICE: &[&str] = &["tag", "services", "service_periods", "covers"];

/// Fields of a price that is a percentage of other charges.
const OF_PERCENTAGES: &[&str] = &["percent", "percent_of", "fee", "free_fees"];

struct Editor<'a> {
    document: Editable,
    book: &'a PriceBook,
}

impl Editor<'_> {
    fn apply(&mut self, edit: &Edit) -> Result<(), BookErrors> {
        match edit {
            Edit::AddPrice(row) => self.document.push("price", row),
            Edit::AddOsImage(row) => self.document.push("os_image", row),
            Edit::AddDiscount(row) => self.document.push("discount", row),
            Edit::AddFactor(row) => self.document.push("factor", row),
            Edit::AddService(row) => self.document.push("service", row),
            Edit::AddPackage(row) => self.document.push("package", row),
            Edit::AddExemption(row) => {
                self.write_usual_exemptions()?;
                self.document.push("exemption", row)
            }
            Edit::EndPrice { id, until } => {
                let (section, index, _) = self.price_row(id)?;
                self.end(section, index, *until)
            }
            Edit::EndDiscount { id, until } => {
                let (index, _) = self.row("discount", id)?;
                self.end("discount", index, *until)
            }
            Edit::EndFactor { id, until } => {
                let (index, _) = self.row("factor", id)?;
                self.end("factor", index, *until)
            }
            Edit::EndExemption { id, until } => {
                self.write_usual_exemptions()?;
                let (index, _) = self.row("exemption", id)?;
                self.end("exemption", index, *until)
            }
            Edit::ReplacePrice { id, from, with } => self.replace_price(id, *from, with),
            Edit::SetPackageService {
                package,
                service,
                from,
                until,
                present,
            } => self.set_package_service(package, service, *from, *until, *present),
        }
    }

    fn row(&self, section: &str, id: &str) -> Result<(usize, Row), BookErrors> {
        let rows = self.document.rows(section);
        let ids: Vec<String> = rows.iter().map(|row| id_of(row).to_owned()).collect();
        let found = rows
            .into_iter()
            .enumerate()
            .find(|(_, row)| id_of(row) == id);
        found.ok_or_else(|| {
            let message = format!("there is no {section} {id:?}; {}", listed(&ids));
            refused("unknown_reference", section, message)
        })
    }

    fn price_row(&self, id: &str) -> Result<(&'static str, usize, Row), BookErrors> {
        for section in PRICE_SECTIONS {
            if let Ok((index, row)) = self.row(section, id)
                && self.book.prices().iter().any(|price| price.id == id)
            {
                return Ok((section, index, row));
            }
        }
        let ids: Vec<&str> = self
            .book
            .prices()
            .iter()
            .map(|price| price.id.as_str())
            .collect();
        let message = format!("there is no price {id:?}; {}", listed(&ids));
        Err(refused("unknown_reference", "price", message))
    }

    fn end(&mut self, section: &str, index: usize, until: When) -> Result<(), BookErrors> {
        let old = self
            .document
            .rows(section)
            .into_iter()
            .nth(index)
            .unwrap_or_default();
        let text = until.to_string();
        if old.get("until").and_then(Json::as_str) == Some(&text) {
            let message = format!("{} ends on {until} already", id_of(&old));
            return Err(refused(
                "no_change",
                &format!("{section}[{}]", index + 1),
                message,
            ));
        }
        self.document.set(section, index, "duration", Json::Null)?;
        self.document.set(section, index, "until", text.into())
    }

    fn replace_price(&mut self, id: &str, from: When, with: &Row) -> Result<(), BookErrors> {
        let (section, index, old) = self.price_row(id)?;
        let place = format!("{section}[{}]", index + 1);
        let zone = &self.book.zones;
        let start = from.start(zone);
        let validity = self
            .book
            .prices()
            .iter()
            .find(|price| price.id == id)
            .map_or_else(Period::always, |price| price.validity);
        if start <= validity.start() || validity.end() <= start {
            let message = format!(
                "price {id} holds {validity}: it cannot give way at {from}; end it or add another one instead"
            );
            return Err(refused("not_in_force", &place, message));
        }
        let mut new = price_of(section, &old);
        new.remove("duration");
        new.remove("until");
        if !validity.is_open() {
            new.insert(
                "until".to_owned(),
                When::of_end(validity.end(), zone).to_string().into(),
            );
        }
        new.insert("id".to_owned(), format!("{id}-{from}").into());
        new.insert("from".to_owned(), from.to_string().into());
        // an amount takes the place of tiers and the other way round
        if with.contains_key("amount") {
            new.retain(|field, _| {
                !matches!(field.as_str(), "tiers" | "tier_mode")
                    && !OF_PERCENTAGES.contains(&field.as_str())
            });
        }
        if with.contains_key("tiers") {
            new.retain(|field, _| {
                !matches!(field.as_str(), "amount" | "block")
                    && !OF_PERCENTAGES.contains(&field.as_str())
            });
        }
        new.extend(with.clone());
        new.retain(|_, value| !value.is_null());
        self.end(section, index, When::of_end(start, zone))?;
        let target = if section == "os_image" {
            section
        } else {
            "price"
        };
        self.document.push(target, &new)
    }

    /// Writes the time that a service is in a package: always as a name in `services`, else
    /// as rows of `service_periods`.
    fn set_package_service(
        &mut self,
        package: &str,
        service: &str,
        from: Option<When>,
        until: Option<When>,
        present: bool,
    ) -> Result<(), BookErrors> {
        let (index, row) = self.row("package", package)?;
        let place = format!("package[{}]", index + 1);
        self.row("service", service)?;
        let zone = &self.book.zones;
        let always = Period::always();
        let start = from.map_or(always.start(), |from| from.start(zone));
        let end = until.map_or(always.end(), |until| until.end(zone));
        let window = Period::new(start, end)
            .map_err(|_| refused("reversed", &place, "until lies before from".to_owned()))?;
        let cells = self
            .book
            .packages()
            .iter()
            .filter(|known| known.id == package);
        let now = joined(
            cells
                .flat_map(|known| &known.services)
                .filter(|cell| cell.service == service)
                .map(|cell| cell.validity)
                .collect(),
        );
        let mut new = without(&now, window);
        if present {
            new.push(window);
        }
        let new = joined(new);
        if new == now {
            let is = if present { "in" } else { "not in" };
            let message = format!("service {service} is {is} package {package} then already");
            return Err(refused("no_change", &place, message));
        }
        let whole = new == [always];
        let mut names = texts(row.get("services"));
        names.retain(|name| name != service);
        if whole {
            names.push(service.to_owned());
        }
        let mut periods: Vec<Json> = row
            .get("service_periods")
            .and_then(Json::as_array)
            .cloned()
            .unwrap_or_default();
        periods.retain(|cell| cell.get("service").and_then(Json::as_str) != Some(service));
        if !whole {
            periods.extend(new.iter().map(|period| {
                let mut cell = json!({ "service": service });
                if period.start() > always.start() {
                    cell["from"] = When::of_start(period.start(), zone).to_string().into();
                }
                if !period.is_open() {
                    cell["until"] = When::of_end(period.end(), zone).to_string().into();
                }
                cell
            }));
        }
        self.write_list(
            index,
            "services",
            names.into_iter().map(Json::from).collect(),
        )?;
        self.write_list(index, "service_periods", periods)
    }

    /// A list of a package's row; an empty one is left out.
    fn write_list(&mut self, index: usize, field: &str, list: Vec<Json>) -> Result<(), BookErrors> {
        let rows = self.document.rows("package");
        let old = rows.get(index).and_then(|row| row.get(field));
        let new = if list.is_empty() {
            Json::Null
        } else {
            Json::Array(list)
        };
        if old.unwrap_or(&Json::Null) == &new {
            return Ok(());
        }
        self.document.set("package", index, field, new)
    }

    /// A book without exemptions has three by default, which would be gone with the first
    /// row of its own.
    fn write_usual_exemptions(&mut self) -> Result<(), BookErrors> {
        if self.document.has("exemption") {
            return Ok(());
        }
        for exemption in &self.book.exemptions {
            let meters: Vec<&str> = exemption.meters.iter().map(|meter| meter.slug()).collect();
            let row = json!({
                "id": exemption.id,
                "tag": exemption.tag.text(),
                "meters": meters,
            });
            let row = row.as_object().cloned().unwrap_or_default();
            self.document.push("exemption", &row)?;
        }
        Ok(())
    }
}

/// The row of a price as it stands alone.
fn price_of(section: &str, row: &Row) -> Row {
    let mut price = row.clone();
    if matches!(section, "service" | "package") {
        price.retain(|field, _| !NOT_OF_PRICE.contains(&field.as_str()));
        price.insert(section.to_owned(), id_of(row).into());
    }
    price
}

/// A text or a list of texts.
fn texts(value: Option<&Json>) -> Vec<String> {
    match value {
        Some(Json::String(text)) => vec![text.clone()],
        Some(Json::Array(items)) => items
            .iter()
            .filter_map(Json::as_str)
            .map(str::to_owned)
            .collect(),
        _ => Vec::new(),
    }
}

/// The same times, in order, without overlaps and seams.
fn joined(mut periods: Vec<Period>) -> Vec<Period> {
    periods.sort();
    let mut joined: Vec<Period> = Vec::new();
    for period in periods {
        match joined.last_mut() {
            Some(last) if last.end() >= period.start() => *last = last.hull(&period),
            _ => joined.push(period),
        }
    }
    joined
}

/// The times less `window`.
fn without(periods: &[Period], window: Period) -> Vec<Period> {
    let left = |period: &Period| Period::new(period.start(), period.end().min(window.start())).ok();
    let right = |period: &Period| Period::new(period.start().max(window.end()), period.end()).ok();
    periods
        .iter()
        .flat_map(|period| [left(period), right(period)])
        .flatten()
        .collect()
}
