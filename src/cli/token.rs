//! `sealgate token`

use super::{Done, Failure, Format, Place, output};
use crate::clock::Clock;
use crate::identity::{Claim, NewToken, PrincipalKind, State, Tokens, Ttl};
use serde_json::json;

/// The verbs of `token`.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Verb {
    /// Make a token. It is shown once; only its hash is kept.
    Create(Create),
    /// List all tokens, without their values.
    List {
        #[command(flatten)]
        place: Place,
        /// The form of the result.
        #[arg(long, short, value_enum, default_value = "text")]
        output: Format,
    },
    /// Revoke a token at once, for running streams too.
    Revoke {
        #[command(flatten)]
        place: Place,
        /// The token's id, or the beginning of it.
        id: String,
    },
}

/// Options of `token create`.
#[derive(Debug, clap::Args)]
pub(super) struct Create {
    #[command(flatten)]
    place: Place,
    /// The person that the token speaks for.
    #[arg(long, value_name = "ID", required_unless_present = "service", conflicts_with = "service")]
    user: Option<String>,
    /// The workload that the token speaks for, where no person stands behind it.
    #[arg(long, value_name = "ID")]
    service: Option<String>,
    /// A role; may be given several times.
    #[arg(long = "role", value_name = "ROLE")]
    roles: Vec<String>,
    /// A team; may be given several times.
    #[arg(long = "team", value_name = "TEAM")]
    teams: Vec<String>,
    /// A claim, as NAME=VALUE; may be given several times. Recorded with each call.
    #[arg(long = "claim", value_name = "NAME=VALUE", value_parser = Claim::assignment)]
    claims: Vec<(String, Claim)>,
    /// The tenant.
    #[arg(long, default_value = "default")]
    tenant: String,
    /// The software that uses the token.
    #[arg(long, value_name = "NAME", default_value = "unnamed")]
    agent: String,
    /// Marks that software as not approved.
    #[arg(long)]
    unapproved: bool,
    /// How long it is good: `30m`, `12h`, `90d`.
    #[arg(long, default_value = "90d")]
    ttl: Ttl,
    /// The form of the result.
    #[arg(long, short, value_enum, default_value = "text")]
    output: Format,
}

pub(super) fn run(verb: &Verb) -> Done {
    match verb {
        Verb::Create(options) => create(options),
        Verb::List { place, output } => list(place, *output),
        Verb::Revoke { place, id } => {
            let revoked = existing(place)?.revoke(id, "cli")?;
            output::print(&format!("revoked {}\n", revoked.id))
        }
    }
}

fn create(options: &Create) -> Done {
    let (kind, id) = match (&options.user, &options.service) {
        (Some(user), _) => (PrincipalKind::User, user.clone()),
        (None, service) => (PrincipalKind::ServiceAccount, service.clone().unwrap_or_default()),
    };
    let tokens = Tokens::open(&options.place.data_dir()?, Clock::system())?;
    let (token, record) = tokens.create(NewToken {
        kind,
        id,
        roles: options.roles.clone(),
        teams: options.teams.clone(),
        tenant: options.tenant.clone(),
        claims: options.claims.iter().cloned().collect(),
        agent: options.agent.clone(),
        agent_approved: !options.unapproved,
        ttl: options.ttl,
        created_by: "cli".into(),
    })?;
    match options.output {
        Format::Json => output::json(&json!({"token": token, "id": record.id, "record": record})),
        Format::Text => output::print(&format!(
            "{}\n\nid {}; it is shown this once and cannot be recovered\n",
            token, record.id
        )),
    }
}

/// The tokens of a folder that has some: reading must not make a store where a path was mistyped.
fn existing(place: &Place) -> Result<Tokens, Failure> {
    let folder = place.data_dir()?;
    if !Tokens::exist(&folder) {
        let folder = folder.display();
        return Err(anyhow::anyhow!("there are no tokens in `{folder}`: check the path, or make one").into());
    }
    Ok(Tokens::open(&folder, Clock::system())?)
}

fn list(place: &Place, format: Format) -> Done {
    let records = existing(place)?.list()?;
    if format == Format::Json {
        return output::json(&json!({ "tokens": records }));
    }
    output::print(&format!("{:<14} {:<20} {:<14} {:<24} state\n", "id", "principal", "agent", "expires"))?;
    for record in records {
        let expires = jiff::Timestamp::from_microsecond(record.expires_us)
            .map_or_else(|_| "-".into(), |t| t.to_string());
        let line = format!(
            "{:<14} {:<20} {:<14} {:<24} {}\n",
            record.id,
            record.principal,
            record.agent,
            expires,
            match record.state(Clock::system().now_us()) {
                State::Active => "active",
                State::Expired => "expired",
                State::Revoked => "revoked",
            }
        );
        output::print(&line)?;
    }
    Ok(())
}
