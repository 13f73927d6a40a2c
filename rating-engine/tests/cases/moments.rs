//! Group C: tiers by what is there at each moment, with additions and removals.

use proptest::prelude::*;
use rating_engine::{Bill, Exact, PriceBook};

use crate::Case;
use crate::support::{Cloud, book, book_text, book_with, decimal, exact, lines, month, number};

/// Addresses of one account with a price for each, in tiers of five.
fn addresses(fields: &str) -> String {
    format!(
        "[[price]]\nid = \"ip\"\nmeter = \"ip\"\nper = \"month\"\naccumulate = \"account\"\ncount_over = \"moment\"\n{fields}\n"
    )
}

const TWO_TIERS: &str =
    "tiers = [{ up_to = 5, amount = 10, flat = 100 }, { amount = 5, flat = 50 }]";

/// Addresses that are there from one day of September to another.
fn held(groups: &[(usize, &str, &str)]) -> Cloud {
    let mut cloud = Cloud::new();
    for (group, (count, start, end)) in groups.iter().enumerate() {
        for one in 0..*count {
            cloud = cloud.ip(&format!("ip{group}-{one}"), start, end);
        }
    }
    cloud
}

fn september(fields: &str, cloud: &Cloud) -> Bill {
    let book = book(&addresses(fields));
    cloud.rate(&book, month(&book, "2026-09"))
}

/// Four for 21 of 30 days, two more for 15, and three fewer for the last six: the shares of
/// the case, 4 x 0.7, 2 x 0.5 and -3 x 0.2.
pub(crate) fn the_upper_tier_is_left_first(case: &Case) {
    let end = "2026-10-05";
    // whichever three are given back, those that stay stand in the lower tier
    let given_back = [
        [
            (1, "2026-09-10", "2026-09-25"),
            (3, "2026-09-10", end),
            (2, "2026-09-16", "2026-09-25"),
        ],
        [
            (3, "2026-09-10", "2026-09-25"),
            (1, "2026-09-10", end),
            (2, "2026-09-16", end),
        ],
    ];
    for groups in given_back {
        let bill = september(TWO_TIERS, &held(&groups));
        case.expect_shown(0, &exact(&bill, "ip"));
        assert_eq!(bill.total.amount(), "180.50");
    }
    // the flat amount of a tier is due once, however often it is reached
    let again = held(&[
        (5, "2026-08-20", end),
        (1, "2026-09-04", "2026-09-07"),
        (1, "2026-09-10", "2026-09-16"),
    ]);
    // 5 x 10 + 3/30 x 5 + 6/30 x 5 + 150
    assert_eq!(exact(&september(TWO_TIERS, &again), "ip"), number("201.5"));
    // four for half of it and eight for the other half: 40 and 50 + 3 x 5, half of each; over
    // the month together they are six, 50 + 5
    let halves = held(&[(4, "2026-08-20", end), (4, "2026-09-16", end)]);
    assert_eq!(exact(&september(TWO_TIERS, &halves), "ip"), number("202.5"));
    let over_month = TWO_TIERS.to_owned() + "\ncount_over = \"month\"";
    let rows = addresses("").replace("count_over = \"moment\"\n", "") + &over_month;
    let month_book = book(&rows);
    let together = halves.rate(&month_book, month(&month_book, "2026-09"));
    assert_eq!(exact(&together, "ip"), number("205"));
    other_kinds();
    sizes_that_change();
}

fn other_kinds() {
    let cloud = held(&[
        (4, "2026-08-20", "2026-10-05"),
        (4, "2026-09-16", "2026-10-05"),
    ]);
    let cost = |fields: &str| exact(&september(fields, &cloud), "ip");
    // the first two are free at any time: 2 x 3 for half of it, 6 x 3 for the rest
    assert_eq!(cost("amount = 3\nfree = 2"), Exact::from(12));
    // started blocks of three: 2, then 3 of them
    assert_eq!(cost("amount = 7\nblock = 3"), number("17.5"));
    // all at the price of the tier: 4 x 4, then 8 x 3
    let volume = "tier_mode = \"volume\"\ntiers = [{ up_to = 5, amount = 4 }, { amount = 3 }]";
    assert_eq!(cost(volume), Exact::from(20));
}

