//! A line's explanation in words.

use std::fmt::Write as _;

use crate::rate::hours;
use crate::rounding::RoundingMode;
use crate::statement::{Item, LineItem, Placement, Segment};

impl LineItem {
    /// How the amount came about, in words: price and why, each segment's arithmetic,
    /// discounts, rounding.
    pub fn explain(&self) -> String {
        let mut text = String::new();
        let owner = format!("{} / {}", self.domain_path, self.holder_name);
        let _ = writeln!(
            text,
            "{} of {} {} ({owner})",
            self.label, self.resource_kind, self.resource_name
        );
        let _ = writeln!(text, "line {}", self.key);
        self.explain_price(&mut text);
        for segment in &self.explanation.segments {
            self.explain_segment(segment, &mut text);
        }
        self.explain_records(&mut text);
        self.explain_sum(&mut text);
        text
    }

    fn explain_price(&self, text: &mut String) {
        if !self.price.is_empty() {
            let _ = writeln!(text, "price {}: {}", self.price, self.price_text);
        }
        for factor in &self.factors {
            let _ = writeln!(
                text,
                "  times {} by factor {} ({})",
                factor.by, factor.factor, factor.label
            );
        }
        for choice in &self.explanation.prices {
            let mark = if choice.chosen { "taken" } else { "not taken" };
            let _ = writeln!(text, "  {} {mark}: {}", choice.price, choice.reason);
        }
        if let Some(exemption) = &self.exemption {
            let _ = writeln!(text, "costs nothing: {exemption}");
        }
    }

    fn explain_segment(&self, segment: &Segment, text: &mut String) {
        if matches!(self.item, Item::Minimum(_) | Item::Credit(_)) {
            let _ = writeln!(text, "{}: {} exactly", segment.period, segment.net);
            return;
        }
        let placement = match segment.placement {
            Placement::Whole => "whole windows",
            Placement::Events => "when the VM ran, by CloudStack's usage events",
            Placement::AtEnd => "at the end of its window, by the windows beside it",
            Placement::AtStart => "at the start of its window, by the windows beside it",
            Placement::Lifetime => "where the resource lived in its window",
            Placement::Spread => "spread evenly, since nothing tells where",
        };
        let used = if segment.used_millis > 0 {
            hours(i128::from(segment.used_millis))
        } else {
            "counted".to_owned()
        };
        let _ = writeln!(text, "{}: {used}, {placement}", segment.period);
        for bound in &segment.bounds {
            let source = serde_json::to_string(&bound.moment.source).unwrap_or_default();
            let _ = writeln!(
                text,
                "  {} at {} (by {})",
                bound.what,
                bound.moment.at,
                source.trim_matches('"')
            );
        }
        let quantity = segment
            .quantity
            .to_decimal_string(6, RoundingMode::HalfEven);
        let _ = writeln!(
            text,
            "  level {} -> {quantity} {} (exactly {}) = {} exactly, {} after discounts",
            segment.level, self.unit, segment.quantity, segment.list, segment.net
        );
    }

    fn explain_records(&self, text: &mut String) {
        for run in &self.explanation.usage {
            let (records, raw_usage) = (run.records, run.raw_usage);
            let _ = writeln!(
                text,
                "from {records} record(s) of type {} in {}, rawusage {raw_usage}",
                run.usage_type.id(),
                run.period
            );
        }
    }

    fn explain_sum(&self, text: &mut String) {
        for reduction in &self.explanation.reductions {
            let amount = reduction
                .amount
                .to_decimal_string(6, RoundingMode::HalfEven);
            let _ = writeln!(
                text,
                "discount {} ({}): -{amount}",
                reduction.discount, reduction.text
            );
        }
        let _ = writeln!(text, "sum {} exactly, printed {}", self.net, self.amount);
    }
}
