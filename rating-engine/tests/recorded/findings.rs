//! What was wrong with the recorded month: all of it, and nothing else.

use std::collections::BTreeSet;

use rating_engine::{Bill, Exact, FindingKind};

use super::World;

const GIB: u64 = 1 << 30;

fn assert_counts_add_up(bill: &Bill) {
    let counts = &bill.counts;
    let accounted = counts.charged + counts.exempt + counts.reference + counts.held;
    assert_eq!(counts.records, accounted, "{counts:?}");
    assert_eq!(counts.held, 0);
    assert!(counts.charged > 0 && counts.exempt > 0 && counts.reference > 0);
}

/// Kind and name of everything found.
fn named(bill: &Bill) -> BTreeSet<(&'static str, String)> {
    let findings = bill.findings.iter();
    findings
        .map(|finding| {
            let name = finding.resource_name.clone().or(finding.owner.clone());
            (finding.kind.slug(), name.unwrap_or_default())
        })
        .collect()
}

#[test]
fn the_findings_of_the_month_are_these_and_no_others() {
    for world in World::all() {
        let runs = [
            ("usage-daily", world.utc),
            ("usage-hourly", world.utc),
            ("usage-daily", world.berlin),
            ("usage-daily-berlin", world.berlin),
        ];
        for (folder, zone) in runs {
            let input = world.input(folder);
            let bill = world.bill(input, zone);
            let what = format!("{folder} in {zone}");
            assert_counts_add_up(&bill);
            let name = |text: &str| world.recording.name(text);
            let expected = BTreeSet::from([
                ("not_metered", name("ROOT-19")),
                (
                    "owner_not_metered",
                    format!("ROOT/{}, account ops", name("provider")),
                ),
                // cost centres that the first sync of all showed: nothing says since when
                ("no_history", name("SAP-PRD")),
                ("no_history", name("SAP-DEV")),
                ("no_history", name("Webshop")),
            ]);
            assert_eq!(named(&bill), expected, "{what}");
            assert_eq!(bill.findings.len(), expected.len(), "{what}");
            assert_the_lost_volume(world, &bill, &world.id(&input.inventory, "ROOT-19"));
        }
    }
}

/// 2 GiB at the 0.08 of what no other disk tier is for, for the whole month.
fn assert_the_lost_volume(world: &World, bill: &Bill, id: &str) {
    let lost = bill
        .findings
        .iter()
        .find(|finding| finding.kind == FindingKind::NotMetered)
        .unwrap();
    assert_eq!(lost.resource.as_ref().unwrap().to_string(), id);
    assert_eq!(lost.millis, i128::from(bill.period.millis()));
    assert_eq!(lost.period, Some(bill.period));
    let price = Exact::ratio(8, 100).unwrap();
    let volume = &world
        .events
        .uses
        .iter()
        .find(|used| used.resource == id)
        .unwrap();
    assert_eq!(volume.level.0, 2 * GIB);
    assert_eq!(lost.value, Some(price * Exact::from(2)));
    assert_eq!(
        lost.owner,
        Some(format!(
            "ROOT/{}, project {}",
            world.recording.name("nordwind"),
            world.recording.name("SAP-PRD")
        ))
    );
    // it is on no line
    let mut lines = bill
        .statements
        .iter()
        .flat_map(|statement| &statement.lines);
    assert!(lines.all(|line| line.resource.to_string() != id));

    // the provider's own account holds an address and is never metered: 3.00 for the month
    let owner = bill
        .findings
        .iter()
        .find(|finding| finding.kind == FindingKind::OwnerNotMetered)
        .unwrap();
    assert_eq!(owner.millis, i128::from(bill.period.millis()));
    assert_eq!(owner.value, Some(Exact::from(3)));
}
