//! Which lines a report is about.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use cloudstack_usage::{DomainId, Holder, ProjectId, VmId, VolumeId};
use rating_engine::{LineItem, Statement};

use crate::error::{ErrorKind, ExportError};

/// How many names an error lists.
const LISTED: usize = 10;

/// Which lines to keep. An empty list keeps all; several entries of a list keep what any
/// of them names; several lists keep what all of them keep.
///
/// An entry is an id, a name or a path, compared as written (case counts). An id wins over
/// a name. Lines keep their printed amounts, so reports over disjoint filters add up to
/// the report over all of them.
///
/// ```
/// use report_export::Filter;
///
/// let filter = Filter {
///     domains: vec!["ROOT/acme".to_owned()],
///     cost_centres: vec![Some("4711".to_owned()), None],
///     ..Filter::default()
/// };
/// assert!(!filter.is_empty());
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Domains by id, path (`ROOT/acme`) or name (`acme`), with their sub-domains unless
    /// `exclusive`.
    pub domains: Vec<String>,
    /// Whether sub-domains of `domains` are left out.
    pub exclusive: bool,
    /// Projects by id, name, or domain path and name (`ROOT/acme/web`).
    pub projects: Vec<String>,
    /// VMs by id or name, with the lines of the volumes attached to them.
    pub vms: Vec<String>,
    /// Volumes by id or name.
    pub volumes: Vec<String>,
    /// Cost centres by name; `None` stands for lines without one.
    pub cost_centres: Vec<Option<String>>,
}

impl Filter {
    /// Whether it keeps every line.
    pub fn is_empty(&self) -> bool {
        self.domains.is_empty()
            && self.projects.is_empty()
            && self.vms.is_empty()
            && self.volumes.is_empty()
            && self.cost_centres.is_empty()
    }

    /// Finds what the names stand for among these lines.
    pub(crate) fn resolve<'a>(
        &self,
        lines: impl Iterator<Item = (&'a Statement, &'a LineItem)>,
    ) -> Result<Selection, ExportError> {
        let known = Known::gather(lines);
        let domains = resolve_all(&self.domains, "domain", &known.domains)?;
        let projects = resolve_all(&self.projects, "project", &known.projects)?;
        let vms = resolve_all(&self.vms, "VM", &known.vms)?;
        let volumes = resolve_all(&self.volumes, "volume", &known.volumes)?;
        let mut cost_centres = BTreeSet::new();
        for centre in &self.cost_centres {
            if let Some(name) = centre {
                resolve(name, "cost centre", &known.cost_centres)?;
            }
            cost_centres.insert(centre.clone());
        }
        Ok(Selection {
            text: self.describe(),
            domains: chosen(&self.domains, domains, |candidate| DomainChoice {
                id: candidate.id.as_deref().map(DomainId::new),
                path: candidate.path.clone(),
            }),
            exclusive: self.exclusive,
            projects: chosen_ids(&self.projects, projects, ProjectId::new),
            vms: chosen_ids(&self.vms, vms, VmId::new),
            volumes: chosen_ids(&self.volumes, volumes, VolumeId::new),
            cost_centres: (!self.cost_centres.is_empty()).then_some(cost_centres),
        })
    }

    /// The filter in words, as given.
    fn describe(&self) -> String {
        let mut parts = Vec::new();
        if !self.domains.is_empty() {
            let how = if self.exclusive {
                "without sub-domains"
            } else {
                "with sub-domains"
            };
            parts.push(format!("domains {} ({how})", self.domains.join(", ")));
        }
        for (what, names) in [
            ("projects", &self.projects),
            ("VMs", &self.vms),
            ("volumes", &self.volumes),
        ] {
            if !names.is_empty() {
                parts.push(format!("{what} {}", names.join(", ")));
            }
        }
        if !self.cost_centres.is_empty() {
            let names: Vec<&str> = self
                .cost_centres
                .iter()
                .map(|centre| centre.as_deref().unwrap_or("(none)"))
                .collect();
            parts.push(format!("cost centres {}", names.join(", ")));
        }
        parts.join("; ")
    }
}

/// Something that a name can stand for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Candidate {
    /// Path, or path and name: what tells it from others of its name.
    path: String,
    name: String,
    /// None for a domain that is only known as the ancestor of others.
    id: Option<String>,
}

impl Candidate {
    pub(crate) fn new(path: String, name: String, id: Option<String>) -> Self {
        Self { path, name, id }
    }

