//! Where was a value seen? From commitments alone: records hold no values, so that the question carries none.

use super::field::Field;
use super::query::{Node, Query, Test};
use super::source::Found;
use super::{Consistency, Error, Mode, Scope, Searcher};
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeSet;

/// Sightings that are listed; more are counted.
const LISTED: usize = 10_000;

/// One finding in one record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Sighting {
    /// The record's sequence number.
    pub seq: u64,
    /// When it was written, in microseconds since the Unix epoch.
    pub t: i64,
    /// The record's kind.
    pub kind: String,
    /// The call that it belongs to.
    pub call: Option<String>,
    /// The server, where the record or the first of its call names it.
    pub server: Option<String>,
    /// The tool, prompt or resource, where the record or the first of its call names it.
    pub name: Option<String>,
    /// Who called, where the record or the first of its call names them.
    pub actor: Option<String>,
    /// The type of the finding.
    #[serde(rename = "type")]
    pub found: String,
    /// Where it stood.
    pub pointer: String,
    /// How often.
    pub count: u64,
    /// The commitment under which it is recorded, hexadecimal.
    pub commitment: String,
}

/// All sightings of one value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Sightings {
    /// How they were found.
    pub mode: Mode,
    /// Records that the answer is about.
    pub records: u64,
    /// Records that are archived (`docs/archive.md`): nobody looked at them.
    pub archived: u64,
    /// Findings with one of the commitments.
    pub found: u64,
    /// The commitments under which it was found, hexadecimal.
    pub commitments: BTreeSet<String>,
    /// Those that are listed, oldest first.
    pub sightings: Vec<Sighting>,
}

impl Searcher {
    /// Looks for findings with one of these commitments in all that the log has now; each record is read and hashed again.
    /// By the index, once it has come that far; the whole log is read if there is none, or if it does not come that far.
    ///
    /// # Errors
    /// The log cannot be read, a record is not what its hash says, or the index names one that is no hit.
    pub fn seen(&self, commitments: &[String], scope: &Scope, mode: Mode) -> Result<Sightings, Error> {
        let (mode, snapshot) = self.reach(mode)?;
        let archived = self.archived(mode)?;
        let mut all = Sightings {
            mode,
            records: snapshot.saturating_sub(archived),
            archived,
            found: 0,
            commitments: BTreeSet::new(),
            sightings: Vec::new(),
        };
        let is = |one: &String| Node::Is(Field::Commitment, Test::Equals(one.clone()));
        // A scan asks most records only whether they have any.
        let node = Node::All(vec![
            Node::Is(Field::Commitment, Test::Exists),
            Node::Any(commitments.iter().map(is).collect()),
        ]);
        self.each((&Query { node }, scope, mode), (0, snapshot), &mut |found| {
            all.take(&found, commitments);
            Ok(())
        })?;
        Ok(all)
    }

    /// How all that the log has now is found, and how many records that is.
    fn reach(&self, mode: Mode) -> Result<(Mode, u64), Error> {
        // An index that is not there is not waited for.
        if mode == Mode::Index && self.status().is_ok_and(|index| index.exists) {
            match self.snapshot(mode, Consistency::Wait) {
                Err(Error::Missing | Error::Behind { .. } | Error::Damaged | Error::Index(_)) => {}
                reached => return Ok((mode, reached?)),
            }
        }
        Ok((Mode::Scan, self.snapshot(Mode::Scan, Consistency::Wait)?))
    }
}

impl Sightings {
    fn take(&mut self, found: &Found, commitments: &[String]) {
        let record = &found.value;
        let text = |value: Option<&Value>| value.and_then(Value::as_str).map(str::to_owned);
        // Outcomes do not name the tool again: the first record of a call does.
        let of_call = |member: &str, name: &str| {
            let member = record.get(member).or_else(|| found.first.as_ref()?.get(member));
            text(member.and_then(|member| member.get(name)))
        };
        let findings = record.pointer("/redact/findings").and_then(Value::as_array);
        for finding in findings.into_iter().flatten() {
            let Some(commitment) = text(finding.get("commitment")).filter(|one| commitments.contains(one))
            else {
                continue;
            };
            self.found += 1;
            self.commitments.insert(commitment.clone());
            if self.sightings.len() < LISTED {
                self.sightings.push(Sighting {
                    seq: found.seq,
                    t: record.get("t").and_then(Value::as_i64).unwrap_or_default(),
                    kind: text(record.get("kind")).unwrap_or_default(),
                    call: text(record.get("call")),
                    server: of_call("mcp", "server"),
                    name: of_call("mcp", "name"),
                    actor: of_call("actor", "id"),
                    found: text(finding.get("type")).unwrap_or_default(),
                    pointer: text(finding.get("pointer")).unwrap_or_default(),
                    count: finding.get("count").and_then(Value::as_u64).unwrap_or_default(),
                    commitment,
                });
            }
        }
    }
}
