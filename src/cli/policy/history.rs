//! `sealgate policy coverage` and `sealgate policy shadow`

use super::place::{Against, Period, decisions};
use super::{Done, Format, output, table};
use crate::policy::Tally;
use serde_json::json;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::PathBuf;

/// Options of `coverage` and `shadow`.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Options {
    /// The policy folder; left out: that of the configuration, or `policies`.
    #[arg(long, value_name = "DIR")]
    policies: Option<PathBuf>,
    #[command(flatten)]
    against: Against,
    #[command(flatten)]
    period: Period,
    /// The form of the result.
    #[arg(long, short, value_enum, default_value = "text")]
    output: Format,
}

impl Options {
    fn tally(&self) -> Result<Tally, super::Failure> {
        let mut tally = Tally::default();
        if let Some(data_dir) = self.against.data_dir()?.filter(|folder| folder.join("audit.db").exists()) {
            decisions(&data_dir, &self.period, |decided| {
                tally.add(decided);
                Ok(())
            })?;
        }
        Ok(tally)
    }
}

pub(super) fn coverage(options: &Options) -> Done {
    let place = options.against.place(options.policies.as_deref())?;
    let policies = place.policies()?;
    let tally = options.tally()?;
    let tables = table::tables(&place.folder, &[])?;
    let outcomes = table::outcomes(&policies, &tables);
    let tested: BTreeSet<&String> = outcomes.values().flat_map(|(_, _, matched)| matched).collect();
    let ids: Vec<String> = policies.ids().map(str::to_owned).collect();
    let never: Vec<&String> = ids.iter().filter(|id| !tally.matched.contains_key(*id)).collect();
    let untested: Vec<&String> = ids.iter().filter(|id| !tested.contains(id)).collect();
    let undecided: Vec<&String> =
        outcomes.iter().filter(|(_, (_, by, _))| by.is_empty()).map(|(place, _)| place).collect();
    let unnamed = policies.unnamed_tools();
    if options.output == Format::Json {
        return output::json(&json!({
            "decisions": tally.decisions,
            "matched": tally.matched,
            "never_matched": never,
            "untested": untested,
            "unnamed_tools": unnamed,
            "tools": tally.tools,
            "rows_undecided": undecided,
        }));
    }
    let mut out = format!("{} recorded decisions, {} rows\n", tally.decisions, outcomes.len());
    for id in never {
        let _ = writeln!(out, "never matched      {id}");
    }
    for id in untested {
        let _ = writeln!(out, "hit by no row      {id}");
    }
    for tool in unnamed {
        let calls = tally.tools.get(&tool).copied().unwrap_or(0);
        let _ = writeln!(out, "no policy names    {tool} ({calls} calls)");
    }
    for place in undecided {
        let _ = writeln!(out, "no policy decides  {place}");
    }
    output::print(&out)
}

pub(super) fn shadow(options: &Options) -> Done {
    let tally = options.tally()?;
    if options.output == Format::Json {
        return output::json(&json!({"decisions": tally.decisions, "shadow": tally.shadow}));
    }
    let mut out = format!("{} recorded decisions\n", tally.decisions);
    for (id, one) in &tally.shadow {
        let _ = writeln!(
            out,
            "{id}: matched {}, would have denied {}, would have allowed {}",
            one.matched, one.would_deny, one.would_allow
        );
        for call in &one.examples {
            let _ = writeln!(out, "  for instance {call}");
        }
    }
    if tally.shadow.is_empty() {
        out.push_str("no shadow policy matched\n");
    }
    output::print(&out)
}
