//! Is it whole? Every record's bytes, link, place and derived columns, in one pass of bounded memory.

use super::Error;
use super::against::{Against, Trust};
use super::canonical;
use super::chain::{self, Leaf, NO_LINK, Root};
use super::record::Kind;
use super::segment::{Segment, Segments};
use super::store::{Row, is_our_schema, open_readonly, row, schema_of};
use super::tree::tiles::Builder;
use serde::Serialize;
use std::borrow::Cow;
use std::fmt;
use std::io::BufRead;
use std::path::Path;

/// What a check found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// Whether nothing is wrong.
    pub ok: bool,
    /// Records that were checked.
    pub records: u64,
    /// The newest record.
    pub head: Option<Head>,
    /// The RFC 6962 tree hash over all records, hexadecimal.
    pub root: String,
    /// Checkpoints that were compared: signed ones, and those of anchors.
    pub checkpoints: u64,
    /// Records under the newest of them that verifies.
    pub checkpoint: Option<u64>,
    /// Ranges that the log says are archived.
    pub archived: Vec<Archived>,
    /// The first break of each kind.
    pub breaks: Vec<Break>,
}

/// A range of records that is archived.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Archived {
    /// Which, and where.
    #[serde(flatten)]
    pub segment: Segment,
    /// How many of its records have no bytes in the store: of those the hashes were checked.
    pub absent: u64,
    /// Whether the segment itself was read and checked too.
    pub checked: bool,
}

impl fmt::Display for Archived {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Segment { digest, first, last, store } = &self.segment;
        write!(f, "records {first} to {last} are archived in {store} (digest {digest})")?;
        write!(f, ", {} of them without bytes here", self.absent)?;
        f.write_str(if self.checked { ", segment checked" } else { ", segment not checked" })
    }
}

impl Verdict {
    /// What a program should end with: 0 whole, 1 tampered with, 4 rolled back.
    pub fn code(&self) -> u8 {
        let rolled_back = self.breaks.iter().any(|b| b.kind == "rollback");
        if self.ok { 0 } else { 1 + 3 * u8::from(rolled_back) }
    }
}

/// The newest record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Head {
    /// Its sequence number.
    pub seq: u64,
    /// Its hash, hexadecimal.
    pub leaf: String,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Break {
    /// What kind: `gap`, `leaf`, `link`, `form`, `column`, `schema`, `store`; of the tree: `checkpoint`,
    /// `rollback`, `tile`, `anchor`; of archived records: `segment`.
    pub kind: &'static str,
    /// The first record that shows it.
    pub seq: Option<u64>,
    /// What is wrong.
    pub detail: String,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.ok {
            let head = self.head.as_ref().map_or("-", |h| h.leaf.as_str());
            write!(f, "ok: {} records, head {head}, root {}", self.records, self.root)?;
            match self.checkpoint {
                Some(size) => write!(f, ", {} checkpoints up to {size} records", self.checkpoints)?,
                None => write!(f, ", no checkpoint")?,
            }
            return self.archived.iter().try_for_each(|archived| write!(f, "\n  {archived}"));
        }
        writeln!(f, "TAMPERED: {} records checked", self.records)?;
        for b in &self.breaks {
            match b.seq {
                Some(seq) => writeln!(f, "  {} at record {seq}: {}", b.kind, b.detail)?,
                None => writeln!(f, "  {}: {}", b.kind, b.detail)?,
            }
        }
        self.archived.iter().try_for_each(|archived| writeln!(f, "  {archived}"))
    }
}

/// The members of a record that are compared, each as it is written.
#[derive(Default)]
struct Facts<'t> {
    call: Option<&'t str>,
    kind: Option<&'t str>,
    log: Option<&'t str>,
    prev: Option<&'t str>,
    seq: Option<&'t str>,
    t: Option<&'t str>,
}

