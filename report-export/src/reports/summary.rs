//! Lines added by what they belong to.

use std::collections::BTreeMap;
use std::str::FromStr;
use std::sync::Arc;

use cloudstack_usage::{DomainId, Holder, VmId, VolumeId};
use rating_engine::{Item, LineItem, Statement};

use crate::cell::{Cell, plain};
use crate::column::{Column, Kind};
use crate::control::Control;
use crate::error::{ErrorKind, ExportError};
use crate::filter::volume_name;
use crate::report::{Report, Rows};
use crate::reports::lines::currency_code;
use crate::totals::Totals;
use crate::view::View;

/// What lines are added by. Every line belongs to exactly one group, so the rows of any
/// summary add up to the total of its view.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum GroupBy {
    /// The billing account.
    Statement,
    /// The domain itself, without its sub-domains.
    Domain,
    /// The project; the account where there is no project.
    Project,
    /// The VM with its volumes; what belongs to no VM is a row of its own.
    Vm,
    /// The volume; what is about no volume is a row of its own.
    Volume,
    /// The cost centre; none is a row of its own.
    CostCentre,
    /// The meter, service, package or minimum.
    Item,
}

impl GroupBy {
    /// Every way of grouping.
    pub const ALL: &'static [Self] = &[
        Self::Statement,
        Self::Domain,
        Self::Project,
        Self::Vm,
        Self::Volume,
        Self::CostCentre,
        Self::Item,
    ];

    /// The stable name.
    pub fn slug(self) -> &'static str {
        match self {
            Self::Statement => "statement",
            Self::Domain => "domain",
            Self::Project => "project",
            Self::Vm => "vm",
            Self::Volume => "volume",
            Self::CostCentre => "cost_centre",
            Self::Item => "item",
        }
    }

    /// The name for people.
    pub fn title(self) -> &'static str {
        match self {
            Self::Statement => "statement",
            Self::Domain => "domain",
            Self::Project => "project",
            Self::Vm => "VM",
            Self::Volume => "volume",
            Self::CostCentre => "cost centre",
            Self::Item => "item",
        }
    }

    fn columns(self) -> Vec<Column> {
        match self {
            Self::Statement => vec![
                Column::text("statement", "Statement"),
                Column::id("statement_id", "Statement id"),
            ],
            Self::Domain => vec![
                Column::text("domain_path", "Domain"),
                Column::id("domain_id", "Domain id"),
            ],
            Self::Project => vec![
                Column::text("owner_domain_path", "Domain of owner"),
                Column::text("owner_kind", "Owner kind")
                    .with_width(12)
                    .for_reference(),
                Column::text("owner", "Project or account"),
                Column::id("owner_id", "Owner id"),
            ],
            Self::Vm => vec![Column::text("vm", "VM"), Column::id("vm_id", "VM id")],
            Self::Volume => vec![
                Column::text("volume", "Volume"),
                Column::id("volume_id", "Volume id"),
            ],
            Self::CostCentre => vec![Column::text("cost_centre", "Cost centre")],
            Self::Item => vec![
                Column::text("item_kind", "Item kind")
                    .with_width(12)
                    .for_reference(),
                Column::text("item", "Item"),
            ],
        }
    }

    fn key<'a>(self, statement: &'a Statement, line: &'a LineItem) -> Key<'a> {
        match self {
            Self::Statement => Key::Statement(&statement.account),
            Self::Domain => Key::Domain(&line.domain),
            Self::Project => match &line.holder {
                Holder::Unknown => Key::Unknown(&line.domain, &line.holder_name),
                holder => Key::Owner(&line.domain, holder),
            },
            Self::Vm => Key::Vm(line.vm.as_ref()),
            Self::Volume => Key::Volume(line.volume.as_ref()),
            Self::CostCentre => Key::CostCentre(line.cost_centre.as_deref()),
            Self::Item => Key::Item(&line.item),
        }
    }

    fn cells<'a>(self, statement: &'a Statement, line: &'a LineItem) -> Vec<Cell<'a>> {
        match self {
            Self::Statement => vec![
                Cell::text(&*statement.path),
                Cell::display(&statement.account),
            ],
            Self::Domain => vec![Cell::text(&*line.domain_path), Cell::display(&line.domain)],
            Self::Project => {
                let (kind, id) = match &line.holder {
                    Holder::Project(id) => ("project", Cell::display(id)),
                    Holder::Account(id) => ("account", Cell::display(id)),
                    Holder::Unknown => ("unknown", Cell::Empty),
                };
                vec![
                    Cell::text(&*line.domain_path),
                    Cell::text(kind),
                    Cell::text(&*line.holder_name),
                    id,
                ]
            }
            Self::Vm => vec![
                Cell::text_or_empty(line.vm_name.as_deref()),
                Cell::display_or_empty(line.vm.as_ref()),
            ],
            Self::Volume => vec![
                Cell::text_or_empty(volume_name(line)),
                Cell::display_or_empty(line.volume.as_ref()),
            ],
            Self::CostCentre => vec![Cell::text_or_empty(line.cost_centre.as_deref())],
            Self::Item => vec![Cell::text(line.item.kind()), Cell::text(line.item.name())],
        }
    }
}

impl FromStr for GroupBy {
    type Err = ExportError;