/// GiB stand in the tiers like addresses do, and more of them from a resize on.
fn sizes_that_change() {
    let rows = "[[price]]\nid = \"disk\"\nmeter = \"disk\"\nper = \"day\"\naccumulate = \"project\"\ncount_over = \"moment\"\ntiers = [{ up_to = 10, amount = 2 }, { amount = 1 }]\n";
    let book = book(rows);
    let cloud = Cloud::new()
        .volume("a", 8 << 30, None, "2026-09-04", "2026-09-08")
        .volume("b", 4 << 30, None, "2026-09-05", "2026-09-07")
        .with_volume(|disk| {
            disk.size.push((crate::support::at("2026-09-06"), 1 << 30));
        });
    let bill = cloud.rate(&book, month(&book, "2026-09"));
    // 8, 12, 9 and 8 GiB for a day each: 16 + 22 + 18 + 16
    assert_eq!(exact(&bill, "disk"), Exact::from(72));
    // who came later stands behind: b has 2 of its 4 GiB in the upper tier
    let of_b: Vec<Exact> = lines(&bill)
        .iter()
        .filter(|line| line.resource.to_string() == "b")
        .map(|line| line.net.clone())
        .collect();
    assert_eq!(of_b.iter().sum::<Exact>(), Exact::from(8));
}

/// Cost by counting hour by hour what is there: nothing of the engine's sweep.
fn by_the_hour(lives: &[(u32, u32)], bound: u32, amounts: [u32; 2], flats: [u32; 2]) -> Exact {
    let (mut sum, mut most) = (0, 0);
    for hour in 0..720 {
        let count = lives
            .iter()
            .filter(|(from, until)| *from <= hour && hour < *until);
        let count = u32::try_from(count.count()).unwrap();
        sum += count.min(bound) * amounts[0] + count.saturating_sub(bound) * amounts[1];
        most = most.max(count);
    }
    let flat = match most {
        0 => 0,
        most if most <= bound => flats[0],
        _ => flats[0] + flats[1],
    };
    Exact::ratio(i128::from(sum), 720).unwrap() + Exact::from(i128::from(flat))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn tiers_of_a_moment_are_those_of_every_hour(
        lives in prop::collection::vec((0_u32..700, 1_u32..20), 1..9),
        bound in 1_u32..6,
        amounts in prop::array::uniform2(0_u32..50),
        flats in prop::array::uniform2(0_u32..50),
    ) {
        let lives: Vec<(u32, u32)> = lives.iter().map(|(from, span)| (*from, from + span)).collect();
        let at = |hour: u32| format!("2026-09-{:02} {:02}:00", hour / 24 + 1, hour % 24);
        let mut cloud = Cloud::new();
        for (index, (from, until)) in lives.iter().enumerate() {
            let last = if *until < 720 { at(*until) } else { "2026-10-01".to_owned() };
            cloud = cloud.vm(&format!("m{index}"), 1, 1, &at(*from), &last);
        }
        let fields = format!(
            "tiers = [{{ up_to = {bound}, amount = {}, flat = {} }}, {{ amount = {}, flat = {} }}]",
            amounts[0], flats[0], amounts[1], flats[1],
        );
        let lives: Vec<(u32, u32)> = lives.iter().map(|(from, until)| (*from, (*until).min(720))).collect();
        // VMs have a creation, which tells where in a window they were
        let book = book(&addresses(&fields).replace("\"ip\"", "\"vm\""));
        let bill = cloud.rate(&book, month(&book, "2026-09"));
        prop_assert_eq!(exact(&bill, "vm"), by_the_hour(&lives, bound, amounts, flats));
    }
}

#[test]
fn what_cannot_be_counted_at_a_moment_is_refused() {
    let refused = |settings: &str, rows: &str| {
        let errors = PriceBook::from_toml(&book_text(settings, rows)).unwrap_err();
        let errors = errors.errors().to_vec();
        assert_eq!(errors.len(), 1, "{errors:?}");
        (errors[0].slug(), errors[0].place().to_owned())
    };
    let field = ("conflict", "price[1].count_over".to_owned());
    assert_eq!(refused("", &addresses("amount = 1")), field);
    assert_eq!(
        refused("", &addresses("amount = 1\nkind = \"flat\"")),
        field
    );
    let volume =
        "tier_mode = \"volume\"\ntiers = [{ up_to = 5, amount = 4, flat = 1 }, { amount = 3 }]";
    assert_eq!(refused("", &addresses(volume)), field);
    let once = addresses("amount = 1\nblock = 2").replace("\"month\"", "\"once\"");
    assert_eq!(refused("", &once), field);
    let row = ("conflict", "price[1]".to_owned());
    let days = addresses("amount = 1\nblock = 2\nproration = \"day\"");
    assert_eq!(refused("", &days), row);
    assert_eq!(
        refused(
            "proration = \"started-day\"",
            &addresses("amount = 1\nblock = 2")
        ),
        row
    );
    // the price may say otherwise than the book
    let own = addresses("amount = 1\nblock = 2\nproration = \"second\"");
    let book = book_with("proration = \"started-day\"", &own);
    assert_eq!(
        decimal(
            &exact(
                &held(&[(3, "2026-08-20", "2026-10-05")]).rate(&book, month(&book, "2026-09")),
                "ip"
            ),
            2
        ),
        "2.00"
    );
}
