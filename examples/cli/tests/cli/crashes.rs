//! A sync that is killed leaves nothing that a later one does not put right.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use csbill_replay::{Options, ReplayServer};

use crate::support::{dump, good, last_sync, server, sync};

/// How often a sync is killed, over all databases, unless `CSBILL_TEST_KILLS` says otherwise.
const KILLS: u32 = 50;
/// Into how many databases.
const DATABASES: u32 = 5;

/// The number of kills asked for by the environment.
pub(crate) fn kills(default: u32) -> u32 {
    let asked = std::env::var("CSBILL_TEST_KILLS").ok();
    asked.map_or(default, |text| text.parse().unwrap())
}

#[test]
fn many_killed_syncs_and_one_more_give_what_one_clean_sync_gives() {
    let kills = kills(KILLS);
    let server = server(Options::default());
    let at = last_sync();
    let clean = tempfile::tempdir().unwrap();
    let begun = Instant::now();
    good(&mut sync(clean.path(), &server, &at));
    let whole = begun.elapsed();
    let requests = u32::try_from(server.requests().len()).unwrap();
    let expected = dump(&clean.path().join("csbill.sqlite"));
    let mut killed = 0;
    for database in 0..DATABASES {
        let folder = tempfile::tempdir().unwrap();
        for attempt in 0..kills / DATABASES {
            let moment = Moment::of(database * (kills / DATABASES) + attempt, requests, whole);
            let mut command = sync(folder.path(), &server, &at);
            killed += u32::from(kill_at(&mut command, &server, &moment));
        }
        good(&mut sync(folder.path(), &server, &at));
        let found = dump(&folder.path().join("csbill.sqlite"));
        assert!(
            found == expected,
            "database {database} differs from a clean one"
        );
    }
    assert!(
        killed > kills / 3,
        "only {killed} syncs were still running when killed"
    );
}

/// When a sync is killed: once CloudStack has answered so many of its requests, and some
/// time later.
pub(crate) struct Moment {
    requests: u32,
    delay: Duration,
}

impl Moment {
    /// Kills are spread over the whole run without a pattern (golden ratio, in parts of 2^16):
    /// two thirds while it fetches, the others while it stores.
    pub(crate) fn of(kill: u32, requests: u32, whole: Duration) -> Self {
        let part = kill.wrapping_mul(40_503) % 65_536;
        let (requests, delay) = if kill.is_multiple_of(3) {
            (requests, whole * part / 65_536 / 2)
        } else {
            (requests * part / 65_536, Duration::ZERO)
        };
        Self { requests, delay }
    }

    /// Waits for it, or until the sync has ended.
    pub(crate) fn wait(&self, answered: impl Fn() -> usize, sync: &mut Child) {
        while answered() < self.requests as usize && sync.try_wait().unwrap().is_none() {
            std::thread::sleep(Duration::from_millis(1));
        }
        std::thread::sleep(self.delay);
    }
}

/// Runs a sync and kills it. Says whether it was still running.
pub(crate) fn kill_at(command: &mut Command, server: &ReplayServer, moment: &Moment) -> bool {
    let before = server.requests().len();
    let mut child = command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    moment.wait(|| server.requests().len() - before, &mut child);
    child.kill().unwrap();
    !child.wait().unwrap().success()
}
