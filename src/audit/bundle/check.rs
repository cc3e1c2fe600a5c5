//! Checking a bundle, as `verify.py` in it does.

use super::{About, CHECKPOINT, KEYS, MANIFEST, Manifest, PROOFS, QUERY, RECORDS};
use crate::audit::canonical;
use crate::audit::chain::{self, hash, hex};
use crate::audit::tree::keys;
use crate::audit::tree::note::{Checkpoint, Note, Verifier, decimal, parse_hash};
use crate::audit::tree::proof::{self, Head};
use crate::audit::{Break, Error};
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read as _;
use std::path::Path;

/// Largest file of a bundle that is read, in bytes.
const LARGEST: u64 = 4 << 30;

/// What a bundle proves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Whether nothing is wrong.
    pub ok: bool,
    /// `range` or `selected`.
    pub kind: String,
    /// Whether it shows that nothing between its first and last record is missing.
    pub complete: bool,
    /// Records in it.
    pub records: u64,
    /// The log.
    pub log: String,
    /// Records under its checkpoint.
    pub size: u64,
    /// The keys that signed the checkpoint and were known.
    pub signed_by: Vec<String>,
    /// Whether the keys came from the bundle itself: then it proves nothing about who made it.
    pub own_keys: bool,
    /// The first break of each kind: `manifest`, `checkpoint`, `form`, `link`, `gap`, `proof`, `query`.
    pub breaks: Vec<Break>,
}

/// Checks a bundle: a folder, or a tar of one. `known` are the keys that it must be signed by; with none, the bundle's
/// own are used.
///
/// # Errors
/// It cannot be read, so that nothing can be said about it.
pub fn check(path: &Path, known: &[Verifier]) -> Result<Report, Error> {
    let files = if path.is_dir() { folder(path)? } else { archive(path)? };
    let mut check = Check { files, breaks: Vec::new() };
    check.manifest();
    let own = check.text(KEYS);
    let own_keys = known.is_empty();
    let known =
        if own_keys { keys::verifiers(Path::new(KEYS), &own).unwrap_or_default() } else { known.to_vec() };
    let note = check.text(CHECKPOINT);
    let (checkpoint, signed_by) = check.checkpoint(&note, &known);
    let about: Option<About> = serde_json::from_str(&check.text(QUERY)).ok();
    let Some(about) = about else {
        check.broken("query", None, "`query.json` cannot be read");
        return Ok(check.report(None, checkpoint, signed_by, own_keys));
    };
    let is_range = about.kind == "range";
    let seqs = check.records(is_range, &checkpoint, &note);
    let ends = (seqs.first().copied(), seqs.last().copied());
    let said = about.complete == is_range
        && (is_range || about.kind == "selected")
        && about.records == seqs.len() as u64
        && ends == (Some(about.from), Some(about.to))
        && about.log == checkpoint.origin
        && about.checkpoint_size == checkpoint.head.size;
    if !said {
        check.broken("query", None, "`query.json` says something else than the bundle holds");
    }
    Ok(check.report(Some(&about), checkpoint, signed_by, own_keys))
}

fn folder(path: &Path) -> Result<BTreeMap<String, Vec<u8>>, Error> {
    let mut files = BTreeMap::new();
    let mut folders = vec![path.to_owned()];
    while let Some(place) = folders.pop() {
        let io = |source| Error::File { path: place.clone(), source };
        for entry in fs::read_dir(&place).map_err(io)? {
            let at = entry.map_err(io)?.path();
            if at.is_dir() {
                folders.push(at);
                continue;
            }
            let name =
                at.strip_prefix(path).map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            files.insert(name, fs::read(&at).map_err(io)?);
        }
    }
    Ok(files)
}

fn archive(path: &Path) -> Result<BTreeMap<String, Vec<u8>>, Error> {
    let io = |source| Error::File { path: path.to_owned(), source };
    let mut files = BTreeMap::new();
    let mut tar = tar::Archive::new(File::open(path).map_err(io)?);
    for entry in tar.entries().map_err(io)? {
        let mut entry = entry.map_err(io)?;
        if entry.header().entry_type().is_dir() {
            continue;
        }
        let name: String = {
            let at = entry.path().map_err(io)?;
            at.components().skip(1).map(|c| c.as_os_str().to_string_lossy()).collect::<Vec<_>>().join("/")
        };
        let mut bytes = Vec::new();
        entry.by_ref().take(LARGEST).read_to_end(&mut bytes).map_err(io)?;
        files.insert(name, bytes);
    }
    Ok(files)
}

struct Check {
    files: BTreeMap<String, Vec<u8>>,
    breaks: Vec<Break>,
}

impl Check {
    fn broken(&mut self, kind: &'static str, seq: Option<u64>, detail: impl Into<String>) {
        if !self.breaks.iter().any(|b| b.kind == kind) {
            self.breaks.push(Break { kind, seq, detail: detail.into() });
        }
    }

