//! What can be asked of a log besides recording: rotate keys, hold, erase, anchor. Each leaves a record.

use super::anchor;
use super::canonical;
use super::log::Unrecorded;
use super::payload::vault::{Found, Vault};
use super::payload::{Erasure, Hold, Selector};
use super::receipt::Receipt;
use super::record::{Draft, Kind};
use super::tree::note::Signer;
use super::tree::{Signed, keys};
use super::{Config, Error};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::path::Path;
use std::sync::Arc;
use uuid::Uuid;

/// An order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// Add the newest checkpoint to the anchor file, also to one that was lost.
    Anchor,
    /// Erase payloads.
    Erase(Erasure),
    /// Keep payloads, whatever else is ordered.
    Hold {
        /// Which.
        selector: Selector,
        /// Why.
        reason: String,
        /// Who says so.
        by: String,
    },
    /// Lift a hold.
    Lift {
        /// Its name.
        id: String,
        /// Who says so.
        by: String,
    },
    /// Record that somebody read (`audit.query`, `audit.export`, `payload.read`), or what became of a segment
    /// (`segment.archive`, `segment.prune`, `segment.restore`).
    Record {
        /// The kind.
        kind: String,
        /// Its members.
        members: Map<String, Value>,
    },
    /// Take all signing keys but the newest away.
    Retire {
        /// Who says so.
        by: String,
    },
    /// Add a signing key; it and the old ones sign together.
    Rotate {
        /// Who says so.
        by: String,
    },
}

/// Why an order was not carried out.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// A hold keeps some of it.
    #[error("hold `{id}` keeps some of it: {reason}")]
    Held {
        /// The hold.
        id: String,
        /// Why it was set.
        reason: String,
    },
    /// Two different people must approve.
    #[error("an erasure needs two different approvers")]
    Approvers,
    /// Nothing is selected.
    #[error("nothing is there to erase: it was erased before, or was never kept")]
    Nothing,
    /// No such hold.
    #[error("there is no hold `{0}`")]
    NoHold(String),
    /// It cannot be recorded like that.
    #[error("`{0}` cannot be recorded by order")]
    Kind(String),
    /// There is nothing to anchor, or nowhere to.
    #[error("there is no checkpoint yet, or no anchor file is configured")]
    NoAnchor,
    /// It cannot be recorded, so it is not done.
    #[error("it cannot be recorded, so it is not done: {0}")]
    Unrecorded(#[from] Unrecorded),
    /// Stores or keys cannot be used.
    #[error(transparent)]
    Log(#[from] Error),
    /// The log is being closed.
    #[error("the log is being closed")]
    Closed,
}

impl From<keys::Error> for Refused {
    fn from(error: keys::Error) -> Self {
        Self::Log(error.into())
    }
}

/// What carrying out needs.
pub(super) struct Hands<'a> {
    pub folder: &'a Path,
    pub origin: &'a str,
    pub config: &'a Config,
    pub vault: &'a Vault,
    pub newest: Option<Arc<Signed>>,
    pub now_us: i64,
    /// Records, and returns when it is durable.
    pub record: &'a dyn Fn(Draft) -> Result<Receipt, Unrecorded>,
}

