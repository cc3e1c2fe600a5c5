//! `sealgate server`

use super::{Done, Failure, Format, Place, output};
use crate::clock::Clock;
use crate::inspect::sanitize::visible;
use crate::route::{Pin, PinStore, State, Version, What};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Lines of a definition beyond which a diff shows both versions whole.
const LINES: usize = 3000;

/// The verbs of `server`.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Verb {
    /// List the servers, with the number of their tools that are pinned and held back.
    List {
        #[command(flatten)]
        place: Place,
        /// The form of the result.
        #[arg(long, short, value_enum, default_value = "text")]
        output: Format,
    },
    /// List the pins: one line a tool. Exit code 1 if any tool is held back.
    Pins {
        #[command(flatten)]
        place: Place,
        /// Only this server.
        server: Option<String>,
        /// The form of the result.
        #[arg(long, short, value_enum, default_value = "text")]
        output: Format,
    },
    /// Show what a server says of a tool now beside what was approved. Exit code 1 if they differ.
    Diff {
        #[command(flatten)]
        place: Place,
        /// The server.
        server: String,
        /// The tool, by the server's own name.
        tool: String,
        /// The form of the result.
        #[arg(long, short, value_enum, default_value = "text")]
        output: Format,
    },
    /// Approve the definition that was seen last. A running gateway follows within a second.
    Approve(Decision),
    /// Refuse the definition that was seen last; what was approved before stays, unless it is this one.
    Reject(Decision),
}

/// Options of `approve` and `reject`.
#[derive(Debug, clap::Args)]
pub(super) struct Decision {
    #[command(flatten)]
    place: Place,
    /// The server.
    server: String,
    /// The tool, by the server's own name.
    tool: String,
    /// The digest that `diff` showed, or its beginning: anything else is not decided about.
    #[arg(long, value_name = "SHA256")]
    digest: Option<String>,
    /// Who decides, for the log.
    #[arg(long, value_name = "NAME", default_value = "cli")]
    by: String,
    /// The form of the result.
    #[arg(long, short, value_enum, default_value = "text")]
    output: Format,
}

pub(super) fn run(verb: &Verb) -> Done {
    match verb {
        Verb::List { place, output } => list(&open(place)?.pins()?, *output),
        Verb::Pins { place, server, output } => pins(open(place)?.pins()?, server.as_deref(), *output),
        Verb::Diff { place, server, tool, output } => diff(&open(place)?.pins()?, (server, tool), *output),
        Verb::Approve(decision) => decide(decision, What::Approve),
        Verb::Reject(decision) => decide(decision, What::Reject),
    }
}

fn open(place: &Place) -> Result<PinStore, Failure> {
    Ok(PinStore::open(&place.data_dir()?)?)
}

fn list(pins: &[Pin], format: Format) -> Done {
    let mut servers: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for pin in pins {
        let counts = servers.entry(&pin.server).or_default();
        match pin.state {
            State::Pinned => counts.0 += 1,
            State::Drifted | State::Quarantined | State::Rejected => counts.1 += 1,
        }
    }
    if format == Format::Json {
        let servers: Vec<_> = servers
            .iter()
            .map(|(server, (pinned, held))| json!({"server": server, "pinned": pinned, "held": held}))
            .collect();
        return output::json(&json!({ "servers": servers }));
    }
    let mut text = format!("{:<32} {:>6} {:>6}\n", "server", "pinned", "held");
    for (server, (pinned, held)) in servers {
        let _ = writeln!(text, "{server:<32} {pinned:>6} {held:>6}");
    }
    output::print(&text)
}

fn pins(mut pins: Vec<Pin>, server: Option<&str>, format: Format) -> Done {
    pins.retain(|pin| server.is_none_or(|server| pin.server == server));
    let held = pins.iter().any(|pin| pin.state != State::Pinned);
    if format == Format::Json {
        let pins: Vec<_> = pins.iter().map(as_json).collect();
        output::json(&json!({ "pins": pins }))?;
    } else {
        let mut text = String::new();
        for pin in &pins {
            let digest = shown(pin).map_or("-", |version| version.digest.as_str());
            let digest = digest.get(..19).unwrap_or(digest);
            let (server, tool, reasons) = (&pin.server, visible(&pin.tool), pin.reasons.join(" "));
            let _ = writeln!(text, "{server:<20} {tool:<32} {:<12} {digest} {reasons}", pin.state.as_str());
        }
        output::print(&text)?;
    }
    if held { Err(Failure::No(1)) } else { Ok(()) }
}

fn shown(pin: &Pin) -> Option<&Version> {
    pin.seen.as_ref().or(pin.approved.as_ref())
}