    fn text(&self, name: &str) -> String {
        let bytes = self.files.get(name).cloned().unwrap_or_default();
        String::from_utf8(bytes).unwrap_or_default()
    }

    fn manifest(&mut self) {
        let Ok(manifest) = serde_json::from_str::<Manifest>(&self.text(MANIFEST)) else {
            return self.broken("manifest", None, "`manifest.json` cannot be read");
        };
        let found: BTreeMap<String, String> = self
            .files
            .iter()
            .filter(|(name, _)| *name != MANIFEST)
            .map(|(name, bytes)| (name.clone(), hex(&hash(&[bytes]))))
            .collect();
        if found != manifest.files {
            let differs = |name: &&String| found.get(*name) != manifest.files.get(*name);
            let name = found.keys().chain(manifest.files.keys()).find(differs).cloned().unwrap_or_default();
            self.broken("manifest", None, format!("`{name}` is not as the manifest says"));
        }
    }

    fn checkpoint(&mut self, note: &str, known: &[Verifier]) -> (Checkpoint, Vec<String>) {
        let opened = Note::parse(note).and_then(|note| {
            let checkpoint = Checkpoint::parse(note.text())?;
            let by = note.signed_by(known)?;
            Ok((checkpoint, by.into_iter().map(|(key, _)| key.to_string()).collect()))
        });
        opened.unwrap_or_else(|why| {
            self.broken("checkpoint", None, why.to_string());
            let head = Head { size: 0, root: [0; 32] };
            (Checkpoint { origin: String::new(), head }, Vec::new())
        })
    }

    /// Checks records and proofs, and returns the records' numbers.
    fn records(&mut self, is_range: bool, checkpoint: &Checkpoint, note: &str) -> Vec<u64> {
        let lines = self.files.remove(RECORDS).unwrap_or_default();
        let mut lines: Vec<&[u8]> = lines.split(|b| *b == b'\n').collect();
        if lines.pop() != Some(b"") {
            self.broken("form", None, "the last record does not end its line");
        }
        let last = lines.len().saturating_sub(1);
        let mut seqs = Vec::new();
        let mut before: Option<(u64, String)> = None;
        for (n, line) in lines.iter().enumerate() {
            if !canonical::record(line, &mut |_, _| ()) {
                self.broken("form", before.as_ref().map(|(seq, _)| seq + 1), "it is not canonical JSON");
                continue;
            }
            let record: Value = serde_json::from_slice(line).unwrap_or_default();
            let seq = record.get("seq").and_then(Value::as_u64).unwrap_or(u64::MAX >> 1);
            let leaf = chain::leaf(line);
            if let Some((previous, link)) = &before {
                if is_range && record.get("prev").and_then(Value::as_str) != Some(link) {
                    self.broken("link", Some(seq), "it is not linked to the record before it");
                }
                if seq <= *previous || (is_range && seq != previous + 1) {
                    self.broken("gap", Some(seq), "it does not follow the record before it");
                }
            }
            if !is_range || n == last {
                self.proof(seq, &leaf, checkpoint, note);
            }
            if record.get("log").and_then(Value::as_str) != Some(&checkpoint.origin) {
                self.broken("checkpoint", Some(seq), "the checkpoint is of another log");
            }
            before = Some((seq, hex(&leaf)));
            seqs.push(seq);
        }
        seqs
    }

    fn proof(&mut self, seq: u64, leaf: &chain::Leaf, checkpoint: &Checkpoint, note: &str) {
        let text = self.text(&format!("{PROOFS}/{seq}.tlog-proof"));
        let proven = parse(&text).is_some_and(|(index, path, signed)| {
            let Head { size, root } = checkpoint.head;
            signed == note && index == seq && proof::includes(&root, size, seq, leaf, &path)
        });
        if !proven {
            self.broken("proof", Some(seq), "its proof does not lead to the checkpoint");
        }
    }

    fn report(
        self,
        about: Option<&About>,
        checkpoint: Checkpoint,
        signed_by: Vec<String>,
        own_keys: bool,
    ) -> Report {
        let ok = self.breaks.is_empty();
        Report {
            ok,
            kind: about.map(|about| about.kind.clone()).unwrap_or_default(),
            complete: ok && about.is_some_and(|about| about.complete),
            records: about.map_or(0, |about| about.records),
            log: checkpoint.origin,
            size: checkpoint.head.size,
            signed_by,
            own_keys,
            breaks: self.breaks,
        }
    }
}

/// Index, path and checkpoint of a C2SP tlog-proof without extra data.
fn parse(text: &str) -> Option<(u64, Vec<chain::Leaf>, &str)> {
    let rest = text.strip_prefix("c2sp.org/tlog-proof@v1\nindex ")?;
    let (head, checkpoint) = rest.split_once("\n\n")?;
    let mut lines = head.split('\n');
    let index = decimal(lines.next()?)?;
    let path: Option<Vec<chain::Leaf>> = lines.map(parse_hash).collect();
    Some((index, path?, checkpoint))
}
