//! `sealgate policy explain`

use super::place::Against;
use super::{Done, Failure, Format, failure, output};
use crate::audit::{Payloads, Reader};
use crate::identity::Claim;
use crate::policy::{
    Asked, Decision, Explanation, Person, PolicyFiles, Question, Recorded, Row, Store, Surroundings,
};
use std::fmt::Write as _;
use std::path::PathBuf;

/// Options of `explain`.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Options {
    /// The policy folder; left out: for a record the policies that decided it, else those of the configuration.
    #[arg(long, value_name = "DIR")]
    policies: Option<PathBuf>,
    #[command(flatten)]
    against: Against,
    /// A recorded call, by its reference (UUID); give `--data-dir` or `--config` too.
    #[arg(long, value_name = "UUID", conflicts_with = "tool")]
    call: Option<uuid::Uuid>,
    /// A hypothetical call of this tool, by the name that agents see.
    #[arg(long, value_name = "NAME", required_unless_present = "call")]
    tool: Option<String>,
    /// Its arguments, a JSON object.
    #[arg(long, value_name = "JSON", default_value = "{}")]
    args: String,
    /// Kinds of findings in them.
    #[arg(long = "finding", value_name = "KIND")]
    findings: Vec<String>,
    /// Who asks.
    #[arg(long, value_name = "ID", default_value = "somebody")]
    user: String,
    /// A role; may be given several times.
    #[arg(long = "role", value_name = "ROLE")]
    roles: Vec<String>,
    /// A team; may be given several times.
    #[arg(long = "team", value_name = "TEAM")]
    teams: Vec<String>,
    /// A claim, as NAME=VALUE; may be given several times.
    #[arg(long = "claim", value_name = "NAME=VALUE", value_parser = Claim::assignment)]
    claims: Vec<(String, Claim)>,
    /// The tenant.
    #[arg(long, default_value = "default")]
    tenant: String,
    /// The software.
    #[arg(long, default_value = "some-agent")]
    agent: String,
    /// Nobody vouched for that software.
    #[arg(long)]
    unapproved: bool,
    /// When, as RFC 3339; left out: now.
    #[arg(long, value_name = "WHEN")]
    at: Option<String>,
    /// The form of the result.
    #[arg(long, short, value_enum, default_value = "text")]
    output: Format,
}

pub(super) fn run(options: &Options) -> Done {
    let explanation = match (&options.call, &options.tool) {
        (Some(call), _) => recorded(options, *call)?,
        (None, Some(tool)) => hypothetical(options, tool)?,
        (None, None) => return Err(Failure::Other(anyhow::anyhow!("give `--call` or `--tool`"))),
    };
    match options.output {
        Format::Json => output::json(&explanation),
        Format::Text => output::print(&text(&explanation)),
    }
}

fn hypothetical(options: &Options, tool: &str) -> Result<Explanation, Failure> {
    let policies = options.against.place(options.policies.as_deref())?.policies()?;
    let person = Person {
        roles: options.roles.clone(),
        teams: options.teams.clone(),
        tenant: Some(options.tenant.clone()),
        agent: Some(options.agent.clone()),
        approved: !options.unapproved,
        claims: options.claims.iter().cloned().collect(),
        ..Person::default()
    };
    let now = crate::clock::Clock::system().now_us();
    let now = jiff::Timestamp::from_microsecond(now).map(|now| now.to_string()).ok();
    let row = Row { at: options.at.clone().or(now), ..Row::default() };
    let (caller, circumstances) = (person.caller(&options.user)?, row.circumstances()?);
    let findings: Vec<&str> = options.findings.iter().map(String::as_str).collect();
    let asked = Asked::CallTool { tool, args: &options.args };
    let question =
        Question { call: uuid::Uuid::nil(), asked, circumstances: &circumstances, findings: &findings };
    Ok(policies.explain(&caller, &question))
}

fn recorded(options: &Options, call: uuid::Uuid) -> Result<Explanation, Failure> {
    let data_dir = options.against.data_dir()?;
    let data_dir = data_dir.ok_or_else(|| anyhow::anyhow!("give `--data-dir DIR` or `--config FILE`"))?;
    let entries = Reader::open(&data_dir)?.by_call(call)?;
    let payloads = Payloads::open(&data_dir)?;
    let recorded = entries.iter().find_map(|entry| {
        let recorded = Recorded::parse(&entry.record)?;
        Some(recorded.or_request(|| super::place::parameters(&payloads, &entry.record)))
    });
    let recorded = recorded.ok_or_else(|| anyhow::anyhow!("no decision is recorded for `{call}`"))?;
    let store = Store::of(&data_dir);
    let surroundings = Surroundings::from_parts(&store.parts(&recorded.authz.entities)?).map_err(failure)?;
    let files = match &options.policies {
        Some(folder) => PolicyFiles::read(folder).map_err(failure)?,
        None => PolicyFiles::from_parts(&store.parts(&recorded.authz.policy_set)?),
    };
    let built = files.build(&surroundings).or_else(|_| files.build(&surroundings.undiscovered()));
    built.map_err(failure)?.explain_recorded(&recorded).ok_or_else(|| {
        let why = "the record does not hold all that deciding again takes: see `sealgate policy replay`";
        Failure::Other(anyhow::anyhow!("{why}"))
    })
}

fn text(explanation: &Explanation) -> String {
    let mut out = String::new();
    let word = match explanation.decision {
        Decision::Allow => "allow",
        Decision::Deny => "deny",
    };
    let reason = explanation.reason.as_deref().map(|reason| format!(" ({reason})")).unwrap_or_default();
    let _ = writeln!(out, "{word}{reason}");
    for placed in &explanation.decided_by {
        let _ = writeln!(out, "  decided by {} ({}:{})", placed.policy, placed.file, placed.line);
    }
    if explanation.decision == Decision::Deny {
        for placed in &explanation.satisfied {
            let _ = writeln!(out, "  permitted by {} ({}:{})", placed.policy, placed.file, placed.line);
        }
    }
    for error in &explanation.errors {
        let _ = writeln!(out, "  failed: {error}");
    }
    if let Some(wanted) = &explanation.obligations {
        let _ = writeln!(out, "  obligations {wanted}");
    }
    for shadow in &explanation.shadow {
        let flips = if shadow.flips { ", would flip this" } else { "" };
        let _ = writeln!(out, "  shadow {} matched{flips}", shadow.policy);
    }
    for near in &explanation.near_misses {
        let _ = writeln!(out, "  near: {} ({}:{})", near.place.policy, near.place.file, near.place.line);
        for stop in &near.stopped_by {
            let _ = writeln!(out, "    not met: {}\n      it would take {}", stop.condition, stop.remedy);
        }
    }
    out
}