    fn describe(&self) -> String {
        let label = if self.path.is_empty() {
            &self.name
        } else {
            &self.path
        };
        match &self.id {
            Some(id) if label.is_empty() => id.clone(),
            Some(id) if id != label => format!("{label} ({id})"),
            _ => label.clone(),
        }
    }
}

/// What the lines speak of.
#[derive(Default)]
struct Known {
    domains: BTreeSet<Candidate>,
    projects: BTreeSet<Candidate>,
    vms: BTreeSet<Candidate>,
    volumes: BTreeSet<Candidate>,
    cost_centres: BTreeSet<Candidate>,
}

impl Known {
    fn gather<'a>(lines: impl Iterator<Item = (&'a Statement, &'a LineItem)>) -> Self {
        let mut known = Self::default();
        let mut domains: BTreeMap<&str, BTreeSet<&DomainId>> = BTreeMap::new();
        for (statement, line) in lines {
            for (path, id) in [
                (&statement.path, &statement.account),
                (&line.domain_path, &line.domain),
            ] {
                domains.entry(path).or_default().insert(id);
            }
            known.add_holdings(line);
        }
        let ancestors: BTreeSet<&str> = domains.keys().flat_map(|path| ancestors(path)).collect();
        for (path, ids) in &domains {
            for id in ids {
                known
                    .domains
                    .insert(domain_candidate(path, Some(id.to_string())));
            }
        }
        for path in ancestors {
            if !domains.keys().any(|known| normalised(known) == path) {
                known.domains.insert(domain_candidate(path, None));
            }
        }
        known
    }

    fn add_holdings(&mut self, line: &LineItem) {
        if let Holder::Project(id) = &line.holder {
            let path = format!("{}/{}", normalised(&line.domain_path), line.holder_name);
            self.projects.insert(Candidate::new(
                path,
                line.holder_name.clone(),
                Some(id.to_string()),
            ));
        }
        if let Some(id) = &line.vm {
            let name = line.vm_name.clone().unwrap_or_default();
            self.vms
                .insert(Candidate::new(String::new(), name, Some(id.to_string())));
        }
        if let Some(id) = &line.volume {
            let name = volume_name(line).unwrap_or_default().to_owned();
            self.volumes
                .insert(Candidate::new(String::new(), name, Some(id.to_string())));
        }
        if let Some(name) = &line.cost_centre {
            self.cost_centres.insert(Candidate::new(
                String::new(),
                name.clone(),
                Some(name.clone()),
            ));
        }
    }
}

/// The name of the volume that a line is about: the resource's, where that is the volume.
pub(crate) fn volume_name(line: &LineItem) -> Option<&str> {
    let volume = line.volume.as_ref()?;
    (volume.as_resource() == line.resource).then_some(line.resource_name.as_str())
}

pub(crate) fn domain_candidate(path: &str, id: Option<String>) -> Candidate {
    let path = normalised(path);
    let name = path.rsplit('/').next().unwrap_or(path);
    Candidate::new(path.to_owned(), name.to_owned(), id)
}

/// A path without slashes at its ends: the API writes `ROOT/acme`, the database `/acme/`.
fn normalised(path: &str) -> &str {
    path.trim_matches('/')
}

/// The paths above this one.
fn ancestors(path: &str) -> impl Iterator<Item = &str> {
    let path = normalised(path);
    path.match_indices('/')
        .filter_map(move |(index, _)| path.get(..index))
}

fn resolve_all<'k>(
    names: &[String],
    what: &str,
    known: &'k BTreeSet<Candidate>,
) -> Result<Vec<Vec<&'k Candidate>>, ExportError> {
    names
        .iter()
        .map(|name| resolve(name, what, known))
        .collect()
}

