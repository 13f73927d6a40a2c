//! The conformance cases of `cases/rating.jsonl`, each from a price book's text and usage
//! records as the API sends them to a bill. Expected values are read from the file.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a helper that fails fails its test"
)]

#[path = "builders/mod.rs"]
mod support;

#[path = "cases/corrections.rs"]
mod corrections;
#[path = "cases/customers.rs"]
mod customers;
#[path = "cases/discounts.rs"]
mod discounts;
#[path = "cases/domain.rs"]
mod domain;
#[path = "cases/factors.rs"]
mod factors;
#[path = "builders/hashmap.rs"]
mod hashmap;
#[path = "cases/hygiene.rs"]
mod hygiene;
#[path = "cases/moments.rs"]
mod moments;
#[path = "cases/monthly.rs"]
mod monthly;
#[path = "cases/percentages.rs"]
mod percentages;
#[path = "cases/proration.rs"]
mod proration;
#[path = "cases/quota.rs"]
mod quota;
#[path = "cases/rounding.rs"]
mod rounding;
#[path = "cases/tiers.rs"]
mod tiers;
#[path = "cases/zones.rs"]
mod zones;

use serde_json::Value;

/// A case as the file has it.
pub(crate) struct Case {
    pub(crate) id: String,
    pub(crate) expected: Vec<String>,
}

impl Case {
    /// The expected value at this place.
    pub(crate) fn value(&self, index: usize) -> &str {
        &self.expected[index]
    }

    /// Compares amounts with all expected values, as numbers and in their order.
    pub(crate) fn expect(&self, found: &[String]) {
        assert_eq!(found.len(), self.expected.len(), "{}: {found:?}", self.id);
        for (found, expected) in found.iter().zip(&self.expected) {
            assert_eq!(
                support::number(found),
                support::number(expected),
                "{}: found {found}, expected {expected}",
                self.id
            );
        }
    }

    /// Compares one exact number, rounded half away from zero to the expected value's places.
    pub(crate) fn expect_shown(&self, index: usize, found: &rating_engine::Exact) {
        let expected = self.value(index);
        let places = expected.split_once('.').map_or(0, |(_, part)| part.len());
        let shown = support::decimal(found, u32::try_from(places).unwrap());
        assert_eq!(shown, expected, "{}: exactly {found}", self.id);
    }
}

fn cases() -> Vec<Case> {
    include_str!("cases/rating.jsonl")
        .lines()
        .filter(|line| !line.trim().is_empty())
        .map(|line| {
            let json: Value = serde_json::from_str(line).unwrap();
            let expected = json["expected"].as_array().unwrap();
            Case {
                id: json["id"].as_str().unwrap().to_owned(),
                expected: expected
                    .iter()
                    .map(|value| value.as_str().unwrap().to_owned())
                    .collect(),
            }
        })
        .collect()
}

fn case(name: &str) -> Case {
    let found = cases()
        .into_iter()
        .find(|case| case.id.eq_ignore_ascii_case(name));
    found.unwrap_or_else(|| panic!("no case {name} in the file"))
}

