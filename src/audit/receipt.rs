//! Proof that a record is durable, and what of it an agent can keep.

use super::chain::{Leaf, hex};
use super::record::Kind;
use super::tree::note::{Note, Signer, Verifier, decimal, parse_hash, print_hash};
use super::tree::proof;
use super::{Error, chain};
use serde::{Deserialize, Serialize};
use std::convert::Infallible;
use std::sync::{Arc, OnceLock};
use uuid::Uuid;

/// First line of what is signed.
const TITLE: &str = "io.sealgate/receipt/v1";

/// Proof that a record is durable. Only the log makes one:
///
/// ```compile_fail
/// let forged = sealgate::audit::Receipt { seq: 0, leaf: [0; 32], call: None, kind: sealgate::audit::Kind::CallIntent };
/// ```
///
/// ```compile_fail
/// fn alter(receipt: &mut sealgate::audit::Receipt) { receipt.seq = 7; }
/// ```
///
/// ```compile_fail
/// fn twice(receipt: &sealgate::audit::Receipt) -> sealgate::audit::Receipt { receipt.clone() }
/// ```
#[derive(Debug)]
pub struct Receipt {
    seq: u64,
    leaf: Leaf,
    call: Option<Uuid>,
    kind: Kind,
    batch: Arc<Batch>,
}

impl Receipt {
    pub(super) fn new(seq: u64, leaf: Leaf, (call, kind): (Option<Uuid>, Kind), batch: Arc<Batch>) -> Self {
        Self { seq, leaf, call, kind, batch }
    }

    /// The record's sequence number.
    pub fn seq(&self) -> u64 {
        self.seq
    }

    /// The record's hash.
    pub fn leaf(&self) -> &Leaf {
        &self.leaf
    }

    /// The call that it belongs to.
    pub fn call(&self) -> Option<Uuid> {
        self.call
    }

    /// What it is about.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// What an agent may keep as evidence; signed once a commit, by whoever asks first.
    pub fn evidence(&self) -> Evidence {
        let batch = &self.batch;
        let count = batch.leaves.len() as u64;
        let index = self.seq.saturating_sub(batch.first);
        let signed = batch.proven().map(|proven| Signed {
            count,
            first: batch.first,
            note: proven.note.clone(),
            path: proven.path(index, count).iter().map(|hash| hex(hash)).collect(),
        });
        Evidence { leaf: hex(&self.leaf), log: batch.origin.to_string(), seq: self.seq, signed }
    }
}

/// The records of one commit: what one signature covers.
pub(super) struct Batch {
    pub origin: Arc<str>,
    pub first: u64,
    pub leaves: Vec<Leaf>,
    /// The key that signs, if receipts are signed.
    pub signer: Option<Arc<Vec<Signer>>>,
    signed: OnceLock<Proven>,
}

/// The signature over a commit's records, and the tree under it.
struct Proven {
    note: String,
    /// Roots of the full subtrees, by height; the leaves are the first.
    levels: Vec<Vec<Leaf>>,
}

impl std::fmt::Debug for Batch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Batch({} from {})", self.leaves.len(), self.first)
    }
}

impl Batch {
    pub(super) fn new(
        (origin, first): (Arc<str>, u64),
        leaves: Vec<Leaf>,
        signer: Option<Arc<Vec<Signer>>>,
    ) -> Self {
        Self { origin, first, leaves, signer, signed: OnceLock::new() }
    }

    /// The signature, if receipts are signed, made by whoever asks first.
    fn proven(&self) -> Option<&Proven> {
        let signer = self.signer.as_ref()?.last()?;
        let proven = self.signed.get_or_init(|| {
            let levels = levels(&self.leaves);
            let count = self.leaves.len() as u64;
            let root = proof::root(&mut |level, index| Ok::<_, Infallible>(at(&levels, level, index)), count);
            let root = root.unwrap_or_else(|never| match never {});
            let text = text(&self.origin, self.first, count, &root);
            Proven { note: format!("{text}\n{}", signer.line(&text, 0)), levels }
        });
        Some(proven)
    }
}

impl Proven {
    /// The inclusion proof of one of `count` leaves.
    fn path(&self, index: u64, count: u64) -> Vec<Leaf> {
        let mut node = |level, index| Ok::<_, Infallible>(at(&self.levels, level, index));
        proof::inclusion(&mut node, index, count).unwrap_or_else(|never| match never {})
    }
}

/// The leaves and, above them, the roots of their full subtrees.
fn levels(leaves: &[Leaf]) -> Vec<Vec<Leaf>> {
    let mut levels = vec![leaves.to_vec()];
    while let Some(below) = levels.last().filter(|below| below.len() > 1) {
        let (pairs, _) = below.as_chunks::<2>();
        let above = pairs.iter().map(|[left, right]| chain::node(left, right)).collect();
        levels.push(above);
    }
    levels
}

/// The root of one full subtree.
fn at(levels: &[Vec<Leaf>], level: u32, index: u64) -> Leaf {
    let level = usize::try_from(level).ok().and_then(|level| levels.get(level));
    let index = usize::try_from(index).unwrap_or(usize::MAX);
    level.and_then(|level| level.get(index)).copied().unwrap_or_default()
}

fn text(origin: &str, first: u64, count: u64, root: &Leaf) -> String {
    format!("{TITLE}\n{origin}\n{first}\n{count}\n{}\n", print_hash(root))
}

/// A promise that a record is in the log, as `_meta` of a reply holds it under `io.sealgate/receipt`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// The record's hash, hexadecimal.
    pub leaf: String,
    /// The log's origin.
    pub log: String,
    /// The record's sequence number.
    pub seq: u64,
    /// The signature over the commit that the record was in.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub signed: Option<Signed>,
}

/// A signature over the records of one commit, and the path from one of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signed {
    /// Records of the commit.
    pub count: u64,
    /// The first of them.
    pub first: u64,
    /// The signed note: title, origin, first, count, root over the commit's records.
    pub note: String,
    /// Inclusion proof of the record among them, hexadecimal.
    pub path: Vec<String>,
}

impl Evidence {
    /// The record's hash.
    pub fn leaf_hash(&self) -> Option<Leaf> {
        chain::parse_hex(&self.leaf)
    }

    /// Whether one of these keys signed it.
    ///
    /// # Errors
    /// It is not signed, or says something else than what was signed.
    pub fn check(&self, known: &[Verifier]) -> Result<(), Error> {
        let bad = || Error::Note(super::tree::note::Error::Note);
        let signed = self.signed.as_ref().ok_or_else(bad)?;
        let note = Note::parse(&signed.note)?;
        note.signed_by(known)?;
        let lines: Vec<&str> = note.text().split('\n').collect();
        let [TITLE, origin, first, count, root, ""] = lines.as_slice() else { return Err(bad()) };
        let (first, count) = (decimal(first).ok_or_else(bad)?, decimal(count).ok_or_else(bad)?);
        let root = parse_hash(root).ok_or_else(bad)?;
        let index = self.seq.checked_sub(first).ok_or_else(bad)?;
        let path: Option<Vec<Leaf>> = signed.path.iter().map(|hash| chain::parse_hex(hash)).collect();
        let (path, leaf) = (path.ok_or_else(bad)?, self.leaf_hash().ok_or_else(bad)?);
        let same = *origin == self.log && first == signed.first && count == signed.count;
        if same && proof::includes(&root, count, index, &leaf, &path) { Ok(()) } else { Err(bad()) }
    }
}