impl Hands<'_> {
    /// Carries out an order. What it returns is for the one who gave it.
    pub(super) fn perform(&self, order: Order) -> Result<Value, Refused> {
        match order {
            Order::Anchor => self.anchor(),
            Order::Erase(erasure) => self.erase(&erasure),
            Order::Hold { selector, reason, by } => self.hold(selector, reason, by),
            Order::Lift { id, by } => self.lift(&id, &by),
            Order::Record { kind, members } => self.note(&kind, members),
            Order::Rotate { by } => self.change_keys(&by, keys::rotate),
            Order::Retire { by } => self.change_keys(&by, keys::retire),
        }
    }

    fn anchor(&self) -> Result<Value, Refused> {
        let (Some(signed), Some(file)) = (&self.newest, &self.config.anchors.file) else {
            return Err(Refused::NoAnchor);
        };
        anchor::file::append(&anchor::file::path(self.folder, file), &signed.note, self.now_us)
            .map_err(Error::from)?;
        Ok(json!({"size": signed.size}))
    }

    fn change_keys(
        &self,
        by: &str,
        change: fn(&Path, &str) -> Result<Vec<Signer>, keys::Error>,
    ) -> Result<Value, Refused> {
        let print = |signers: &[Signer]| -> Vec<String> {
            signers.iter().map(|signer| signer.verifier().to_string()).collect()
        };
        let before = print(&keys::open(self.folder, self.origin)?);
        let after = print(&change(self.folder, self.origin)?);
        let draft = Draft::new(Kind::KeyRotate).member("after", &after).member("before", &before);
        let receipt = (self.record)(draft.member("by", by))?;
        Ok(json!({"keys": after, "seq": receipt.seq()}))
    }

    fn note(&self, kind: &str, members: Map<String, Value>) -> Result<Value, Refused> {
        let may = [
            Kind::AuditQuery,
            Kind::AuditExport,
            Kind::PayloadRead,
            Kind::SegmentArchive,
            Kind::SegmentPrune,
            Kind::SegmentRestore,
        ];
        let unfit = || Refused::Kind(kind.to_owned());
        let kind = Kind::parse(kind).filter(|kind| may.contains(kind)).ok_or_else(unfit)?;
        let mut draft = Draft::new(kind);
        for (name, value) in members {
            let value = sorted(value);
            if !canonical::is_value(&value.to_string()) {
                return Err(unfit());
            }
            draft = draft.own_member(name, &value).ok_or_else(unfit)?;
        }
        let receipt = (self.record)(draft)?;
        Ok(json!({"seq": receipt.seq()}))
    }

    fn hold(&self, selector: Selector, reason: String, by: String) -> Result<Value, Refused> {
        let id = Uuid::now_v7().to_string();
        let hold = Hold { id, selector, reason, t: self.now_us, by };
        // In force first: a hold that is recorded but does not hold would be worse than the reverse.
        self.vault.set_hold(&hold)?;
        let draft = Draft::new(Kind::HoldSet)
            .member("by", &hold.by)
            .member("hold", &hold.id)
            .member("reason", &hold.reason)
            .member("selector", &hold.selector);
        match (self.record)(draft) {
            Ok(receipt) => Ok(json!({"hold": hold.id, "seq": receipt.seq()})),
            Err(why) => {
                self.vault.lift_hold(&hold.id)?;
                Err(why.into())
            }
        }
    }

    fn lift(&self, id: &str, by: &str) -> Result<Value, Refused> {
        let holds = self.vault.holds()?;
        let hold = holds.iter().find(|hold| hold.id == id).ok_or_else(|| Refused::NoHold(id.to_owned()))?;
        let draft = Draft::new(Kind::HoldRelease)
            .member("by", by)
            .member("hold", id)
            .member("selector", &hold.selector);
        let receipt = (self.record)(draft)?;
        self.vault.lift_hold(id)?;
        Ok(json!({"hold": id, "seq": receipt.seq()}))
    }

    fn erase(&self, erasure: &Erasure) -> Result<Value, Refused> {
        let mut approvers = erasure.approvers.clone();
        approvers.sort_unstable();
        approvers.dedup();
        if approvers.len() < 2 {
            return Err(Refused::Approvers);
        }
        let seqs = match self.vault.find(&erasure.selector)? {
            Found::Held(hold) => return Err(Refused::Held { id: hold.id, reason: hold.reason }),
            Found::Free(seqs) if seqs.is_empty() && self.vault.tokens(&erasure.selector)? == 0 => {
                return Err(Refused::Nothing);
            }
            Found::Free(seqs) => seqs,
        };
        let id = self.vault.begin(erasure)?;
        match (self.record)(erased(erasure, &approvers, seqs.len())) {
            Ok(receipt) => {
                self.vault.destroy(id, &erasure.selector, &seqs)?;
                Ok(json!({"payloads": seqs.len(), "seq": receipt.seq()}))
            }
            Err(why) => {
                self.vault.abandon(id)?;
                Err(why.into())
            }
        }
    }

    /// Carries out what a crash interrupted: it was approved, and may have been recorded.
    pub(super) fn resume(&self) -> Result<(), Refused> {
        for (id, erasure) in self.vault.pending()? {
            let seqs = match self.vault.find(&erasure.selector)? {
                Found::Free(seqs) => seqs,
                Found::Held(_) => {
                    self.vault.abandon(id)?;
                    continue;
                }
            };
            (self.record)(erased(&erasure, &erasure.approvers, seqs.len()))?;
            self.vault.destroy(id, &erasure.selector, &seqs)?;
        }
        Ok(())
    }

    /// Takes away payloads whose time is over.
    pub(super) fn expire(&self) -> Result<(), Refused> {
        let seqs = self.vault.expired()?;
        let (Some(first), Some(last)) = (seqs.first(), seqs.last()) else { return Ok(()) };
        let draft = Draft::new(Kind::Erase)
            .member("payloads", &seqs.len())
            .member("reason", "retention")
            .member("selector", &json!({"expired": {"first": first, "last": last}}));
        (self.record)(draft)?;
        Ok(self.vault.expire(&seqs)?)
    }
}

fn erased(erasure: &Erasure, approvers: &[String], payloads: usize) -> Draft {
    Draft::new(Kind::Erase)
        .member("approvers", approvers)
        .member("payloads", &payloads)
        .member("reason", &erasure.reason)
        .member("selector", &erasure.selector)
}

/// The same value with the members of its objects in the order of their names.
fn sorted(value: Value) -> Value {
    match value {
        Value::Object(members) => {
            let mut members: Vec<(String, Value)> = members.into_iter().collect();
            members.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
            Value::Object(members.into_iter().map(|(name, value)| (name, sorted(value))).collect())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(sorted).collect()),
        other => other,
    }
}
