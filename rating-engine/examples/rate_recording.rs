//! Rates a recorded month from files and prints the statements.
#![expect(clippy::print_stdout, reason = "an example that prints")]
#![expect(
    clippy::disallowed_methods,
    reason = "an example that reads a file; the crate does not"
)]

use std::error::Error;

use cloudstack_usage::{
    InventoryBuilder, UsageLifetimes, UsageRecord, read_metadata_folder, read_usage_files,
};
use rating_engine::{PriceBook, Rating};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let data = arguments
        .next()
        .unwrap_or_else(|| "examples/data/cloudstack-4.23".to_owned());
    let usage = arguments.next().unwrap_or_else(|| "usage-daily".to_owned());
    let book = PriceBook::from_toml(&std::fs::read_to_string("examples/data/price-book.toml")?)?;

    let mut records: Vec<UsageRecord> = Vec::new();
    read_usage_files(&[format!("{data}/{usage}")], &mut |page| {
        records.extend(page.records.into_iter().map(|parsed| parsed.record));
        Ok(())
    })?;
    let mut lifetimes = UsageLifetimes::default();
    for record in &records {
        lifetimes.observe(record);
    }
    let mut builder = InventoryBuilder::new();
    for fetch in read_metadata_folder(format!("{data}/metadata"))? {
        builder.observe(&fetch.snapshot);
    }
    builder.usage(lifetimes);
    let inventory = builder.build();

    let october = book.civil_period("2026-10-01".parse()?, "2026-10-31".parse()?)?;
    let mut rating = Rating::new(&book, &inventory, october)?;
    for record in &records {
        rating.push(record);
    }
    let bill = rating.finish();
    for statement in &bill.statements {
        println!("== {} {}", statement.path, statement.total);
        for line in &statement.lines {
            println!(
                "{:>10} {:<34} {:<10} {:<24} {:<14} cc={:<8} {} {} {}",
                line.amount.amount(),
                format!("{}/{}", line.domain_path, line.holder_name),
                line.vm_name.clone().unwrap_or_default(),
                line.resource_name.chars().take(24).collect::<String>(),
                line.item.name(),
                line.cost_centre.clone().unwrap_or_default(),
                line.price,
                line.exemption.clone().unwrap_or_default(),
                line.discounts.join(","),
            );
        }
    }
    println!("total {}", bill.total);
    println!("{:?}", bill.counts);
    for finding in &bill.findings {
        let value = finding
            .value
            .as_ref()
            .map_or_else(String::new, ToString::to_string);
        println!("{} {} {}", finding.kind.slug(), value, finding.message);
    }
    Ok(())
}
