//! What servers say of their tools: judged, held against pins, and turned into the checks of calls.

use crate::audit::{Draft, Kind, Log, Unrecorded};
use crate::config::{Config, Server};
use crate::gateway::{Check, Checks};
use crate::inspect::sanitize::{
    Config as Sanitize, Guard, Judged, OnNew, Rules, Sanitizer, Schema, definition_digest, skeleton,
};
use crate::inspect::{Direction, Filtered, Inspector, Subject};
use crate::mcp::Object;
use crate::route::{
    Admission, Book, Catalog, Change, Entry, Gatekeeper, Held, Listed, Offered, OnDrift, PinError, PinStore,
    State, Version, What,
};
use serde::Serialize;
use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// Definitions in one record; a record has a largest size.
const IN_ONE_RECORD: usize = 100;

/// A tool that is held back, for reports.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HeldTool {
    /// The server's id.
    pub server: String,
    /// The tool's own name.
    pub tool: String,
    /// `drifted`, `quarantined` or `rejected`.
    pub state: &'static str,
    /// Types of the signs against it.
    pub reasons: Vec<String>,
}

/// Compiled checks by shown name, with the definition that they were made from.
pub(super) type Compiled = HashMap<String, (String, Arc<Check>)>;

/// What is done about signs of a server, or of one of its tools.
pub(super) fn rules_of(config: &Config, server: Option<&Server>, tool: Option<&str>) -> Rules {
    let tool = server.zip(tool).and_then(|(server, tool)| server.tools.get(tool)).map(|tool| &tool.sanitize);
    let levels: Vec<&Sanitize> =
        tool.into_iter().chain(server.map(|server| &server.sanitize)).chain([&config.sanitize]).collect();
    Rules::of(&levels)
}

/// Sends the planted samples through the rules of every server and tool that has its own.
///
/// # Errors
/// Names the server whose settings let a sample pass.
pub(super) fn test(config: &Config, sanitizer: &Sanitizer) -> Result<Vec<String>, String> {
    let mut notes = Vec::new();
    for (id, server) in config.mcp_servers.iter().filter(|(_, server)| !server.disabled) {
        let own = server.tools.keys().map(|tool| Some(tool.as_str()));
        for tool in std::iter::once(None).chain(own) {
            let rules = rules_of(config, Some(server), tool);
            let place = tool.map_or_else(|| id.to_string(), |tool| format!("{id}: `{tool}`"));
            sanitizer.test(&rules).map_err(|e| format!("{place}: {e}"))?;
            let off = rules.off();
            if !off.is_empty() && (tool.is_none() || off != rules_of(config, Some(server), None).off()) {
                notes.push(format!("{place}: sanitization is off: {}", off.join(", ")));
            }
        }
    }
    Ok(notes)
}

/// Decides about definitions as the catalog is built.
pub(super) struct Keeper<'a> {
    inspector: &'a Inspector,
    sanitizer: &'a Sanitizer,
    config: &'a Config,
    now_us: i64,
    inner: RefCell<Inner>,
}

#[derive(Default)]
struct Inner {
    book: Book,
    /// Skeletons of the names of all tools so far: server, name, and the name without case and separators.
    names: HashMap<String, (String, String, String)>,
    notes: Vec<String>,
    held: Vec<HeldTool>,
}

/// What a keeper has found out.
pub(super) struct Kept {
    pub book: Book,
    pub notes: Vec<String>,
    pub held: Vec<HeldTool>,
}

impl<'a> Keeper<'a> {
    pub fn new(
        config: &'a Config,
        inspector: &'a Inspector,
        sanitizer: &'a Sanitizer,
        (book, now_us): (Book, i64),
    ) -> Self {
        let inner = RefCell::new(Inner { book, ..Inner::default() });
        Self { inspector, sanitizer, config, now_us, inner }
    }

    pub fn kept(self) -> Kept {
        let Inner { book, notes, held, .. } = self.inner.into_inner();
        Kept { book, notes, held }
    }

    /// Whether what a server tells models of itself must not be passed on.
    pub fn silences(&self, server: &str, instructions: Option<&str>) -> bool {
        let Some(text) = instructions else { return false };
        let rules = rules_of(self.config, self.config.mcp_servers.get(server), None);
        let judged = self.sanitizer.prose("/instructions", text, &rules.definitions);
        self.tell(server, "its instructions", &judged);
        !judged.passes()
    }