impl<'t> Facts<'t> {
    /// What is not canonical is not read at all: parsers could disagree on what it says.
    fn of(bytes: &'t [u8]) -> Option<Self> {
        let mut facts = Self::default();
        let canonical = canonical::record(bytes, &mut |name, text| {
            let fact = match name {
                "call" => &mut facts.call,
                "kind" => &mut facts.kind,
                "log" => &mut facts.log,
                "prev" => &mut facts.prev,
                "seq" => &mut facts.seq,
                "t" => &mut facts.t,
                _ => return,
            };
            *fact = Some(text);
        });
        canonical.then_some(facts)
    }

    fn seq(&self) -> Option<u64> {
        self.seq?.parse().ok()
    }
}

/// What a canonical string says; `None` if it is something else.
fn text(raw: &str) -> Option<Cow<'_, str>> {
    let inside = raw.strip_prefix('"')?.strip_suffix('"')?;
    if inside.contains('\\') {
        canonical::unescaped(inside).map(Cow::Owned)
    } else {
        Some(Cow::Borrowed(inside))
    }
}

#[derive(Default)]
pub(super) struct Check {
    root: Root,
    prev: Option<Leaf>,
    next: u64,
    /// The log's name, as its first record says it.
    pub origin: Option<String>,
    breaks: Vec<Break>,
}

impl Check {
    pub(super) fn broken(&mut self, kind: &'static str, seq: Option<u64>, detail: impl Into<String>) {
        if !self.breaks.iter().any(|b| b.kind == kind) {
            self.breaks.push(Break { kind, seq, detail: detail.into() });
        }
    }

    /// Checks one record's bytes, and returns what they say and their hash.
    fn record<'t>(&mut self, seq: u64, bytes: &'t [u8]) -> (Facts<'t>, Leaf) {
        if seq != self.next {
            self.broken("gap", Some(seq), format!("record {} was expected", self.next));
        }
        self.next = seq + 1;
        let facts = Facts::of(bytes).unwrap_or_else(|| {
            self.broken("form", Some(seq), "it is not canonical JSON");
            Facts::default()
        });
        let link = chain::hex(&self.prev.unwrap_or(NO_LINK));
        if facts.prev.and_then(text).as_deref() != Some(&link) {
            self.broken("link", Some(seq), "it is not linked to the record before it");
        }
        if facts.seq() != Some(seq) {
            self.broken("gap", Some(seq), "it says another sequence number");
        }
        if seq == 0 {
            self.origin = facts.log.and_then(text).map(Cow::into_owned);
        }
        let leaf = chain::leaf(bytes);
        self.root.push(leaf);
        self.prev = Some(leaf);
        (facts, leaf)
    }

    /// Takes a record whose bytes are archived: what stays of it is its place and its hash.
    fn absent(&mut self, row: &Row) {
        if row.seq != self.next {
            self.broken("gap", Some(row.seq), format!("record {} was expected", self.next));
        }
        self.next = row.seq + 1;
        self.root.push(row.leaf);
        self.prev = Some(row.leaf);
    }

    fn columns(&mut self, row: &Row, facts: &Facts<'_>, leaf: &Leaf) {
        let seq = Some(row.seq);
        if *leaf != row.leaf {
            self.broken("leaf", seq, "its bytes do not give its hash");
        }
        let kind = facts.kind.and_then(text).and_then(|kind| Kind::parse(&kind)).map(Kind::code);
        let call = facts.call.and_then(text).and_then(|call| call.parse().ok());
        let same = kind == Some(row.kind)
            && facts.t.and_then(|t| t.parse().ok()) == Some(row.time_us)
            && call == row.call;
        if !same {
            self.broken("column", seq, "a derived column differs from the record");
        }
    }

    /// Records so far.
    pub(super) fn size(&self) -> u64 {
        self.next
    }

    /// The hash of the newest record, and the tree hash of all so far.
    pub(super) fn tree(&self) -> (Option<Leaf>, Leaf) {
        (self.prev, self.root.hash())
    }

    fn verdict(self) -> Verdict {
        let head = self.prev.map(|leaf| Head { seq: self.next.saturating_sub(1), leaf: chain::hex(&leaf) });
        Verdict {
            ok: self.breaks.is_empty(),
            records: self.next,
            head,
            root: chain::hex(&self.root.hash()),
            checkpoints: 0,
            checkpoint: None,
            archived: Vec::new(),
            breaks: self.breaks,
        }
    }
}

