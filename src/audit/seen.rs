//! Where a value was seen, from commitments alone: records hold no values, so that the question carries none.

use super::{Error, Reader};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::path::Path;

/// Records that are read at once.
const PAGE: u64 = 1000;
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
    /// The server, where the record names it.
    pub server: Option<String>,
    /// The tool, prompt or resource, where the record names it.
    pub name: Option<String>,
    /// Who called, where the record names them.
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
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Sightings {
    /// Records that were read.
    pub records: u64,
    /// Records that are archived, and were not read.
    pub archived: u64,
    /// Findings with one of the commitments.
    pub found: u64,
    /// Those that are listed, oldest first.
    pub sightings: Vec<Sighting>,
}

#[derive(Deserialize)]
struct Record {
    seq: u64,
    t: i64,
    kind: String,
    call: Option<String>,
    #[serde(default)]
    redact: Option<Redact>,
    #[serde(default)]
    mcp: Option<Mcp>,
    #[serde(default)]
    actor: Option<Actor>,
}

#[derive(Deserialize)]
struct Redact {
    #[serde(default)]
    findings: Vec<Finding>,
}

#[derive(Deserialize)]
struct Finding {
    commitment: String,
    #[serde(default)]
    count: u64,
    #[serde(default)]
    pointer: String,
    #[serde(rename = "type")]
    kind: String,
}

#[derive(Deserialize)]
struct Mcp {
    #[serde(default)]
    server: String,
    #[serde(default)]
    name: String,
}

#[derive(Deserialize)]
struct Actor {
    #[serde(default)]
    id: String,
}

/// Reads the whole log in `folder` for findings with one of these commitments. Linear in the log; `progress` is told
/// how many records have been read.
///
/// # Errors
/// The log cannot be read.
pub fn seen(
    folder: &Path,
    commitments: &[String],
    progress: &mut dyn FnMut(u64),
) -> Result<Sightings, Error> {
    let reader = Reader::open(folder)?;
    let mut all = Sightings { archived: reader.absent()?, ..Sightings::default() };
    // Outcomes do not name the tool again: what the intent of a call said of it.
    let mut calls: HashMap<String, (Option<Mcp>, Option<Actor>)> = HashMap::new();
    let mut next = 0;
    loop {
        let page = reader.present(next, PAGE)?;
        let Some(last) = page.last() else { return Ok(all) };
        next = last.seq + 1;
        for entry in &page {
            all.records += 1;
            let Ok(mut record) = serde_json::from_slice::<Record>(&entry.record) else { continue };
            let findings = record.redact.take().map(|redact| redact.findings).unwrap_or_default();
            let known = record.call.as_ref().and_then(|call| calls.get(call));
            let mcp = record.mcp.as_ref().or_else(|| known.and_then(|(mcp, _)| mcp.as_ref()));
            let actor = record.actor.as_ref().or_else(|| known.and_then(|(_, actor)| actor.as_ref()));
            for finding in findings.iter().filter(|finding| commitments.contains(&finding.commitment)) {
                all.found += 1;
                if all.sightings.len() < LISTED {
                    all.sightings.push(Sighting {
                        seq: record.seq,
                        t: record.t,
                        kind: record.kind.clone(),
                        call: record.call.clone(),
                        server: mcp.map(|mcp| mcp.server.clone()),
                        name: mcp.map(|mcp| mcp.name.clone()),
                        actor: actor.map(|actor| actor.id.clone()),
                        found: finding.kind.clone(),
                        pointer: finding.pointer.clone(),
                        count: finding.count,
                        commitment: finding.commitment.clone(),
                    });
                }
            }
            match (record.kind.as_str(), record.call) {
                ("call.intent", Some(call)) => {
                    calls.insert(call, (record.mcp, record.actor));
                }
                (_, Some(call)) => {
                    calls.remove(&call);
                }
                (_, None) => {}
            }
        }
        progress(all.records);
    }
}