    fn tell(&self, server: &str, what: &str, judged: &Judged) {
        let mut signs: Vec<String> =
            judged.reasons.iter().map(|reason| format!("{} ({})", reason.kind, reason.detail)).collect();
        signs.dedup();
        if !signs.is_empty() {
            self.inner.borrow_mut().notes.push(format!("{server}: {what}: {}", signs.join(", ")));
        }
    }

    /// Names that can be taken for another server's tool. Other case and separators are how servers differ; other
    /// letters that look the same are not.
    fn lookalike(&self, offered: Offered<'_>, rules: &Rules, judged: &mut Judged) {
        let fold: String =
            offered.own.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase();
        let mut inner = self.inner.borrow_mut();
        let key = skeleton(offered.own);
        match inner.names.get(&key) {
            Some((server, name, other)) if server != offered.server && name != offered.own => {
                let note = format!("{}: `{}` looks like `{name}` of {server}", offered.server, offered.own);
                if *other != fold {
                    self.sanitizer.add_lookalike(judged, offered.own, rules);
                }
                inner.notes.push(note);
            }
            Some(_) => {}
            None => {
                inner.names.insert(key, (offered.server.to_owned(), offered.own.to_owned(), fold));
            }
        }
    }
}

impl Gatekeeper for Keeper<'_> {
    fn clean(&self, definition: String) -> Result<String, String> {
        let subject = Subject {
            call: uuid::Uuid::nil(),
            direction: Direction::Response,
            exempt: &["/name", "/uri", "/uriTemplate"],
        };
        self.inspector.filter(definition, &subject).map(Filtered::into_value).map_err(|e| e.to_string())
    }

    fn admit(&self, offered: Offered<'_>) -> Result<Admission, String> {
        let server = self.config.mcp_servers.get(offered.server);
        let rules = rules_of(self.config, server, offered.is_tool.then_some(offered.own));
        let mut judged = self.sanitizer.definition(offered.raw, &rules.definitions);
        if !offered.is_tool {
            self.tell(offered.server, &format!("`{}`", offered.own), &judged);
            let why = || "its definition is not passed on, see `sanitize.definitions`".to_owned();
            return judged.passes().then(Admission::default).ok_or_else(why);
        }
        self.lookalike(offered, &rules, &mut judged);
        let digest = definition_digest(offered.raw).ok_or("an entry is not an object")?;
        // The digest is of what the server says; what is kept of it holds no personal or secret data.
        let text = self.clean(offered.raw.to_owned())?;
        let mut reasons: Vec<String> = judged.reasons.iter().map(|reason| reason.kind.to_owned()).collect();
        reasons.sort_unstable();
        reasons.dedup();
        let listed = Listed {
            server: offered.server,
            tool: offered.own,
            version: Version { digest, text },
            reasons,
            acceptable: judged.passes() && rules.definitions.on_new == OnNew::Accept,
            on_drift: match rules.definitions.on_drift {
                Guard::Block => OnDrift::Hold,
                Guard::Flag => OnDrift::Note,
                Guard::Off => OnDrift::Follow,
            },
        };
        let standing = self.inner.borrow_mut().book.judge(listed, self.now_us);
        self.tell(offered.server, &format!("`{}`", offered.own), &judged);
        let mut inner = self.inner.borrow_mut();
        let pin = inner.book.pin(offered.server, offered.own).cloned();
        let pinned = pin.as_ref().is_some_and(|pin| pin.state == State::Pinned);
        if let (Some(held), Some(pin)) = (standing.held, pin) {
            let (server, tool) = (offered.server, offered.own);
            let why =
                if held == Held::Drifted { "differs from what was approved" } else { "waits for approval" };
            inner.notes.push(format!("{server}: `{tool}` is held: its definition {why}; look at it with `sealgate server diff {server} {tool}`"));
            inner.held.push(HeldTool {
                server: pin.server,
                tool: pin.tool,
                state: pin.state.as_str(),
                reasons: pin.reasons,
            });
        }
        Ok(Admission { held: standing.held, instead: standing.instead, pinned })
    }
}

