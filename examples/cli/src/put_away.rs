//! Months of a database that were put away into archives.

use cloudstack_usage::store::{
    ArchivedMonth, StoreError, StoredRow, UsageStore, archived_time, archived_within,
};

use crate::exit::Exit;
use crate::failure::Failure;
use crate::input::DatabaseArgs;

/// A month that is in an archive.
pub(crate) struct PutAway {
    pub(crate) known: ArchivedMonth,
    /// Records of it that came after it had left.
    pub(crate) late: u64,
}

/// Opens the database, to write only where that is needed.
///
/// # Errors
/// When there is none, or it cannot be opened.
pub(crate) fn open(
    database: &DatabaseArgs,
    writing: bool,
) -> Result<Box<dyn UsageStore + Send>, Failure> {
    let location = database.location()?;
    if !location.may_exist() {
        let message = format!("there is no database {location}; run `csbill sync` first");
        return Err(Failure::new(Exit::Store, message));
    }
    Ok(if writing {
        location.open()?
    } else {
        location.open_read_only()?
    })
}

/// The months that are out of the database, in order.
///
/// # Errors
/// When the database cannot be read.
pub(crate) fn months(store: &mut dyn UsageStore, cloud: &str) -> Result<Vec<PutAway>, StoreError> {
    let known = store.archived_months(cloud)?;
    let mut late = vec![0_u64; known.len()];
    for time in archived_time(known.iter().map(|month| month.month)) {
        store.stored_rows(cloud, time, &mut |row| {
            let StoredRow::Usage(row) = row else {
                return Ok(());
            };
            let window = row.stored.record.window;
            if !time.covers(&window) {
                return Ok(());
            }
            let of = archived_within(&known, window);
            let first = of.first().map(|month| month.month);
            let at = known.iter().position(|month| Some(month.month) == first);
            if let Some(late) = at.and_then(|at| late.get_mut(at)) {
                *late += 1;
            }
            Ok(())
        })?;
    }
    let both = known.into_iter().zip(late);
    Ok(both.map(|(known, late)| PutAway { known, late }).collect())
}
