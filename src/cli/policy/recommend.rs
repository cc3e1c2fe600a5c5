//! `sealgate policy recommend`

use super::place::{Period, decisions};
use super::{Done, Failure, Format, output};
use crate::policy::{Decided, Person, Recorded, Row, Store, Surroundings, Table};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// Options of `recommend`.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Options {
    #[command(flatten)]
    place: super::super::Place,
    #[command(flatten)]
    period: Period,
    /// Write `recommended.cedar` and `tests/recommended.yaml` below this folder, instead of printing them.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// The form of the result.
    #[arg(long, short, value_enum, default_value = "text")]
    output: Format,
}

/// Whom a draft grants something: a role, or one principal where no role fits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Grantee {
    Role(String),
    One { kind: &'static str, id: String },
}

/// Who did one thing: each caller with their roles.
type Callers = BTreeMap<(&'static str, String), (BTreeSet<String>, Person)>;

/// What was done: tools, and servers whose resources or prompts were used.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Deed {
    Tool { server: String, name: String },
    Read { server: String },
    Prompt { server: String },
}

pub(super) fn run(options: &Options) -> Done {
    let data_dir = options.place.data_dir()?;
    let mut seen: BTreeMap<Deed, Callers> = BTreeMap::new();
    decisions(&data_dir, &options.period, |decided| {
        if let Decided::Call(recorded) = decided {
            note(&mut seen, recorded);
        }
        Ok(())
    })?;
    let mut grants: BTreeMap<Grantee, BTreeSet<Deed>> = BTreeMap::new();
    for (deed, callers) in &seen {
        for grantee in grantees(callers) {
            grants.entry(grantee).or_default().insert(deed.clone());
        }
    }
    let policies = draft(&grants);
    let table = tests(&data_dir, &seen)?;
    let tests = yaml(&table)?;
    if let Some(folder) = &options.out {
        std::fs::create_dir_all(folder.join("tests"))?;
        std::fs::write(folder.join("recommended.cedar"), &policies)?;
        std::fs::write(folder.join("tests/recommended.yaml"), &tests)?;
    }
    match options.output {
        Format::Json => output::json(&json!({"policies": policies, "tests": table, "deeds": seen.len()})),
        Format::Text if options.out.is_some() => {
            output::print(&format!("drafted policies for {} deeds\n", seen.len()))
        }
        Format::Text => {
            output::print(&format!("{policies}\n// tests/recommended.yaml:\n{}", commented(&tests)))
        }
    }
}

/// Calls that went out count, whether a policy permitted them or observe mode let them.
fn note(seen: &mut BTreeMap<Deed, Callers>, recorded: &Recorded) {
    let Some(caller) = recorded.caller.as_ref().filter(|_| recorded.authz.decision == "allow") else {
        return;
    };
    let server = recorded.server.clone();
    let deed = match recorded.method.as_str() {
        "tools/call" => Deed::Tool { server, name: recorded.name.clone() },
        "resources/read" | "resources/subscribe" => Deed::Read { server },
        "prompts/get" => Deed::Prompt { server },
        _ => return,
    };
    let kind = caller.kind.entity_type();
    let person = Person {
        kind: (kind == "ServiceAccount").then(|| "service_account".to_owned()),
        roles: caller.roles.clone(),
        teams: caller.teams.clone(),
        tenant: Some(caller.tenant.clone()),
        agent: Some(caller.agent.clone()),
        approved: caller.agent_approved,
        claims: caller.claims.clone(),
    };
    let roles = caller.roles.iter().cloned().collect();
    seen.entry(deed).or_default().insert((kind, caller.id.clone()), (roles, person));
}

