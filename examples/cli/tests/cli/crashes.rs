//! A sync that is killed leaves nothing that a later one does not put right.

use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use csbill_replay::Options;

use crate::support::{dump, good, last_sync, server, sync};

/// How often a sync is killed, over all databases.
const KILLS: u32 = 50;
/// Into how many databases.
const DATABASES: u32 = 10;

#[test]
fn fifty_killed_syncs_and_one_more_give_what_one_clean_sync_gives() {
    let server = server(Options::default());
    let at = last_sync();
    let clean = tempfile::tempdir().unwrap();
    let begun = Instant::now();
    good(&mut sync(clean.path(), &server, &at));
    let whole = begun.elapsed();
    let expected = dump(&clean.path().join("csbill.sqlite"));
    let mut killed = 0;
    for database in 0..DATABASES {
        let folder = tempfile::tempdir().unwrap();
        for attempt in 0..KILLS / DATABASES {
            // moments spread over the whole run without a pattern (golden ratio, in 2^16 parts)
            let part = (database * (KILLS / DATABASES) + attempt).wrapping_mul(40_503) % 65_536;
            killed += u32::from(kill_after(
                folder.path(),
                &server,
                &at,
                whole * part / 65_536,
            ));
        }
        good(&mut sync(folder.path(), &server, &at));
        let found = dump(&folder.path().join("csbill.sqlite"));
        assert!(
            found == expected,
            "database {database} differs from a clean one"
        );
    }
    assert!(
        killed > KILLS / 2,
        "only {killed} syncs were still running when killed"
    );
}

/// Whether it was still running.
fn kill_after(
    folder: &Path,
    server: &csbill_replay::ReplayServer,
    at: &str,
    moment: Duration,
) -> bool {
    let mut child = sync(folder, server, at)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    std::thread::sleep(moment);
    child.kill().unwrap();
    !child.wait().unwrap().success()
}
