//! Which definition of a tool was approved: what was seen first, or what a person looked at.
//!
//! Judging is pure: a book of pins, what a server lists now, and what the rules say about it give a standing and the
//! changes to record. [`super::PinStore`] keeps the book.

use std::collections::HashMap;

use serde::Serialize;

/// A definition by its digest and text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Version {
    /// `sha256:…` over the canonical form.
    pub digest: String,
    /// The definition, inspected: what stands in for the server's own.
    pub text: String,
}

/// Where a tool stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Its definition is the approved one.
    Pinned,
    /// Its definition differs from the approved one.
    Drifted,
    /// It waits for approval.
    Quarantined,
    /// A person refused it.
    Rejected,
}

impl State {
    /// The name in the store and in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pinned => "pinned",
            Self::Drifted => "drifted",
            Self::Quarantined => "quarantined",
            Self::Rejected => "rejected",
        }
    }

    /// The state of that name.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Pinned, Self::Drifted, Self::Quarantined, Self::Rejected]
            .into_iter()
            .find(|state| state.as_str() == name)
    }
}

/// What is known of one tool.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Pin {
    /// The server's id.
    pub server: String,
    /// The tool's own name.
    pub tool: String,
    /// Where it stands.
    pub state: State,
    /// What may be used.
    pub approved: Option<Version>,
    /// What was listed last, if it is not what may be used.
    pub seen: Option<Version>,
    /// Types of the signs against what was listed last.
    pub reasons: Vec<String>,
    /// When it changed, in microseconds since the Unix epoch.
    pub changed_us: i64,
    /// Who changed it: `gateway`, or who approved or rejected.
    pub changed_by: String,
}

/// What has changed, for the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// What happened.
    pub what: What,
    /// The server's id.
    pub server: String,
    /// The tool's own name.
    pub tool: String,
    /// Digest of what was approved before.
    pub before: Option<String>,
    /// Digest of what was seen or approved now.
    pub after: Option<String>,
    /// Types of the signs against it.
    pub reasons: Vec<String>,
    /// Who did it.
    pub by: String,
}

/// What happened to a pin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum What {
    /// Seen first and accepted.
    Pin,
    /// Seen and held back.
    Quarantine,
    /// It differs from what was approved.
    Drift,
    /// A person approved it.
    Approve,
    /// A person refused it.
    Reject,
    /// It is again what was approved.
    Restore,
}

impl What {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Pin, Self::Quarantine, Self::Drift, Self::Approve, Self::Reject, Self::Restore];

    /// The name in the store.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pin => "pin",
            Self::Quarantine => "quarantine",
            Self::Drift => "drift",
            Self::Approve => "approve",
            Self::Reject => "reject",
            Self::Restore => "restore",
        }
    }
}

/// Why a tool must not be used now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Held {
    /// Its definition differs from the approved one.
    Drifted,
    /// It waits for approval, or was refused.
    Quarantined,
}

/// One tool as a server lists it now.
#[derive(Debug, Clone)]
pub struct Listed<'a> {
    /// The server's id.
    pub server: &'a str,
    /// The tool's own name.
    pub tool: &'a str,
    /// Its definition.
    pub version: Version,
    /// Types of the signs against it.
    pub reasons: Vec<String>,
    /// Whether it may be used at first sight.
    pub acceptable: bool,
    /// What a difference from the pin means.
    pub on_drift: OnDrift,
}

/// What a difference from the pin means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnDrift {
    /// The tool is held until a person approves.
    Hold,
    /// It is recorded.
    Note,
    /// The new definition is pinned.
    Follow,
}

/// Where a listed tool stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Why it must not be used now.
    pub held: Option<Held>,
    /// The definition to go on with instead of the listed one.
    pub instead: Option<String>,
}

/// All pins, and what judging has changed.
#[derive(Debug, Clone, Default)]
pub struct Book {
    pins: HashMap<(String, String), Pin>,
    /// Pins that differ from the store, with the time of the row they came from.
    pub dirty: Vec<(Pin, Option<i64>)>,
    /// What is to be recorded.
    pub changes: Vec<Change>,
}

impl Book {
    /// A book of these pins.
    pub fn of(pins: Vec<Pin>) -> Self {
        let pins = pins.into_iter().map(|pin| ((pin.server.clone(), pin.tool.clone()), pin)).collect();
        Self { pins, dirty: Vec::new(), changes: Vec::new() }
    }

    /// A book whose pins are all still to be kept.
    pub(super) fn fresh(pins: Vec<Pin>) -> Self {
        Self { dirty: pins.into_iter().map(|pin| (pin, None)).collect(), ..Self::default() }
    }

    /// The pin of a tool.
    pub fn pin(&self, server: &str, tool: &str) -> Option<&Pin> {
        self.pins.get(&(server.to_owned(), tool.to_owned()))
    }

