//! `sealgate audit hold` and `erase`, and how orders reach whoever writes the log.

use super::{Done, Failure, Format, Place, output, say, time};
use crate::audit::{Config, Erasure, Log, Order, Outcome, Payloads, Selector};
use crate::clock::Clock;
use crate::identity::Tokens;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::time::Duration;
use uuid::Uuid;

/// How long a running gateway may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// What is selected.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
pub(in crate::cli) struct Which {
    /// Everything that this caller's calls said.
    #[arg(long, value_name = "CALLER")]
    subject: Option<String>,
    /// What this call said; may be given several times.
    #[arg(long = "call", value_name = "UUID")]
    calls: Vec<Uuid>,
    /// What every call said in which a value with this commitment was found.
    #[arg(long, value_name = "HEX")]
    commitment: Option<String>,
}

impl Which {
    fn selector(&self) -> Selector {
        match (&self.subject, &self.commitment) {
            (Some(subject), _) => Selector::Subject(subject.clone()),
            (None, Some(commitment)) => Selector::Commitment(commitment.clone()),
            (None, None) => Selector::Calls(self.calls.clone()),
        }
    }
}

/// The verbs of `audit hold`.
#[derive(Debug, clap::Subcommand)]
pub(in crate::cli) enum Hold {
    /// Set a hold: neither erasure nor retention touches what it selects.
    Set {
        #[command(flatten)]
        place: Place,
        #[command(flatten)]
        which: Which,
        /// Why.
        #[arg(long)]
        reason: String,
        /// A file with the token of whoever sets it.
        #[arg(long, value_name = "TOKEN_FILE")]
        approver: PathBuf,
        /// The form of the result.
        #[arg(long, short, value_enum, default_value = "text")]
        output: Format,
    },
    /// Lift a hold.
    Release {
        #[command(flatten)]
        place: Place,
        /// The hold's id.
        id: String,
        /// A file with the token of whoever lifts it.
        #[arg(long, value_name = "TOKEN_FILE")]
        approver: PathBuf,
        /// The form of the result.
        #[arg(long, short, value_enum, default_value = "text")]
        output: Format,
    },
    /// List the holds in force.
    List {
        #[command(flatten)]
        place: Place,
        /// The form of the result.
        #[arg(long, short, value_enum, default_value = "text")]
        output: Format,
    },
}

pub(super) fn hold(verb: &Hold) -> Done {
    match verb {
        Hold::Set { place, which, reason, approver, output } => {
            let by = approvers(place, std::slice::from_ref(approver))?.concat();
            let order = Order::Hold { selector: which.selector(), reason: reason.clone(), by };
            give(place, &order, *output)
        }
        Hold::Release { place, id, approver, output } => {
            let by = approvers(place, std::slice::from_ref(approver))?.concat();
            give(place, &Order::Lift { id: id.clone(), by }, *output)
        }
        Hold::List { place, output } => {
            let holds = Payloads::open(&place.data_dir()?)?.holds()?;
            let line = |hold: &crate::audit::Hold| {
                let selector = serde_json::to_string(&hold.selector).unwrap_or_default();
                format!("{}  {}  {}  {selector}  {}\n", hold.id, time(hold.t), hold.by, hold.reason)
            };
            let text: String = holds.iter().map(line).collect();
            say(*output, &json!({"holds": holds}), &text)
        }
    }
}

/// Options of `audit erase`.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Erase {
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    which: Which,
    /// Why.
    #[arg(long)]
    reason: String,
    /// A file with the token of an approver; two of different people.
    #[arg(long = "approver", value_name = "TOKEN_FILE", required = true)]
    approvers: Vec<PathBuf>,
    /// The form of the result.
    #[arg(long, short, value_enum, default_value = "text")]
    output: Format,
}

pub(super) fn erase(options: &Erase) -> Done {
    let approvers = approvers(&options.place, &options.approvers)?;
    let erasure = Erasure { selector: options.which.selector(), approvers, reason: options.reason.clone() };
    give(&options.place, &Order::Erase(erasure), options.output)
}

/// The people behind tokens, each with the role that approving takes.
pub(super) fn approvers(place: &Place, files: &[PathBuf]) -> Result<Vec<String>, Failure> {
    let role = settings(place)?.payloads.approver_role;
    let tokens = Tokens::open(&place.data_dir()?, Clock::system())?;
    let mut people = Vec::new();
    for file in files {
        let token = std::fs::read_to_string(file)?;
        let refused = |why: &str| Failure::Other(anyhow::anyhow!("`{}` {why}", file.display()));
        let known =
            tokens.authenticate(token.trim()).map_err(|_| refused("holds no token that is good now"))?;
        let caller = &known.caller;
        if !caller.roles.contains(&role) {
            return Err(refused(&format!(
                "is of somebody without the role `{role}` (audit.payloads.approverRole)"
            )));
        }
        people.push(format!("{}:{}:{}", caller.kind.entity_type(), caller.tenant, caller.id));
    }
    Ok(people)
}

pub(super) fn settings(place: &Place) -> Result<Config, Failure> {
    match &place.config {
        Some(file) => crate::config::Config::load(file).map(|c| c.audit).map_err(Failure::Problems),
        None => Ok(Config::default()),
    }
}

/// Gives an order, and prints what it came to.
pub(super) fn give(place: &Place, order: &Order, format: Format) -> Done {
    match ordered(place, order)? {
        Outcome::Done(value) => say(format, &value, &format!("done: {value}\n")),
        Outcome::Refused(why) => {
            match format {
                Format::Json => output::json(&json!({"refused": why}))?,
                Format::Text => eprintln!("refused: {why}"),
            }
            Err(Failure::No(1))
        }
    }
}

fn ordered(place: &Place, order: &Order) -> Result<Outcome, Failure> {
    let outcome = match Log::order(&place.data_dir()?, &settings(place)?, order, PATIENCE) {
        Ok(outcome) => outcome,
        Err(why @ crate::audit::OpenError::Rollback { .. }) => {
            return Err(Failure::RolledBack(why.to_string()));
        }
        Err(why) => return Err(why.into()),
    };
    outcome.ok_or_else(|| {
        Failure::Other(anyhow::anyhow!("the gateway did not carry it out in time: is it running?"))
    })
}

/// Records that somebody read.
pub(super) fn record(place: &Place, kind: &str, members: Value) -> Done {
    let Value::Object(members) = members else { return Ok(()) };
    match ordered(place, &Order::Record { kind: kind.to_owned(), members })? {
        Outcome::Done(_) => Ok(()),
        Outcome::Refused(why) => {
            Err(Failure::Other(anyhow::anyhow!("the reading cannot be recorded: {why}")))
        }
    }
}
