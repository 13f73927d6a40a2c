//! A sync that is killed leaves nothing that a later one does not put right.

use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use csbill_replay::{Options, ReplayServer};

use crate::support::{dump, good, last_sync, server, sync};

/// How often a sync is killed, over all databases.
const KILLS: u32 = 50;
/// Into how many databases.
const DATABASES: u32 = 5;

#[test]
fn fifty_killed_syncs_and_one_more_give_what_one_clean_sync_gives() {
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
        for attempt in 0..KILLS / DATABASES {
            let kill = database * (KILLS / DATABASES) + attempt;
            // spread over the whole run without a pattern (golden ratio, in parts of 2^16)
            let part = kill.wrapping_mul(40_503) % 65_536;
            // two thirds while it fetches, the others while it stores
            let (after, delay) = if kill.is_multiple_of(3) {
                (requests, whole * part / 65_536 / 2)
            } else {
                (requests * part / 65_536, Duration::ZERO)
            };
            killed += u32::from(kill_after(folder.path(), &server, &at, after, delay));
        }
        good(&mut sync(folder.path(), &server, &at));
        let found = dump(&folder.path().join("csbill.sqlite"));
        assert!(
            found == expected,
            "database {database} differs from a clean one"
        );
    }
    assert!(
        killed > KILLS / 3,
        "only {killed} syncs were still running when killed"
    );
}

/// Kills a sync once the server has answered so many of its requests, and some time later.
/// Says whether it was still running.
fn kill_after(
    folder: &Path,
    server: &ReplayServer,
    at: &str,
    requests: u32,
    delay: Duration,
) -> bool {
    let before = server.requests().len();
    let mut child = sync(folder, server, at)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let reached = || server.requests().len() - before >= requests as usize;
    while !reached() && child.try_wait().unwrap().is_none() {
        std::thread::sleep(Duration::from_millis(1));
    }
    std::thread::sleep(delay);
    child.kill().unwrap();
    !child.wait().unwrap().success()
}
