//! `csbill explain`.

use clap::Args;
use rating_engine::{Amount, LineItem, Statement};
use serde_json::{Value, json};

use crate::bill::{BillArgs, FilterArgs};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::input::InputArgs;
use crate::{output, rating};

/// Flags of `csbill explain`.
#[derive(Debug, Args)]
pub(crate) struct ExplainArgs {
    /// Explain the lines whose key begins so; a key stands in the `lines` report.
    #[arg(long, value_name = "KEY")]
    line: Vec<String>,
    #[command(flatten)]
    bill: BillArgs,
    #[command(flatten)]
    input: InputArgs,
    #[command(flatten)]
    filter: FilterArgs,
}

impl ExplainArgs {
    pub(crate) fn run(&self, json: bool) -> Result<Exit, Failure> {
        let bill = self.bill.bill(|| self.input.open())?;
        let view = self.filter.view(&bill)?;
        let wanted = |line: &LineItem| {
            self.line.is_empty() || self.line.iter().any(|key| line.key.starts_with(key))
        };
        let lines: Vec<(&Statement, &LineItem)> =
            view.lines().filter(|(_, line)| wanted(line)).collect();
        if lines.is_empty() {
            return Err(Failure::new(Exit::Nothing, "no line matches"));
        }
        if json {
            let lines: Vec<Value> = lines.iter().map(|(_, line)| as_json(line)).collect();
            output::to_stdout(output::json_text(&lines)?.as_bytes())?;
        } else {
            for (index, (statement, line)) in lines.iter().enumerate() {
                if index > 0 {
                    output::line("")?;
                }
                output::line(&format!("{} · {}", statement.path, line.key))?;
                output::line(line.explain().trim_end())?;
            }
        }
        Ok(rating::exit(&bill))
    }
}

fn as_json(line: &LineItem) -> Value {
    json!({
        "key": line.key,
        "label": line.label,
        "resource": line.resource,
        "resource_name": line.resource_name,
        "amount": Amount::new(&line.amount, &line.net),
        "text": line.explain(),
        "explanation": line.explanation,
    })
}
