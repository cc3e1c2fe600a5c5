//! `sealgate approval`

use super::{Done, Failure, Format, Place, output};
use crate::approval::{Approvals, Ballot, Held};
use crate::clock::Clock;
use crate::identity::{SharedCaller, Tokens};
use crate::policy::{Asked, Circumstances, Item, Policies, PolicyFiles, Question, Store, Surroundings};
use serde_json::json;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// The verbs of `approval`.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Verb {
    /// List calls that wait for approval.
    List {
        #[command(flatten)]
        place: Place,
        /// Those that were used, rejected or have expired too.
        #[arg(long)]
        all: bool,
        /// The form of the result.
        #[arg(long, short, value_enum, default_value = "text")]
        output: Format,
    },
    /// Show one call, with its parameters after redaction.
    Show {
        #[command(flatten)]
        place: Place,
        /// The reference, or the first digits of it.
        reference: String,
        /// The form of the result.
        #[arg(long, short, value_enum, default_value = "text")]
        output: Format,
    },
    /// Approve a call of somebody else: it may then be made once. Exit code 1: policy does not let you.
    Approve(Say),
    /// Reject a call of somebody else. Exit code 1: policy does not let you.
    Reject(Say),
}

/// Options of `approve` and `reject`.
#[derive(Debug, clap::Args)]
pub(super) struct Say {
    #[command(flatten)]
    place: Place,
    /// The reference, or the first digits of it.
    reference: String,
    /// File with the bearer token of whoever decides.
    #[arg(long, value_name = "FILE", required_unless_present = "token")]
    token_file: Option<PathBuf>,
    /// The token itself; set the variable, for command lines are seen by others.
    #[arg(long, env = "SEALGATE_TOKEN", hide_env_values = true, hide = true)]
    token: Option<String>,
    /// Why.
    #[arg(long, default_value = "")]
    note: String,
    /// The form of the result.
    #[arg(long, short, value_enum, default_value = "text")]
    output: Format,
}

pub(super) fn run(verb: &Verb) -> Done {
    match verb {
        Verb::List { place, all, output } => list(&open(&place.data_dir()?)?, *all, *output),
        Verb::Show { place, reference, output } => {
            let held = open(&place.data_dir()?)?.show(reference)?;
            match output {
                Format::Json => output::json(&held),
                Format::Text => output::print(&text(&held)),
            }
        }
        Verb::Approve(say) => decide(say, true),
        Verb::Reject(say) => decide(say, false),
    }
}

/// Votes need no key: they go by reference.
fn open(folder: &Path) -> Result<Approvals, Failure> {
    Ok(Approvals::open(folder, &[], Clock::system())?)
}

fn list(approvals: &Approvals, all: bool, format: Format) -> Done {
    let held = approvals.list(all)?;
    if format == Format::Json {
        return output::json(&json!({ "approvals": held }));
    }
    let mut out = format!(
        "{:<36}  {:<9} {:<16} {:<28} {:<20} expires\n",
        "reference", "state", "requester", "what", "needs"
    );
    for one in held {
        let roles: Vec<&str> = one.roles.iter().map(String::as_str).collect();
        let _ = writeln!(
            out,
            "{:<36}  {:<9} {:<16} {:<28} {:<20} {}",
            one.reference,
            one.state.as_str(),
            one.requester.id,
            one.name,
            roles.join(","),
            time(one.expires_us)
        );
    }
    output::print(&out)
}

fn text(held: &Held) -> String {
    let roles: Vec<&str> = held.roles.iter().map(String::as_str).collect();
    let mut out = format!(
        "reference  {}\nstate      {}\nrequester  {} ({}, tenant {}, agent {})\ncall       {} {} on {}\n\
         policies   {}\nneeds      {}\nasked      {}\nexpires    {}\nparameters (after redaction)\n{}\n",
        held.reference,
        held.state.as_str(),
        held.requester.id,
        held.requester.kind,
        held.requester.tenant,
        held.requester.agent,
        held.method,
        held.name,
        held.server,
        held.policies.join(", "),
        roles.join(", "),
        time(held.created_us),
        time(held.expires_us),
        held.params
    );
    for vote in &held.votes {
        let said = if vote.approve { "approved" } else { "rejected" };
        let _ = writeln!(out, "{said} by {} at {} {}", vote.approver.id, time(vote.at_us), vote.note);
    }
    out
}

fn time(us: i64) -> String {
    jiff::Timestamp::from_microsecond(us).map_or_else(|_| "-".into(), |time| time.to_string())
}

fn decide(say: &Say, approve: bool) -> Done {
    let folder = say.place.data_dir()?;
    let approver = approver(say, &folder)?;
    let approvals = open(&folder)?;
    let held = approvals.show(&say.reference)?;
    let policies = in_force(&folder)?;
    let clock = Clock::system();
    let what = match held.target.as_str() {
        "tool" => Item::Tool(&held.name),
        "prompt" => Item::Prompt(&held.name),
        _ => Item::Resource { server: &held.server, uri: &held.name },
    };
    let circumstances = Circumstances {
        client_name: "sealgate".into(),
        client_version: env!("CARGO_PKG_VERSION").into(),
        transport: "cli".into(),
        now_us: clock.now_us(),
        ..Circumstances::default()
    };
    let asked = Asked::ApproveCall { what, requested_by: &held.requester.id };
    let question = Question { call: held.reference, asked, circumstances: &circumstances, findings: &[] };
    if policies.authorize(&approver, &question).is_err() {
        eprintln!("error: policy does not let `{}` decide about this call (action ApproveCall)", approver.id);
        return Err(Failure::No(1));
    }
    let covers = held.roles.iter().filter(|role| policies.has_role(&approver, role)).cloned().collect();
    let ballot = Ballot { approve, covers, note: &say.note };
    match approvals.vote(&say.reference, &approver, ballot) {
        Ok(held) if say.output == Format::Json => output::json(&held),
        Ok(held) => output::print(&format!("{} is {}\n", held.reference, held.state.as_str())),
        Err(error) => {
            eprintln!("error: {error}");
            Err(Failure::No(1))
        }
    }
}

fn approver(say: &Say, folder: &Path) -> Result<SharedCaller, Failure> {
    let token = match (&say.token_file, &say.token) {
        (Some(file), _) => std::fs::read_to_string(file)?,
        (None, token) => token.clone().unwrap_or_default(),
    };
    let tokens = Tokens::open(folder, Clock::system())?;
    let authenticated = tokens.authenticate(token.trim());
    authenticated
        .map(|found| found.caller)
        .map_err(|refused| Failure::Other(anyhow::anyhow!("{}", refused.description())))
}

/// The policies that the gateway has in force.
fn in_force(folder: &Path) -> Result<Policies, Failure> {
    let store = Store::of(folder);
    let digests = store.in_force()?;
    let surroundings = Surroundings::from_parts(&store.parts(&digests.entities)?).map_err(problems)?;
    let files = PolicyFiles::from_parts(&store.parts(&digests.policy_set)?);
    files.build(&surroundings).or_else(|_| files.build(&surroundings.undiscovered())).map_err(problems)
}

fn problems(found: Vec<crate::policy::Problem>) -> Failure {
    let text: Vec<String> = found.iter().map(ToString::to_string).collect();
    Failure::Other(anyhow::anyhow!("the policies in force do not load: {}", text.join("; ")))
}
