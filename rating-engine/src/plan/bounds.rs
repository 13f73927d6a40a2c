//! When something in the book begins or ends, for whom, and for which usage.

use chrono::{DateTime, Utc};
use cloudstack_usage::{Holder, UsageType};

use super::compile::Plan;
use super::scope::{ByScope, CompiledScope};
use super::subject::Subject;
use crate::book::model::{PriceBook, Target};
use crate::meter::Meter;

/// Bounds of everything in the book that lie within the period, and the months'.
#[derive(Debug, Default)]
pub(super) struct Bounds {
    by_scope: ByScope<Bound>,
    /// Meters that packages cover.
    covered: Vec<Meter>,
}

/// A bound in milliseconds since 1970.
#[derive(Debug, Clone, Copy, Default)]
struct Bound {
    at: i64,
    concerns: Concerns,
}

/// Which usage something decides about.
#[derive(Debug, Clone, Copy, Default)]
enum Concerns {
    #[default]
    Everything,
    Meter(Meter),
    /// Services or packages.
    Services,
}

impl Bounds {
    /// Those of the book's rows, the months and the period.
    pub(super) fn of(plan: &Plan<'_>) -> Self {
        let (book, period) = (plan.book, plan.period);
        let prices = book
            .prices
            .iter()
            .map(|price| (price.validity, Concerns::of(&price.target)));
        let everything = |validity| (validity, Concerns::Everything);
        let discounts = book.discounts.iter().map(|discount| discount.validity);
        let limits = book.limits.iter().map(|limit| limit.validity);
        let credits = book.credits.iter().map(|credit| credit.validity);
        let taxes = book.taxes.iter().map(|tax| tax.validity);
        let factors = book.factors.iter().map(|factor| factor.validity);
        let scoped = (plan.price_scopes.iter().zip(prices))
            .chain(plan.discount_scopes.iter().zip(discounts.map(everything)))
            .chain(plan.limit_scopes.iter().zip(limits.map(everything)))
            .chain(plan.credit_scopes.iter().zip(credits.map(everything)))
            .chain(plan.factor_scopes.iter().zip(factors.map(everything)))
            .chain(plan.tax_scopes.iter().zip(taxes.map(everything)));
        let exemptions = book.exemptions.iter().map(|exemption| exemption.validity);
        let cells = book.packages.iter().flat_map(|package| &package.services);
        let calendar = plan.months.iter().map(|month| month.period);
        let for_all = exemptions
            .chain(cells.map(|cell| cell.validity))
            .chain(calendar)
            .chain([period])
            .map(|validity| (&CompiledScope::Book, everything(validity)));
        let mut by_scope = ByScope::default();
        for (scope, (validity, concerns)) in scoped.chain(for_all) {
            for instant in [validity.start(), validity.end()] {
                if period.contains(instant) || instant == period.end() {
                    let at = instant.timestamp_millis();
                    by_scope.add(scope, Bound { at, concerns });
                }
            }
        }
        Self {
            by_scope,
            covered: covered(book),
        }
    }

    /// Whether something that concerns this can decide what a type of usage costs.
    fn decides(&self, concerns: Concerns, usage_type: UsageType) -> bool {
        let is_vm = matches!(usage_type, UsageType::RunningVm | UsageType::AllocatedVm);
        let own = Meter::of(usage_type);
        match concerns {
            Concerns::Everything => true,
            Concerns::Meter(meter) if is_vm => {
                matches!(meter, Meter::Vm | Meter::Cpu | Meter::Ram | Meter::Os)
            }
            Concerns::Meter(meter) => own == Some(meter),
            Concerns::Services => {
                is_vm
                    || own == Some(Meter::Disk)
                    || own.is_some_and(|meter| self.covered.contains(&meter))
            }
        }
    }
}

impl Concerns {
    fn of(target: &Target) -> Self {
        match target {
            Target::Meter(meter) => Self::Meter(*meter),
            Target::Service(_) | Target::Package(_) => Self::Services,
        }
    }
}

fn covered(book: &PriceBook) -> Vec<Meter> {
    let packages = book.packages.iter();
    packages
        .flat_map(|package| package.covers.iter().copied())
        .collect()
}

impl Plan<'_> {
    /// Instants, in milliseconds since 1970, at which something that decides about `subject`
    /// may change: in no order, and some more than once.
    pub(crate) fn cuts(&self, subject: &Subject<'_>) -> Vec<i64> {
        let mut cuts = Cuts(Vec::new());
        self.add_bounds(subject, &mut cuts.0);
        subject.add_changes(&mut cuts, self.has_fees);
        for (_, tags) in subject.tag_histories() {
            let read = tags.iter().filter(|(key, _)| self.reads_tag(key));
            cuts.extend(read.flat_map(|(_, history)| history.changes()));
        }
        cuts.0
    }

    /// Adds the bounds of the calendar and of what in the book can decide about `subject`,
    /// within the period; some more than once.
    fn add_bounds(&self, subject: &Subject<'_>, bounds: &mut Vec<i64>) {
        let key = &subject.stream.key;
        let project = match &key.holder {
            Holder::Project(id) => Some(id),
            _ => None,
        };
        let decides = |bound: &Bound| self.bounds.decides(bound.concerns, key.usage_type);
        let by_scope = &self.bounds.by_scope;
        let own = by_scope.of([], project, subject.vms(), subject.volume.as_ref());
        bounds.extend(own.filter(decides).map(|bound| bound.at));
        let mut last = None;
        for domain in subject.domains() {
            // as a rule it has always been in one domain
            if last.replace(domain) != Some(domain) {
                let of_domain = by_scope.of_domains(self.ancestry(domain));
                bounds.extend(of_domain.filter(decides).map(|bound| bound.at));
            }
        }
    }
}

/// Instants in milliseconds since 1970.
struct Cuts(Vec<i64>);

impl Extend<DateTime<Utc>> for Cuts {
    fn extend<I: IntoIterator<Item = DateTime<Utc>>>(&mut self, instants: I) {
        let instants = instants.into_iter();
        self.0.extend(instants.map(|at| at.timestamp_millis()));
    }
}
