//! What a line says of itself gives its amount again, computed here by other means.

use num_bigint::BigInt;
use rating_engine::{Bill, DiscountAmount, LineItem, PriceBook, PriceKind, Segment};

use super::lines;

/// A fraction kept as two integers, never reduced: nothing of the engine's arithmetic.
#[derive(Debug, Clone)]
struct Fraction(BigInt, BigInt);

impl Fraction {
    fn whole(number: i128) -> Self {
        Self(number.into(), 1.into())
    }

    fn parse(text: &str) -> Self {
        if let Some((numerator, denominator)) = text.split_once('/') {
            return Self(numerator.parse().unwrap(), denominator.parse().unwrap());
        }
        let (whole, part) = text.split_once('.').unwrap_or((text, ""));
        let places = u32::try_from(part.len()).unwrap();
        Self(
            format!("{whole}{part}").parse().unwrap(),
            BigInt::from(10).pow(places),
        )
    }

    fn times(&self, other: &Self) -> Self {
        Self(&self.0 * &other.0, &self.1 * &other.1)
    }

    fn over(&self, number: i128) -> Self {
        Self(self.0.clone(), &self.1 * BigInt::from(number))
    }

    fn plus(&self, other: &Self) -> Self {
        Self(&self.0 * &other.1 + &other.0 * &self.1, &self.1 * &other.1)
    }

    fn is(&self, other: &Self) -> bool {
        &self.0 * &other.1 == &other.0 * &self.1
    }
}

/// The base units in a unit: what a person reads in the price's words.
fn unit_size(name: &str) -> i128 {
    match name {
        "each" | "vCPU" | "VM" => 1,
        "GiB" => 1 << 30,
        other => panic!("no unit {other} in these books"),
    }
}

/// Amount = level x time x price / (unit x period of the price), counted things without time.
fn replay_list(line: &LineItem, segment: &Segment, amount: &Fraction) -> Fraction {
    let unit = line.unit.split('-').next().unwrap();
    // memory is measured in MiB
    let size = if line.item.name() == "ram" {
        1024
    } else {
        unit_size(unit)
    };
    let Some(period) = segment.price_period_millis else {
        // counted: the segment has the number in the price's unit
        return Fraction::parse(&segment.quantity.to_string()).times(amount);
    };
    Fraction::whole(segment.level)
        .times(&Fraction::whole(i128::from(segment.used_millis)))
        .times(amount)
        .over(i128::from(period))
        .over(size)
}

/// What is left of it after the line's percentages, by the book's words for adding them up.
fn replay_net(book: &PriceBook, add_up: bool, line: &LineItem, list: &Fraction) -> Fraction {
    let percents = line.discounts.iter().map(|id| {
        let discount = book
            .discounts()
            .iter()
            .find(|discount| discount.id == *id)
            .unwrap();
        let DiscountAmount::Percent(percent) = discount.amount else {
            panic!("percent only")
        };
        Fraction::parse(&percent.to_string())
    });
    if add_up {
        let sum = percents.fold(Fraction::whole(0), |sum, percent| sum.plus(&percent));
        let left = &sum.1 * BigInt::from(100) - &sum.0;
        let left = left.max(BigInt::from(0));
        return list.times(&Fraction(left, sum.1)).over(100);
    }
    percents.fold(list.clone(), |left, percent| {
        let rest = &percent.1 * BigInt::from(100) - &percent.0;
        left.times(&Fraction(rest, percent.1)).over(100)
    })
}

/// Works out every line of a bill again, of a book with prices per unit and percentages;
/// `add_up` where its percentages are added instead of multiplied.
pub(crate) fn replay(book: &PriceBook, add_up: bool, bill: &Bill) {
    for line in lines(bill) {
        let mut net = Fraction::whole(0);
        for segment in &line.explanation.segments {
            if line.exemption.is_some() {
                assert!(segment.net.is_zero());
                continue;
            }
            let price = book
                .prices()
                .iter()
                .find(|price| price.id == line.price)
                .unwrap();
            let PriceKind::PerUnit(amount) = &price.kind else {
                panic!("per unit only")
            };
            let list = replay_list(line, segment, &Fraction::parse(&amount.to_string()));
            let list = line.factors.iter().fold(list, |list, factor| {
                list.times(&Fraction::parse(&factor.by.to_string()))
            });
            assert!(
                list.is(&Fraction::parse(&segment.list.to_string())),
                "{}",
                line.explain()
            );
            let after = replay_net(book, add_up, line, &list);
            assert!(
                after.is(&Fraction::parse(&segment.net.to_string())),
                "{}",
                line.explain()
            );
            net = net.plus(&after);
        }
        assert!(
            net.is(&Fraction::parse(&line.net.to_string())),
            "{}",
            line.explain()
        );
    }
}