/// Compiles the checks of all tools; those of definitions that have not changed are kept.
pub(super) fn checks(
    config: &Config,
    catalog: &Catalog,
    compiled: &mut Compiled,
    notes: &mut Vec<String>,
) -> Checks {
    let plain = |rules| Arc::new(Check { rules, input: None, output: None, semantics: Vec::new() });
    let servers = config.mcp_servers.iter();
    let servers =
        servers.map(|(id, server)| (id.to_string(), plain(rules_of(config, Some(server), None)))).collect();
    let mut fresh = Compiled::new();
    for (shown, entry) in &catalog.tools {
        let kept = compiled.remove(shown).filter(|(definition, _)| *definition == entry.own_definition);
        let kept =
            kept.unwrap_or_else(|| (entry.own_definition.clone(), Arc::new(check(config, entry, notes))));
        fresh.insert(shown.clone(), kept);
    }
    *compiled = fresh;
    let tools = compiled.iter().map(|(shown, (_, check))| (shown.clone(), check.clone())).collect();
    Checks { tools, servers, default: plain(rules_of(config, None, None)) }
}

fn check(config: &Config, entry: &Entry, notes: &mut Vec<String>) -> Check {
    let server = config.mcp_servers.get(&*entry.server);
    let definition = Object::parse(&entry.own_definition);
    let mut schema = |member: &str| {
        let raw = definition.as_ref().and_then(|definition| definition.get(member))?;
        let compiled = Schema::compile(raw);
        let (server, tool) = (&entry.server, &entry.own);
        compiled.map_err(|e| notes.push(format!("{server}: `{tool}`: `{member}` is not checked: {e}"))).ok()
    };
    let (input, output) = (schema("inputSchema"), schema("outputSchema"));
    let declared = server.and_then(|server| server.tools.get(&entry.own)).map(|tool| tool.arguments.clone());
    let mut semantics: Vec<_> = declared.unwrap_or_default().into_iter().collect();
    semantics.extend(input.iter().flat_map(|input| input.hints().iter().cloned()));
    Check { rules: rules_of(config, server, Some(&entry.own)), input, output, semantics }
}

/// Changes of pins, to be recorded and then kept.
#[derive(Debug, Clone, Default)]
pub(super) struct Settlement {
    pub book: Book,
    /// Decisions of people that are not recorded yet, by their row.
    pub outside: Vec<(i64, Change)>,
}

impl Settlement {
    /// Records everything. Recording comes first: what is kept without a record would never be recorded.
    pub async fn record(&self, log: &Log) -> Result<(), Unrecorded> {
        let outside = self.outside.iter().map(|(_, change)| change);
        for draft in records(outside.chain(&self.book.changes)) {
            log.append(draft).await?;
        }
        Ok(())
    }

    /// Keeps what has been recorded. Blocks.
    pub fn keep(&self, pins: &PinStore) -> Result<(), PinError> {
        let recorded: Vec<i64> = self.outside.iter().map(|(row, _)| *row).collect();
        if recorded.is_empty() && self.book.dirty.is_empty() {
            return Ok(());
        }
        pins.settle(&self.book, &recorded)
    }
}

#[derive(Serialize)]
struct Row<'a> {
    after: Option<&'a str>,
    before: Option<&'a str>,
    reasons: &'a [String],
    server: &'a str,
    tool: &'a str,
}

/// The records of changes of pins.
fn records<'c>(changes: impl Iterator<Item = &'c Change>) -> Vec<Draft> {
    let mut alike: BTreeMap<(What, &str), Vec<Row<'_>>> = BTreeMap::new();
    for change in changes {
        alike.entry((change.what, &change.by)).or_default().push(Row {
            after: change.after.as_deref(),
            before: change.before.as_deref(),
            reasons: &change.reasons,
            server: &change.server,
            tool: &change.tool,
        });
    }
    let drafts = alike.iter().flat_map(|((what, by), rows)| {
        rows.chunks(IN_ONE_RECORD)
            .map(|rows| Draft::new(kind(*what)).member("by", *by).member("definitions", rows))
    });
    drafts.collect()
}

fn kind(what: What) -> Kind {
    match what {
        What::Pin => Kind::DefinitionPin,
        What::Quarantine => Kind::DefinitionQuarantine,
        What::Drift => Kind::DefinitionDrift,
        What::Approve => Kind::DefinitionApprove,
        What::Reject => Kind::DefinitionReject,
        What::Restore => Kind::DefinitionRestore,
    }
}
