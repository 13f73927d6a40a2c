//! Domains, projects and accounts that only usage records know.
//!
//! Usage of removed domains and projects, or usage rated without metadata, still names its
//! owners and, since 4.19.2, the domain's path. With them statements go to the right billing
//! account, and scopes of the book find what they name.

use std::collections::BTreeMap;

use cloudstack_usage::{
    AccountEntry, DomainEntry, DomainId, History, Holder, Inventory, ProjectEntry, TagHistory,
};

use crate::usage::Stream;

/// The inventory with what only records know added to it; none where they know no more.
pub(crate) fn with_owners_of_records(
    inventory: &Inventory,
    streams: &[Stream],
) -> Option<Inventory> {
    let missing: Vec<&Stream> = streams
        .iter()
        .filter(|stream| !is_known(inventory, stream))
        .collect();
    if missing.is_empty() {
        return None;
    }
    let mut complete = inventory.clone();
    let mut by_path: BTreeMap<String, DomainId> = inventory
        .domains
        .values()
        .filter_map(|entry| Some((entry.path.last()?.clone(), entry.id.clone())))
        .collect();
    for stream in &missing {
        if let Some(path) = &stream.shown.domain_path {
            by_path
                .entry(path.clone())
                .or_insert_with(|| stream.key.domain.clone());
        }
    }
    for stream in missing {
        add_domain(&mut complete, &mut by_path, stream);
        add_holder(&mut complete, stream);
    }
    Some(complete)
}

fn is_known(inventory: &Inventory, stream: &Stream) -> bool {
    let holder = match &stream.key.holder {
        Holder::Project(id) => inventory.projects.contains_key(id),
        Holder::Account(id) => inventory.accounts.contains_key(id),
        Holder::Unknown => true,
    };
    holder && inventory.domains.contains_key(&stream.key.domain)
}

/// Adds the domain with those above it, as far as the path tells. A domain above that has
/// no id of its own in any record is known by its path.
fn add_domain(
    inventory: &mut Inventory,
    by_path: &mut BTreeMap<String, DomainId>,
    stream: &Stream,
) {
    let Some(path) = &stream.shown.domain_path else {
        return;
    };
    let mut id = stream.key.domain.clone();
    let mut path = path.as_str();
    while !inventory.domains.contains_key(&id) {
        let above = path.rsplit_once('/').map(|(above, _)| above);
        let parent = above.map(|above| {
            by_path
                .entry(above.to_owned())
                .or_insert_with(|| DomainId::new(above))
                .clone()
        });
        let name = path.rsplit('/').next().unwrap_or(path);
        inventory.domains.insert(
            id.clone(),
            DomainEntry {
                id: id.clone(),
                name: History::constant(name.to_owned()),
                path: History::constant(path.to_owned()),
                parent: parent.clone(),
                tags: TagHistory::default(),
            },
        );
        let (Some(parent), Some(above)) = (parent, above) else {
            break;
        };
        id = parent;
        path = above;
    }
}

fn add_holder(inventory: &mut Inventory, stream: &Stream) {
    let name = stream
        .shown
        .holder_name
        .clone()
        .map(History::constant)
        .unwrap_or_default();
    match &stream.key.holder {
        Holder::Project(id) => {
            inventory
                .projects
                .entry(id.clone())
                .or_insert_with(|| ProjectEntry {
                    id: id.clone(),
                    name,
                    domain: History::new(),
                    tags: TagHistory::default(),
                });
        }
        Holder::Account(id) => {
            inventory
                .accounts
                .entry(id.clone())
                .or_insert_with(|| AccountEntry {
                    id: id.clone(),
                    name,
                    domain: History::new(),
                    tags: TagHistory::default(),
                });
        }
        Holder::Unknown => {}
    }
}
