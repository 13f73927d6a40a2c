//! The digest over everything that a bill was made of.

use std::fmt::{Display, Write as _};

use cloudstack_usage::{Holder, Inventory, Period};
use sha2::{Digest, Sha256};

use crate::book::model::PriceBook;
use crate::usage::{Run, Shown, Stream, StreamKey};

/// SHA-256 over the streams in the order of their keys, the inventory, the book, the
/// period and the engine's version: the same for any order of the records.
pub(crate) fn digest(
    book: &PriceBook,
    inventory: &Inventory,
    period: Period,
    streams: &[Stream],
) -> String {
    let mut hash = Sha256::new();
    hash.update(concat!("rating-engine ", env!("CARGO_PKG_VERSION"), "\n"));
    hash.update(format!("{period}\n{}\n", book.digest));
    // a map of strings serialises without fail; an error would only change the digest
    hash.update(serde_json::to_vec(inventory).unwrap_or_default());
    let mut fields = Fields::default();
    for stream in streams {
        fields.key(&stream.key);
        fields.number(u64::from(stream.holds_bytes));
        fields.shown(&stream.shown);
        fields.number(stream.runs.len() as u64);
        for run in &stream.runs {
            fields.run(run);
        }
        hash.update(&fields.bytes);
        fields.bytes.clear();
    }
    hash.finalize().iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// Fields one after the other, each with its length, so that no two contents look alike.
#[derive(Default)]
struct Fields {
    bytes: Vec<u8>,
    text: String,
}

impl Fields {
    fn number(&mut self, number: u64) {
        self.bytes.extend_from_slice(&number.to_le_bytes());
    }

    fn text(&mut self, value: &impl Display) {
        self.text.clear();
        let _ = write!(self.text, "{value}");
        self.number(self.text.len() as u64);
        self.bytes.extend_from_slice(self.text.as_bytes());
    }

    fn optional(&mut self, value: Option<&impl Display>) {
        match value {
            Some(value) => self.text(value),
            None => self.number(u64::MAX),
        }
    }

    fn key(&mut self, key: &StreamKey) {
        self.number(u64::from(key.usage_type.id()));
        self.text(&key.identity);
        self.text(&key.domain);
        match &key.holder {
            Holder::Account(id) => {
                self.number(1);
                self.text(id);
            }
            Holder::Project(id) => {
                self.number(2);
                self.text(id);
            }
            Holder::Unknown => self.number(0),
        }
        self.optional(key.zone.as_ref());
        self.optional(key.vm.as_ref());
        self.optional(key.offering.as_ref());
        self.optional(key.template.as_ref());
        self.optional(key.size_bytes.as_ref());
        self.optional(key.virtual_size_bytes.as_ref());
        self.optional(key.cpu_count.as_ref());
        self.optional(key.cpu_mhz.as_ref());
        self.optional(key.memory_mib.as_ref());
        self.optional(key.network.as_ref());
        self.optional(key.vpc.as_ref());
        self.optional(key.is_default.as_ref());
        self.optional(key.is_source_nat.as_ref());
    }

    fn shown(&mut self, shown: &Shown) {
        self.optional(shown.name.as_ref());
        self.text(&shown.description);
        self.optional(shown.holder_name.as_ref());
        self.optional(shown.domain_name.as_ref());
        self.optional(shown.domain_path.as_ref());
        self.optional(shown.hypervisor.as_ref());
        self.optional(shown.os_type.as_ref());
        self.optional(shown.os_category_name.as_ref());
        self.number(u64::from(shown.is_system));
    }

    fn run(&mut self, run: &Run) {
        // numbers that are equal are one usage, however many zeros they were sent with
        let raw = run.first.raw.normalize();
        self.bytes.extend_from_slice(&run.first.start.to_le_bytes());
        self.bytes.extend_from_slice(&run.first.end.to_le_bytes());
        self.bytes
            .extend_from_slice(&run.first.amount.to_le_bytes());
        self.bytes.extend_from_slice(&raw.serialize());
        self.number(u64::from(run.windows));
    }
}
