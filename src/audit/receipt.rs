//! Proof that a record is durable, and what of it an agent can keep.

use super::chain::{Leaf, Root, hex};
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
        let signed = batch.note().map(|note| Signed {
            count: batch.leaves.len() as u64,
            first: batch.first,
            note: note.to_owned(),
            path: batch.path(self.seq).iter().map(|hash| hex(hash)).collect(),
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
    pub signed: OnceLock<String>,
}

impl std::fmt::Debug for Batch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Batch({} from {})", self.leaves.len(), self.first)
    }
}

impl Batch {
    fn note(&self) -> Option<&str> {
        let signer = self.signer.as_ref()?.last()?;
        let note = self.signed.get_or_init(|| {
            let mut root = Root::default();
            for leaf in &self.leaves {
                root.push(*leaf);
            }
            let text = text(&self.origin, self.first, self.leaves.len() as u64, &root.hash());
            format!("{text}\n{}", signer.line(&text, 0))
        });
        Some(note)
    }

    fn path(&self, seq: u64) -> Vec<Leaf> {
        let index = seq.saturating_sub(self.first);
        let mut node = |level: u32, index: u64| {
            let width = 1_usize << level;
            let from = usize::try_from(index).unwrap_or(0) * width;
            let mut root = Root::default();
            for leaf in self.leaves.iter().skip(from).take(width) {
                root.push(*leaf);
            }
            Ok::<_, Infallible>(root.hash())
        };
        proof::inclusion(&mut node, index, self.leaves.len() as u64).unwrap_or_default()
    }
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