/// Everything with the id that the name stands for. One id may have had several names.
pub(crate) fn resolve<'k>(
    name: &str,
    what: &str,
    known: &'k BTreeSet<Candidate>,
) -> Result<Vec<&'k Candidate>, ExportError> {
    let by_id: Vec<&Candidate> = known
        .iter()
        .filter(|candidate| candidate.id.as_deref() == Some(name))
        .collect();
    if !by_id.is_empty() {
        return Ok(by_id);
    }
    let path = normalised(name);
    let matches_path =
        |candidate: &&Candidate| !candidate.path.is_empty() && candidate.path == path;
    let matches_name = |candidate: &&Candidate| candidate.name == name;
    let mut found: Vec<&Candidate> = known.iter().filter(matches_path).collect();
    if found.is_empty() {
        found = known.iter().filter(matches_name).collect();
    }
    let different: BTreeSet<(&Option<String>, &str)> = found
        .iter()
        .map(|candidate| {
            let path = candidate
                .id
                .as_ref()
                .map_or(candidate.path.as_str(), |_| "");
            (&candidate.id, path)
        })
        .collect();
    match different.len() {
        0 => Err(ExportError::new(
            ErrorKind::UnknownName,
            format!(
                "the bill has no {what} {name:?}; {}",
                listing(what, known.iter())
            ),
        )),
        1 => Ok(found),
        _ => Err(ExportError::new(
            ErrorKind::AmbiguousName,
            format!(
                "{what} {name:?} is ambiguous, use an id; {}",
                listing(what, found.iter().copied())
            ),
        )),
    }
}

/// What there is, at most ten of it.
fn listing<'k>(what: &str, candidates: impl Iterator<Item = &'k Candidate>) -> String {
    let names: BTreeSet<String> = candidates.map(Candidate::describe).collect();
    if names.is_empty() {
        return format!("there is no {what} in it");
    }
    let mut text = "there is ".to_owned();
    for (index, name) in names.iter().take(LISTED).enumerate() {
        let separator = if index == 0 { "" } else { ", " };
        let _ = write!(text, "{separator}{name}"); // writing to a String cannot fail
    }
    if let Some(more @ 1..) = names.len().checked_sub(LISTED) {
        let _ = write!(text, " and {more} more");
    }
    text
}

fn chosen<T: Ord>(
    names: &[String],
    found: Vec<Vec<&Candidate>>,
    choice: impl Fn(&Candidate) -> T,
) -> Option<BTreeSet<T>> {
    (!names.is_empty()).then(|| found.into_iter().flatten().map(choice).collect())
}

fn chosen_ids<T: Ord>(
    names: &[String],
    found: Vec<Vec<&Candidate>>,
    id: impl Fn(&str) -> T,
) -> Option<BTreeSet<T>> {
    chosen(names, found, |candidate| {
        id(candidate.id.as_deref().unwrap_or_default())
    })
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct DomainChoice {
    id: Option<DomainId>,
    path: String,
}

impl DomainChoice {
    fn holds(&self, id: &DomainId, path: &str, exclusive: bool) -> bool {
        let path = normalised(path);
        let itself = match &self.id {
            Some(own) => own == id,
            None => self.path == path,
        };
        let below = || {
            path.strip_prefix(self.path.as_str())
                .is_some_and(|rest| rest.starts_with('/'))
        };
        itself || (!exclusive && below())
    }
}

/// A filter whose names have been found.
#[derive(Debug, Clone)]
pub(crate) struct Selection {
    text: String,
    domains: Option<BTreeSet<DomainChoice>>,
    exclusive: bool,
    projects: Option<BTreeSet<ProjectId>>,
    vms: Option<BTreeSet<VmId>>,
    volumes: Option<BTreeSet<VolumeId>>,
    cost_centres: Option<BTreeSet<Option<String>>>,
}

impl Selection {
    /// The filter in words.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    pub(crate) fn keeps(&self, line: &LineItem) -> bool {
        let project = match &line.holder {
            Holder::Project(project) => Some(project),
            _ => None,
        };
        self.keeps_domain(&line.domain, &line.domain_path)
            && holds(self.projects.as_ref(), project)
            && holds(self.vms.as_ref(), line.vm.as_ref())
            && holds(self.volumes.as_ref(), line.volume.as_ref())
            && holds(self.cost_centres.as_ref(), Some(&line.cost_centre))
    }

    fn keeps_domain(&self, id: &DomainId, path: &str) -> bool {
        self.domains.as_ref().is_none_or(|chosen| {
            chosen
                .iter()
                .any(|domain| domain.holds(id, path, self.exclusive))
        })
    }

    /// Whether everything of this statement is kept, its findings too.
    pub(crate) fn keeps_whole(&self, statement: &Statement) -> bool {
        let by_domain_alone = self.projects.is_none()
            && self.vms.is_none()
            && self.volumes.is_none()
            && self.cost_centres.is_none()
            && !self.exclusive;
        by_domain_alone && self.keeps_domain(&statement.account, &statement.path)
    }
}

fn holds<T: Ord>(chosen: Option<&BTreeSet<T>>, value: Option<&T>) -> bool {
    chosen.is_none_or(|chosen| value.is_some_and(|value| chosen.contains(value)))
}