    /// A way of grouping by its stable name, such as `cost_centre`.
    fn from_str(name: &str) -> Result<Self, ExportError> {
        let found = Self::ALL.iter().find(|by| by.slug() == name);
        found.copied().ok_or_else(|| {
            let names: Vec<&str> = Self::ALL.iter().map(|by| by.slug()).collect();
            ExportError::new(
                ErrorKind::Options,
                format!(
                    "lines cannot be added by {name:?}; use {}",
                    names.join(", ")
                ),
            )
        })
    }
}

/// What makes two lines members of one group.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Key<'a> {
    Statement(&'a DomainId),
    Domain(&'a DomainId),
    Owner(&'a DomainId, &'a Holder),
    Unknown(&'a DomainId, &'a str),
    Vm(Option<&'a VmId>),
    Volume(Option<&'a VolumeId>),
    CostCentre(Option<&'a str>),
    Item(&'a Item),
}

struct Group<'a> {
    cells: Vec<Cell<'a>>,
    totals: Totals,
}

/// What people call a group, then its sums, then what is for reference only.
fn around<T>(keys: Vec<T>, sums: Vec<T>, is_reference: &[bool]) -> Vec<T> {
    let (mut row, mut last) = (Vec::new(), Vec::new());
    for (key, is_reference) in keys.into_iter().zip(is_reference) {
        if *is_reference {
            last.push(key);
        } else {
            row.push(key);
        }
    }
    row.extend(sums);
    row.extend(last);
    row
}

/// The lines of the view added by one thing or several (`[Project, Item]`: every item of
/// every project), in the order of their names, with none last.
///
/// # Errors
/// When `by` is empty or names a thing twice.
pub fn summary<'a>(view: &View<'a>, by: &[GroupBy]) -> Result<Report<'a>, ExportError> {
    check(by)?;
    let groups = Arc::new(group(view, by)?);
    let names: Vec<&str> = by.iter().map(|by| by.slug()).collect();
    let titles: Vec<&str> = by.iter().map(|by| by.title()).collect();
    let currency = view.bill().currency;
    let keys: Vec<Column> = by.iter().flat_map(|by| by.columns()).collect();
    let sums_columns = vec![
        Column::new("lines", "Lines", Kind::Integer).summed(),
        Column::money("list_amount", "List amount", currency).summed(),
        Column::money("discount_amount", "Discount", currency).summed(),
        Column::money("amount", "Amount", currency).summed(),
        currency_code(),
    ];
    let is_reference: Vec<bool> = keys.iter().map(Column::is_for_reference).collect();
    let mut no_keys = vec![Cell::Empty; keys.len()];
    if let Some(first) = no_keys.first_mut() {
        *first = Cell::text("Total");
    }
    let totals = around(no_keys, sums(view.totals()).into(), &is_reference);
    let columns = around(keys, sums_columns, &is_reference);
    let rows = move || -> Rows<'a> {
        let groups = Arc::clone(&groups);
        let is_reference = is_reference.clone();
        Box::new((0..groups.len()).filter_map(move |index| {
            let group = groups.get(index)?;
            let sums = sums(&group.totals).into();
            Some(around(group.cells.clone(), sums, &is_reference))
        }))
    };
    Ok(Report::new(
        format!("summary_by_{}", names.join("_and_")),
        format!("Summary by {}", titles.join(" and ")),
        columns,
        rows,
        totals,
        Control::of(view),
    ))
}

fn check(by: &[GroupBy]) -> Result<(), ExportError> {
    let mut seen = std::collections::BTreeSet::new();
    if by.is_empty() || !by.iter().all(|by| seen.insert(by)) {
        return Err(ExportError::new(
            ErrorKind::Options,
            "a summary is grouped by at least one thing, and by none twice",
        ));
    }
    Ok(())
}

fn group<'a>(view: &View<'a>, by: &[GroupBy]) -> Result<Vec<Group<'a>>, ExportError> {
    let mut groups: BTreeMap<Vec<Key<'a>>, Group<'a>> = BTreeMap::new();
    for (statement, line) in view.lines() {
        let key = by.iter().map(|by| by.key(statement, line)).collect();
        let group = groups.entry(key).or_insert_with(|| Group {
            cells: by.iter().flat_map(|by| by.cells(statement, line)).collect(),
            totals: Totals::zero(view.bill().currency),
        });
        fill_gaps(group, by, statement, line);
        group.totals.add(line).map_err(|mismatch| {
            ExportError::new(ErrorKind::Currency, mismatch.to_string()).with_source(mismatch)
        })?;
    }
    let mut groups: Vec<Group<'a>> = groups.into_values().collect();
    groups.sort_by_cached_key(|group| {
        let key = |cell: &Cell<'_>| (*cell == Cell::Empty, plain(cell).into_owned());
        group.cells.iter().map(key).collect::<Vec<_>>()
    });
    Ok(groups)
}

/// A name that the first line of the group did not know may come with a later one: a
/// volume's name comes only with lines about the volume itself.
fn fill_gaps<'a>(
    group: &mut Group<'a>,
    by: &[GroupBy],
    statement: &'a Statement,
    line: &'a LineItem,
) {
    if !group.cells.contains(&Cell::Empty) {
        return;
    }
    let cells = by.iter().flat_map(|by| by.cells(statement, line));
    for (known, cell) in group.cells.iter_mut().zip(cells) {
        if *known == Cell::Empty {
            *known = cell;
        }
    }
}

fn sums<'a>(totals: &Totals) -> [Cell<'a>; 5] {
    [
        Cell::count(totals.lines),
        Cell::money(&totals.list),
        Cell::money(&totals.discount),
        Cell::money(&totals.amount),
        Cell::text(totals.amount.currency().code().to_owned()),
    ]
}