/// Makes a test of each case, and names those that are tested elsewhere.
macro_rules! table {
    (rated { $($id:ident => $test:path;)+ } in_export { $($export:ident)+ } in_rules { $($rule:ident)+ }) => {
        mod rated {
            use super::*;
            $(#[test] fn $id() { $test(&super::case(stringify!($id))); })+
        }
        const RATED: &[&str] = &[$(stringify!($id)),+];
        /// Those about what the bill is written as, which is another crate's.
        const IN_EXPORT: &[&str] = &[$(stringify!($export)),+];
        /// Those whose rules stand in `rules.rs`.
        const IN_RULES: &[&str] = &[$(stringify!($rule)),+];
    };
}

table! {
    rated {
        a01 => monthly::ten_hours_of_a_month_price;
        a02 => monthly::a_full_month_of_720_hours;
        a03 => monthly::a_full_month_of_744_hours;
        a06 => monthly::a_full_month_at_29_99;
        a07 => monthly::a_tiny_price_times_a_tebibyte;
        a08 => monthly::an_hour_of_a_long_month;
        a10 => monthly::an_hour_of_a_short_month;
        a11 => monthly::an_hour_in_each_month_of_a_year;
        a12 => monthly::ten_bytes_of_traffic;
        a13 => monthly::ten_operations;
        a14 => monthly::many_hours_to_seventeen_places;
        a15 => monthly::a_gigabyte_month_made_of_a_day;
        a16 => monthly::half_a_month_of_a_thousand_units;
        a17 => monthly::gigabyte_hours_under_730;
        a19 => monthly::civil_months_in_their_zones;
        a20 => monthly::a_long_month_under_730;
        a21 => monthly::a_cap_of_672_hours;
        a22 => monthly::day_by_day_is_the_same_as_at_once;
        a23 => monthly::a_window_across_a_month_end;
        b01 => rounding::ties_both_ways;
        b03 => rounding::yen_have_no_places;
        b04 => rounding::a_custom_number_of_places;
        b05 => rounding::quantities_rounded_first;
        b12 => rounding::equal_remainders_go_to_the_first_line;
        b13 => rounding::two_half_cents;
        b15 => rounding::three_equal_shares;
        b16 => rounding::many_lines_below_a_cent;
        b20 => rounding::a_unit_price_with_many_places;
        b21 => rounding::an_amount_below_the_minor_unit;
        c02 => tiers::fractional_bounds;
        c05 => tiers::nothing_falls_between_tiers;
        c07 => tiers::volume_prices_may_fall;
        c09 => tiers::five_tiers;
        c13 => tiers::flat_and_unit_tiers;
        c14 => tiers::graduated_and_volume;
        c15 => tiers::blocks_in_tiers;
        c17 => tiers::one_tier_of_blocks;
        c21 => tiers::tiers_by_their_first_unit;
        c22 => tiers::started_packages;
        c25 => tiers::packages_after_free_units;
        c26 => tiers::a_free_hundred;
        c27 => tiers::packages_of_twenty;
        c28 => percentages::a_percentage_with_free_units_and_events;
        c30 => tiers::tiers_add_up_over_the_period;
        c32 => tiers::proportional_or_in_blocks;
        c33 => tiers::stair_steps;
        c34 => tiers::three_graduated_tiers;
        c35 => tiers::a_volume_table;
        c37 => tiers::a_plain_unit_price;
        c42 => moments::the_upper_tier_is_left_first;
        d08 => proration::two_parts_of_thirty_days;
        d20 => proration::never_more_than_the_price;
        d21 => proration::change_on_the_fifteenth;
        d23 => proration::change_and_cancel_on_one_day;
        d24 => proration::more_seats;
        d26 => proration::change_in_the_middle;
        d27 => proration::sixteen_days_left;
        d28 => proration::share_by_the_second_and_by_the_day;
        d32 => proration::half_of_an_odd_amount;
        d33 => proration::half_of_thirty_days;
        d34 => proration::changes_at_the_edges;
        d35 => proration::several_changes_at_once;
        d37 => proration::units_from_the_fifth;
        d42 => proration::one_day_rounded_once;
        e02 => factors::a_factor_on_an_image_of_one_flavour;
        e03 => factors::the_highest_size_reached;
        e07 => factors::two_factors_multiply;
        e09 => factors::a_projects_own_factor;
        e10 => customers::a_storage_tag_has_its_price;
        e11 => customers::numbers_and_texts_match;
        e13 => quota::tariffs_chained_by_position;
        e14 => customers::a_customers_own_price;
        e16 => customers::a_record_across_a_price_change;
        e17 => customers::inclusive_ends_that_overlap;
        e18 => customers::two_equal_rules_are_refused;
        f04 => discounts::a_third_of_a_unit_of_ten;
        f05 => discounts::percentages_multiply_in_one_scope;
        f06 => discounts::fixed_amounts_add_up;
        f08 => discounts::percent_comes_before_fixed;
        f09 => discounts::free_units_go_in_time_order;
        f19b => discounts::percentages_out_of_range;
        f20 => discounts::a_window_of_half_a_month;
        f21 => discounts::an_empty_window;
        f22 => discounts::a_month_after_the_31st;
        f24 => discounts::stacked_by_multiplying;
        f25 => discounts::stacked_by_adding;
        f26 => discounts::the_best_of_all;
        f28 => discounts::a_fixed_amount_spread;
        f29 => discounts::fixed_prorated_or_full;
        g03 => rounding::a_zero_weight_gets_nothing;
        g07 => rounding::five_yen_over_three;
        g10 => rounding::weights_one_two_three;
        g11 => rounding::tiny_weights;
        g12 => rounding::weights_ten_and_five;
        h07 => rounding::lines_add_up_to_the_total;
        h10 => customers::unit_price_times_quantity_is_the_cost;
        i02 => tiers::repricing_by_volume;
        h12 => corrections::a_late_correction;
        i04 => corrections::blocks_billed_once;
        i06 => corrections::readings_that_fall;
        i13 => corrections::a_price_that_begins_in_the_past;
        i07 => hygiene::a_batch_loaded_twice;
        i08 => hygiene::rating_again_changes_nothing;
        i10 => hygiene::usage_belongs_to_its_own_time;
        i11 => hygiene::any_order_of_records;
        j01 => proration::anchors_at_a_month_end;
        j04 => proration::a_points_month_is_local;
        j06 => proration::a_missing_midnight;
        j08 => zones::a_customers_zone_that_changes;
        j09 => proration::a_printed_last_second;
        k01 => hygiene::hours_snap_to_seconds;
        k02 => hygiene::worst_hours_snap_too;
        k03 => hygiene::dates_and_usage_agree;
        k04 => hygiene::many_copies;
        k05 => hygiene::a_copied_vm_record;
        k06 => hygiene::allocated_and_attached_rows;
        k10 => hygiene::a_resize_in_mid_month;
        k12 => hygiene::sizes_missing;
        k13 => hygiene::sorted_by_anything;
        x01 => domain::a_whole_month;
        x02 => domain::half_a_month;
        x03 => domain::ten_minutes;
        x04 => domain::a_hundred_short_lives;
        x06 => domain::exempt_for_ten_days;
        x07 => domain::exempt_from_everything;
        x10 => domain::package_and_single_service;
        x13 => domain::a_new_price;
        x14 => domain::scaled_up;
        x16 => domain::an_image_while_running;
        x18 => domain::another_cost_centre;
        x19 => domain::across_a_month_end;
        x20 => domain::instants_and_dates;
        x21 => domain::every_partition_adds_up;
        x22 => domain::a_pebibyte;
        x23 => domain::yen_over_three_projects;
        x24 => domain::dinars_over_three_projects;
        x25 => domain::two_currencies;
        x26 => domain::a_date_as_an_end;
        x29 => domain::free_units_of_a_project;
    }
    in_export { h09 }
    in_rules { b14 b17 c38 c41 d01 d02 d09 d10 d11 d14 d15 d16 d31 d36 d38 d39 d40 f01 f13 f14 f15 f18 h01 h03 h05 x28 }
}

#[test]
fn every_case_of_the_file_is_tested_once() {
    let known: Vec<String> = RATED
        .iter()
        .chain(IN_EXPORT)
        .chain(IN_RULES)
        .map(|id| id.to_uppercase())
        .collect();
    for case in cases() {
        let times = known
            .iter()
            .filter(|id| **id == case.id.to_uppercase())
            .count();
        assert_eq!(times, 1, "case {} is {times} times in the table", case.id);
    }
    assert_eq!(
        known.len(),
        cases().len(),
        "the table names cases that the file lacks"
    );
    let export = include_str!("../../report-export/tests/focus.rs");
    for (source, ids) in [(include_str!("rules.rs"), IN_RULES), (export, IN_EXPORT)] {
        for id in ids {
            let asked = format!("expected(\"{}\")", id.to_uppercase());
            assert!(
                source.contains(&asked),
                "{id} is not tested where it should be"
            );
        }
    }
}