fn as_json(pin: &Pin) -> Value {
    json!({
        "server": pin.server,
        "tool": pin.tool,
        "state": pin.state.as_str(),
        "approved": pin.approved.as_ref().map(|version| &version.digest),
        "seen": pin.seen.as_ref().map(|version| &version.digest),
        "reasons": pin.reasons,
        "changed_us": pin.changed_us,
        "changed_by": pin.changed_by,
    })
}

fn diff(pins: &[Pin], (server, tool): (&str, &str), format: Format) -> Done {
    let pin = pins.iter().find(|pin| pin.server == server && pin.tool == tool).ok_or_else(|| {
        anyhow::anyhow!("no tool `{tool}` of server `{server}` is known; `sealgate server pins` lists them")
    })?;
    if format == Format::Json {
        let text = |version: &Version| serde_json::from_str::<Value>(&version.text).unwrap_or_default();
        let mut shown = as_json(pin);
        if let Some(members) = shown.as_object_mut() {
            members.insert("before".into(), pin.approved.as_ref().map(text).into());
            members.insert("after".into(), pin.seen.as_ref().map(text).into());
        }
        output::json(&shown)?;
    } else {
        let before = pin.approved.as_ref().map(pretty).unwrap_or_default();
        let after = pin.seen.as_ref().map_or_else(|| before.clone(), pretty);
        let mut text = format!("{server} {tool}: {}\n", pin.state.as_str());
        for (name, version) in [("approved", &pin.approved), ("seen", &pin.seen)] {
            let digest = version.as_ref().map_or("-", |version| version.digest.as_str());
            let _ = writeln!(text, "{name:<9}{digest}");
        }
        if !pin.reasons.is_empty() {
            let _ = writeln!(text, "signs    {}", pin.reasons.join(", "));
        }
        text.push_str(&lines(&before, &after));
        output::print(&text)?;
    }
    if pin.state == State::Pinned { Ok(()) } else { Err(Failure::No(1)) }
}

/// A definition over many lines, with everything hidden made visible.
fn pretty(version: &Version) -> String {
    let value: Value = serde_json::from_str(&version.text).unwrap_or_default();
    // JSON escapes controls itself; what it leaves is made visible here.
    visible(&serde_json::to_string_pretty(&value).unwrap_or_default())
}

/// Lines that went and came, with those that stayed around them.
fn lines(before: &str, after: &str) -> String {
    let (old, new): (Vec<&str>, Vec<&str>) = (before.lines().collect(), after.lines().collect());
    let mut out = String::new();
    if old.len() > LINES || new.len() > LINES {
        for (sign, lines) in [("-", old), ("+", new)] {
            for line in lines {
                out.extend([sign, line, "\n"]);
            }
        }
        return out;
    }
    // Lengths of the longest common subsequences of the ends.
    let width = new.len() + 1;
    let mut common = vec![0u32; (old.len() + 1) * width];
    let at = |common: &[u32], i: usize, j: usize| common.get(i * width + j).copied().unwrap_or(0);
    for (i, one) in old.iter().enumerate().rev() {
        for (j, other) in new.iter().enumerate().rev() {
            let length = if one == other {
                at(&common, i + 1, j + 1) + 1
            } else {
                at(&common, i + 1, j).max(at(&common, i, j + 1))
            };
            if let Some(cell) = common.get_mut(i * width + j) {
                *cell = length;
            }
        }
    }
    let (mut i, mut j) = (0, 0);
    loop {
        match (old.get(i), new.get(j)) {
            (Some(one), Some(other)) if one == other => {
                out.extend([" ", one, "\n"]);
                (i, j) = (i + 1, j + 1);
            }
            (Some(one), other) if other.is_none() || at(&common, i + 1, j) >= at(&common, i, j + 1) => {
                out.extend(["-", one, "\n"]);
                i += 1;
            }
            (_, Some(other)) => {
                out.extend(["+", other, "\n"]);
                j += 1;
            }
            (_, None) => return out,
        }
    }
}

fn decide(decision: &Decision, what: What) -> Done {
    let Decision { place, server, tool, digest, by, output: format } = decision;
    let store = open(place)?;
    let pin = store.decide((server, tool), what, digest.as_deref(), (by, Clock::system().now_us()))?;
    let decided = if what == What::Approve { &pin.approved } else { &pin.seen };
    let digest = decided.as_ref().map_or("-", |version| version.digest.as_str());
    match format {
        Format::Json => output::json(&as_json(&pin)),
        Format::Text => {
            let word = if what == What::Approve { "approved" } else { "rejected" };
            output::print(&format!("{word} {server} {} {digest}\n", visible(tool)))
        }
    }
}
