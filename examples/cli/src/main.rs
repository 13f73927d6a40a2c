//! `csbill`: CloudStack usage to bills, from the shell.

mod arguments;
mod bill;
mod columns;
mod command;
mod configuration;
mod daemon;
mod dates;
mod diagnosis;
mod edit;
mod events;
mod exit;
mod failure;
mod input;
mod ledger;
mod logging;
mod metrics;
mod metrics_server;
mod output;
mod progress;
mod put_away;
mod rating;
mod table;
mod workbooks;

use std::process::ExitCode;

use clap::Parser as _;

/// Rating holds millions of small things at once, in large pages here.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let arguments = arguments::Arguments::parse();
    match arguments.run() {
        Ok(exit) => exit.into(),
        Err(failure) => {
            let text = failure.to_string();
            // whoever closed our output wants to hear nothing more
            if !text.is_empty() {
                output::note(&text);
            }
            failure.exit().into()
        }
    }
}
