//! Workloads and measurements. `run.py` calls this program and peers in turn.
//!
//! - `billing-benches generate FOLDER RECORDS`: a month of usage, its rules and inventory
//! - `billing-benches totals FOLDER USAGE RESULT`: rates a usage file of the folder by the row
//!   path, and writes cents per domain, project, resource and component
//! - `billing-benches bill FOLDER USAGE RESULT`: the same by way of a bill, with findings and
//!   explanations
//! - `billing-benches parse RECORDS ROUNDS`: parsing of response pages beside rating
//! - `billing-benches ingest FOLDER RECORDS ROUNDS`: a sync into SQLite beside parsing the same
//!   pages and SQLite's own bulk insert
//! - `billing-benches sync DATABASE RECORDS`: that sync alone, with its rate and memory
#![expect(
    clippy::print_stdout,
    reason = "a program that prints its measurements"
)]

mod files;
mod ingest;
mod pages;
mod parsing;
mod rows;
mod workload;

use std::error::Error;
use std::path::Path;

/// The same as that of `csbill`.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Anything that ends the program.
pub(crate) type Failure = Box<dyn Error>;

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["generate", folder, records] => files::write_month(Path::new(folder), records.parse()?),
        ["totals", folder, usage, result] => {
            rows::totals(Path::new(folder), usage, Path::new(result))
        }
        ["bill", folder, usage, result] => rows::bill(Path::new(folder), usage, Path::new(result)),
        ["parse", records, rounds] => {
            print!("{}", parsing::measure(records.parse()?, rounds.parse()?)?);
            Ok(())
        }
        ["ingest", folder, records, rounds] => {
            let (records, rounds) = (records.parse()?, rounds.parse()?);
            print!("{}", ingest::measure(Path::new(folder), records, rounds)?);
            Ok(())
        }
        ["sync", database, records] => {
            print!(
                "{}",
                ingest::measure_once(Path::new(database), records.parse()?)?
            );
            Ok(())
        }
        _ => Err(
            "usage: billing-benches generate|totals|bill|parse|ingest|sync …, see src/main.rs"
                .into(),
        ),
    }
}