/// Checks the log in `folder`, with its checkpoints, tiles and anchor file; or a store file alone. Also while it is
/// written. `progress` hears how many of how many records are done.
///
/// # Errors
/// The log cannot be read, so that nothing can be said about it.
pub fn verify(folder: &Path, progress: &mut dyn FnMut(u64, u64)) -> Result<Verdict, Error> {
    verify_against(folder, &Trust::default(), progress)
}

/// As [`verify`], also against checkpoints, anchors and keys that were kept elsewhere.
///
/// # Errors
/// The log, or what it is compared with, cannot be read.
pub fn verify_against(
    folder: &Path,
    trust: &Trust,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Verdict, Error> {
    let connection = open_readonly(folder)?;
    let mut check = Check::default();
    // Before the log is read: what is signed while it is read must not look like a rollback.
    let mut against = Against::load(folder, trust, &mut check)?;
    // One read transaction: a writer that goes on must not look like a break.
    connection.execute_batch("BEGIN")?;
    if !is_our_schema(&schema_of(&connection)?) {
        check.broken("schema", None, "the tables, triggers or indexes are not what a log has");
    }
    // For the progress only; to count would be to read all of it once more.
    let last = "SELECT coalesce(max(seq) + 1, 0) FROM entry NOT INDEXED";
    let all: u64 = connection.query_row(last, [], |row| row.get(0))?;
    let keys = if trust.keys.is_empty() && folder.is_dir() {
        super::tree::keys::published(folder)?
    } else {
        trust.keys.clone()
    };
    let mut segments = Segments::load(&connection, trust.segments.clone(), keys);
    let mut rows =
        connection.prepare("SELECT seq, t, kind, call, rec, leaf FROM entry NOT INDEXED ORDER BY seq")?;
    let (mut builder, mut tiles) = (Builder::default(), Vec::new());
    let mut done = 0;
    for row in rows.query_map([], row)? {
        match row {
            Ok(row) => {
                let archived = segments.row(&mut check, &row)?;
                if row.record.is_empty() && archived.is_none() {
                    check.absent(&row);
                } else {
                    let record = archived.as_ref().unwrap_or(&row.record);
                    let (facts, leaf) = check.record(row.seq, record);
                    check.columns(&row, &facts, &leaf);
                }
            }
            Err(error) => {
                check.broken("store", None, error.to_string());
                break;
            }
        }
        if let Some(leaf) = check.prev {
            builder.push(leaf, &mut tiles);
        }
        against.compare(&mut check, &mut tiles)?;
        done += 1;
        progress(done, all);
    }
    if done == 0 {
        check.broken("gap", None, "the log has no first record");
    }
    let integrity: String = connection.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
    if integrity != "ok" {
        check.broken("store", None, integrity);
    }
    let has_own = against.has_own();
    let (checkpoints, checkpoint) = against.finish(&mut check)?;
    // A store alone has no checkpoints that could cover anything.
    let signed = has_own.then(|| checkpoint.unwrap_or(0));
    let archived = segments.finish(&mut check, signed);
    Ok(Verdict { checkpoints, checkpoint, archived, ..check.verdict() })
}

/// Checks records as lines of exact bytes, as `audit tail` prints them; the first must be record 0.
///
/// # Errors
/// The lines cannot be read.
pub fn verify_ndjson(lines: impl BufRead) -> Result<Verdict, Error> {
    let mut check = Check::default();
    for line in lines.split(b'\n') {
        let line = line?;
        if !line.is_empty() {
            let seq = Facts::of(&line).and_then(|facts| facts.seq());
            check.record(seq.unwrap_or(check.next), &line);
        }
    }
    if check.next == 0 {
        check.broken("gap", None, "the log has no first record");
    }
    Ok(check.verdict())
}
