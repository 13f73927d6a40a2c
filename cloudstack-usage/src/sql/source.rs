//! CloudStack's databases as a source.

use chrono::{DateTime, Utc};

use super::database::Database;
use super::schema::Schema;
use super::{SqlServer, events, jobs, metadata, usage};
use crate::error::Error;
use crate::metadata::Kind;
use crate::period::Period;
use crate::source::{SnapshotFetch, Source, UsageFetch, UsagePage};
use crate::wire::SnapshotBuilder;

/// The database of the usage server, where the URL names none.
const USAGE: &str = "cloud_usage";
/// The database of the management server.
const CLOUD: &str = "cloud";

/// Reads usage and metadata from CloudStack's own databases, `cloud_usage` and `cloud`
/// (feature `sql`). Nothing is ever written there.
///
/// Records come out as `listUsageRecords` gives them, field by field, so that a store may be
/// filled by the one and go on with the other: their keys are the same. What SQL sees and the
/// API does not: usage of removed domains for everybody, the domain of the time of use
/// (from 4.22 on the API tells the present one), rows that CloudStack cannot list, and which
/// time the usage server covered at all (notices `usage_not_measured`), and when VMs were started
/// and stopped ([`VmEvent`](crate::VmEvent)), from the beginning of a month on that lies before
/// the usage of interest ([`usage_begins`](Source::usage_begins)).
///
/// Tables and columns are those of 4.11 to 4.23: what differs is asked of `information_schema`.
///
/// The user needs SELECT and nothing else:
///
/// ```sql
/// CREATE USER 'billing'@'10.0.0.5' IDENTIFIED BY '…';
/// GRANT SELECT ON cloud_usage.cloud_usage TO 'billing'@'10.0.0.5';
/// GRANT SELECT ON cloud_usage.usage_job TO 'billing'@'10.0.0.5';
/// GRANT SELECT (id, uuid, account_name, type, domain_id, state, created, removed)
///     ON cloud.account TO 'billing'@'10.0.0.5';
/// GRANT SELECT ON cloud.domain TO 'billing'@'10.0.0.5';
/// -- and so on: projects, vm_instance, user_vm, vm_instance_details (user_vm_details before
/// -- 4.21), volumes, service_offering, disk_offering, network_offerings, vm_template,
/// -- guest_os, guest_os_category, resource_tags, data_center, networks, vpc, domain_router,
/// -- user_ip_address, snapshots, vm_snapshots, firewall_rules, load_balancing_rules,
/// -- vpn_users, security_group, bucket, event, usage_event, usage_event_details
/// -- who set a tag; of this table never more, since it holds secrets:
/// GRANT SELECT (id, username) ON cloud.user TO 'billing'@'10.0.0.5';
/// ```
///
/// Never grant all of `user`, nor `configuration` or `api_keypair`: they hold secrets. A table that may
/// not be read is done without and named in a notice: its kind is not listed, and records lack
/// the ids that it would give. Grant it before the first sync, since records with other ids have
/// other keys. Prefer a replica.
///
/// ```no_run
/// use cloudstack_usage::{Period, Secret, Source, SqlServer, SqlSource};
///
/// // `?tls=on` encrypts, with the feature `sql-tls`
/// let server = SqlServer::parse("mysql://billing@replica.example.com/cloud_usage")?;
/// let mut source = SqlSource::connect(&server.with_password(Secret::new("…")))?;
/// let october = Period::parse("2026-10-01T00:00:00Z", "2026-11-01T00:00:00Z").unwrap();
/// let fetch = source.usage(october, &mut |page| {
///     println!("{} records", page.records.len());
///     Ok(())
/// })?;
/// assert!(fetch.complete);
/// # Ok::<(), cloudstack_usage::Error>(())
/// ```
#[derive(Debug)]
pub struct SqlSource {
    database: Database,
    schema: Schema,
    rows_a_page: u32,
    /// From when on usage is going to be asked for, where that is known.
    usage_from: Option<DateTime<Utc>>,
}

impl SqlSource {
    /// Connects to the server. Its database is that of the usage server, `cloud_usage` if it
    /// names none; that of the management server is `cloud` (see
    /// [`connect_to`](Self::connect_to)).
    ///
    /// # Errors
    /// When the server cannot be reached or refuses the user, or the tables are not there.
    pub fn connect(server: &SqlServer) -> Result<Self, Error> {
        Self::connect_to(server, CLOUD)
    }

    /// The same where the database of the management server has another name.
    ///
    /// # Errors
    /// As [`connect`](Self::connect).
    pub fn connect_to(server: &SqlServer, cloud: &str) -> Result<Self, Error> {
        let mut database = Database::connect(server)?;
        let usage = server.database().unwrap_or(USAGE);
        let schema = Schema::read(&mut database, usage, cloud)?;
        Ok(Self {
            database,
            schema,
            rows_a_page: 1000,
            usage_from: None,
        })
    }

    /// The same with so many rows a page.
    #[must_use]
    pub fn rows_a_page(mut self, number: u32) -> Self {
        self.rows_a_page = number.max(1);
        self
    }
}

impl Source for SqlSource {
    fn usage(
        &mut self,
        range: Period,
        sink: &mut dyn FnMut(UsagePage) -> Result<(), Error>,
    ) -> Result<UsageFetch, Error> {
        let mut notices = jobs::notices(&mut self.database, &self.schema, range)?;
        notices.extend(usage::notice(&self.schema));
        usage::read(
            &mut self.database,
            &self.schema,
            range,
            self.rows_a_page,
            sink,
        )?;
        Ok(UsageFetch {
            notices,
            complete: true,
        })
    }

    fn usage_begins(&mut self, from: DateTime<Utc>) {
        self.usage_from = Some(from);
    }

    fn snapshot(&mut self, at: DateTime<Utc>, kinds: &[Kind]) -> Result<SnapshotFetch, Error> {
        let mut builder = SnapshotBuilder::new(at);
        for kind in kinds {
            let (database, schema) = (&mut self.database, &self.schema);
            match kind {
                Kind::VmEvent => {
                    let horizon = events::horizon(self.usage_from.unwrap_or(at).min(at));
                    events::list(database, schema, horizon, self.rows_a_page, &mut builder)?;
                }
                _ => metadata::list(database, schema, *kind, &mut builder)?,
            }
        }
        Ok(builder.finish())
    }
}