/// The fewest roles that cover all callers, the most common first; callers without a role by name.
fn grantees(callers: &Callers) -> BTreeSet<Grantee> {
    let mut left: Vec<(&(&'static str, String), &BTreeSet<String>)> =
        callers.iter().map(|(who, (roles, _))| (who, roles)).collect();
    let mut chosen = BTreeSet::new();
    while let Some(first) = left.first() {
        let mut counts: BTreeMap<&String, usize> = BTreeMap::new();
        for role in left.iter().flat_map(|(_, roles)| roles.iter()) {
            *counts.entry(role).or_default() += 1;
        }
        let best = counts.into_iter().max_by_key(|(_, count)| *count).map(|(role, _)| role.clone());
        if let Some(role) = best {
            left.retain(|(_, roles)| !roles.contains(&role));
            chosen.insert(Grantee::Role(role));
        } else {
            let (kind, id) = first.0;
            chosen.insert(Grantee::One { kind, id: id.clone() });
            left.remove(0);
        }
    }
    chosen
}

fn draft(grants: &BTreeMap<Grantee, BTreeSet<Deed>>) -> String {
    let mut out = String::from(
        "// Drafted from what was observed: read it before you enforce it. Arguments are not limited yet.\n",
    );
    for (grantee, deeds) in grants {
        let (principal, word) = match grantee {
            Grantee::Role(role) => (format!("principal in Role::{}", quoted(role)), role.as_str()),
            Grantee::One { kind, id } => (format!("principal == {kind}::{}", quoted(id)), id.as_str()),
        };
        let mut tools: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for deed in deeds {
            match deed {
                Deed::Tool { server, name } => {
                    tools.entry(server).or_default().push(format!("Action::{}", quoted(name)));
                }
                Deed::Read { server } => {
                    let scope = format!(
                        "action in Action::\"ReadResource\",\n  resource in Server::{}",
                        quoted(server)
                    );
                    permit(&mut out, &id(word, server, "resources"), &principal, &scope);
                }
                Deed::Prompt { server } => {
                    let scope =
                        format!("action == Action::\"GetPrompt\",\n  resource in Server::{}", quoted(server));
                    permit(&mut out, &id(word, server, "prompts"), &principal, &scope);
                }
            }
        }
        for (server, actions) in tools {
            let scope = format!("action in [{}],\n  resource", actions.join(", "));
            permit(&mut out, &id(word, server, "tools"), &principal, &scope);
        }
    }
    permit(&mut out, "recommended-results", "principal", "action == Action::\"ReturnResult\",\n  resource");
    out
}

fn permit(out: &mut String, id: &str, principal: &str, scope: &str) {
    let _ = write!(out, "\n@id(\"{id}\")\npermit (\n  {principal},\n  {scope}\n);\n");
}

fn id(grantee: &str, server: &str, what: &str) -> String {
    let plain = |text: &str| -> String {
        text.chars()
            .map(|c| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '-' })
            .take(48)
            .collect()
    };
    format!("recommended-{}-{}-{what}", plain(grantee), plain(server))
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.escape_debug())
}

/// One row for each caller and tool that was seen.
fn tests(data_dir: &Path, seen: &BTreeMap<Deed, Callers>) -> Result<Table, Failure> {
    let store = Store::of(data_dir);
    let digests = store.in_force()?;
    let surroundings = Surroundings::from_parts(&store.parts(&digests.entities)?).map_err(super::failure)?;
    let mut table = Table::default();
    for (deed, callers) in seen {
        let Deed::Tool { name, .. } = deed else { continue };
        let Some(args) = surroundings.fitting_arguments(name) else { continue };
        for ((_, id), (_, person)) in callers {
            table.people.insert(id.clone(), person.clone());
            table.rows.push(Row {
                who: id.clone(),
                tool: Some(name.clone()),
                args: Some(args.clone()),
                expect: "allow".to_owned(),
                ..Row::default()
            });
        }
    }
    // Who decides is known once the draft is judged.
    let policies = draft_of(seen, &surroundings)?;
    for row in &mut table.rows {
        row.by = Vec::new();
    }
    let played: Vec<_> = table.rows.iter().map(|row| table.play(&policies, row)).collect();
    for (row, played) in table.rows.iter_mut().zip(played) {
        let played = played?;
        (row.expect, row.by) = (played.came, played.by);
    }
    Ok(table)
}

fn draft_of(
    seen: &BTreeMap<Deed, Callers>,
    surroundings: &Surroundings,
) -> Result<crate::policy::Policies, Failure> {
    let mut grants: BTreeMap<Grantee, BTreeSet<Deed>> = BTreeMap::new();
    for (deed, callers) in seen {
        for grantee in grantees(callers) {
            grants.entry(grantee).or_default().insert(deed.clone());
        }
    }
    let parts = vec![("recommended.cedar".to_owned(), draft(&grants))];
    let files = crate::policy::PolicyFiles::from_parts(&parts);
    files.build(surroundings).or_else(|_| files.build(&surroundings.undiscovered())).map_err(super::failure)
}

/// JSON is YAML; one row a line is easy to read.
fn yaml(table: &Table) -> Result<String, Failure> {
    let mut out = String::from("people:\n");
    for (name, person) in &table.people {
        let _ = writeln!(out, "  {}: {}", Value::from(name.as_str()), serde_json::to_string(person)?);
    }
    out.push_str("rows:\n");
    for row in &table.rows {
        let _ = writeln!(out, "  - {}", serde_json::to_string(row)?);
    }
    Ok(out)
}

fn commented(text: &str) -> String {
    text.lines().map(|line| format!("// {line}\n")).collect::<Vec<_>>().concat()
}
