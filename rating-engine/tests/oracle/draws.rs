//! Random numbers, and the ids and instants made from them.

use chrono::{DateTime, Utc};

/// Random numbers, one after the other.
pub(crate) struct Draws(std::vec::IntoIter<u32>);

impl Draws {
    pub(crate) fn new(numbers: Vec<u32>) -> Self {
        Self(numbers.into_iter())
    }

    pub(crate) fn below(&mut self, bound: u32) -> u32 {
        self.0.next().expect("more random numbers") % bound
    }

    pub(crate) fn of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(u32::try_from(choices.len()).unwrap()) as usize]
    }

    pub(crate) fn chance(&mut self, percent: u32) -> bool {
        self.below(100) < percent
    }
}

pub(crate) fn id(kind: u32, number: u32) -> String {
    format!("{kind:08x}-0000-4000-a000-{number:012x}")
}

/// A second of the generated time, counted from 2026-10-01T00:00:00Z.
pub(crate) fn at(second: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_790_812_800 + second, 0).unwrap()
}

pub(crate) const DAY: i64 = 86_400;