    /// Judges a tool as it is listed now.
    pub fn judge(&mut self, listed: Listed<'_>, now_us: i64) -> Standing {
        let known = self.pin(listed.server, listed.tool).cloned();
        let Some(known) = known else {
            let turn = if listed.acceptable {
                (State::Pinned, What::Pin)
            } else {
                (State::Quarantined, What::Quarantine)
            };
            return self.turn(None, listed, turn, now_us);
        };
        let same_as_seen = known.seen.as_ref().is_some_and(|seen| seen.digest == listed.version.digest);
        match &known.approved {
            Some(approved) if approved.digest == listed.version.digest => {
                if known.state == State::Pinned {
                    return Standing { held: None, instead: None };
                }
                self.turn(Some(known), listed, (State::Pinned, What::Restore), now_us)
            }
            Some(_) if listed.on_drift == OnDrift::Follow && listed.acceptable => {
                self.turn(Some(known), listed, (State::Pinned, What::Pin), now_us)
            }
            Some(_) if same_as_seen => stand(&known, &listed),
            Some(_) => self.turn(Some(known), listed, (State::Drifted, What::Drift), now_us),
            None if known.state != State::Rejected && listed.acceptable => {
                self.turn(Some(known), listed, (State::Pinned, What::Pin), now_us)
            }
            None if same_as_seen => stand(&known, &listed),
            None => self.turn(Some(known), listed, (State::Quarantined, What::Quarantine), now_us),
        }
    }

    fn turn(
        &mut self,
        known: Option<Pin>,
        listed: Listed<'_>,
        (state, what): (State, What),
        now_us: i64,
    ) -> Standing {
        let row = known.as_ref().map(|pin| pin.changed_us);
        let before = known.and_then(|pin| pin.approved);
        let pinned = state == State::Pinned;
        let pin = Pin {
            server: listed.server.to_owned(),
            tool: listed.tool.to_owned(),
            state,
            approved: if pinned { Some(listed.version.clone()) } else { before.clone() },
            seen: (!pinned).then(|| listed.version.clone()),
            reasons: listed.reasons.clone(),
            // Rows are told apart by this time.
            changed_us: row.map_or(now_us, |row| now_us.max(row + 1)),
            changed_by: "gateway".into(),
        };
        self.changes.push(Change {
            what,
            server: pin.server.clone(),
            tool: pin.tool.clone(),
            before: before.map(|version| version.digest),
            after: Some(listed.version.digest.clone()),
            reasons: listed.reasons.clone(),
            by: "gateway".into(),
        });
        let standing = stand(&pin, &listed);
        self.pins.insert((pin.server.clone(), pin.tool.clone()), pin.clone());
        self.dirty.push((pin, row));
        standing
    }
}

fn stand(pin: &Pin, listed: &Listed<'_>) -> Standing {
    let held = match pin.state {
        State::Pinned => None,
        State::Drifted if listed.on_drift == OnDrift::Note && listed.acceptable => None,
        State::Drifted => Some(Held::Drifted),
        State::Rejected if pin.approved.is_some() => Some(Held::Drifted),
        State::Quarantined | State::Rejected => Some(Held::Quarantined),
    };
    // Policies go on with what they were written for.
    let instead =
        pin.approved.as_ref().filter(|_| held == Some(Held::Drifted)).map(|version| version.text.clone());
    Standing { held, instead }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(digest: &str, acceptable: bool) -> Listed<'static> {
        Listed {
            server: "s",
            tool: "t",
            version: Version { digest: digest.into(), text: format!("{{\"d\":\"{digest}\"}}") },
            reasons: Vec::new(),
            acceptable,
            on_drift: OnDrift::Hold,
        }
    }

    #[test]
    fn a_change_holds_a_tool_until_it_is_undone_or_approved() {
        let mut book = Book::default();
        assert_eq!(book.judge(listed("a", true), 1).held, None);
        assert_eq!(book.judge(listed("a", true), 2).held, None);
        let drifted = book.judge(listed("b", true), 3);
        assert_eq!(drifted, Standing { held: Some(Held::Drifted), instead: Some("{\"d\":\"a\"}".into()) });
        assert_eq!(book.judge(listed("b", true), 4).held, Some(Held::Drifted));
        assert_eq!(book.judge(listed("a", true), 5).held, None);
        let what: Vec<_> = book.changes.iter().map(|change| change.what).collect();
        assert_eq!(what, [What::Pin, What::Drift, What::Restore]);
        let noted = Listed { on_drift: OnDrift::Note, ..listed("c", true) };
        assert_eq!(book.judge(noted, 6).held, None);
    }

    #[test]
    fn what_is_not_acceptable_waits() {
        let mut book = Book::default();
        assert_eq!(book.judge(listed("a", false), 1).held, Some(Held::Quarantined));
        assert_eq!(book.judge(listed("a", false), 2).held, Some(Held::Quarantined));
        assert_eq!(book.judge(listed("b", true), 3).held, None, "a clean version is a first sight");
        let what: Vec<_> = book.changes.iter().map(|change| change.what).collect();
        assert_eq!(what, [What::Quarantine, What::Pin]);
    }
}
