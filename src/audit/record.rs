//! Records: UTF-8 JSON with sorted ASCII keys and no floats, so that their bytes are canonical (RFC 8785) by
//! construction, and nobody ever has to serialise one again to verify it.

use super::canonical;
use super::chain::hex;
use super::payload::Body;
use super::payload::seal::Sealed;
use serde::Serialize;
use std::borrow::Cow;
use uuid::Uuid;

/// Largest record, in bytes: a C2SP tlog-tiles entry has a 16-bit length.
pub(super) const MAX_BYTES: usize = 65_535;
/// The version of the format.
pub(super) const FORMAT: u64 = 1;

macro_rules! kinds {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, $code:literal;)*) => {
        /// What a record is about.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Kind { $($(#[$doc])* $variant,)* }

        impl Kind {
            /// All kinds.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The name in records.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// The number in the derived column.
            pub fn code(self) -> i64 {
                match self { $(Self::$variant => $code,)* }
            }
        }
    };
}

kinds! {
    /// The first record of a log.
    LogGenesis = "log.genesis", 0;
    /// A process began to write; it begins an epoch.
    LogOpen = "log.open", 1;
    /// The process ended in good order.
    LogClose = "log.close", 2;
    /// Nothing happened for a while, provably.
    LogHeartbeat = "log.heartbeat", 3;
    /// A call is about to be forwarded.
    CallIntent = "call.intent", 10;
    /// How it ended.
    CallOutcome = "call.outcome", 11;
    /// A call was refused, and nothing was forwarded.
    CallDenied = "call.denied", 12;
    /// How it ended cannot be known.
    CallIndeterminate = "call.indeterminate", 13;
    /// The gateway answered from its own catalog.
    CallAnswered = "call.answered", 14;
    /// A backend asks the client of a call something.
    CallQuestion = "call.question", 15;
    /// What the client answered, before the backend hears it.
    CallReply = "call.reply", 16;
    /// A question that policy, inspection or the client's abilities kept from the client.
    CallQuestionDenied = "call.question_denied", 17;
    /// A parked call that nobody came back for was cancelled.
    CallLapsed = "call.lapsed", 18;
    /// Other policies are in force.
    PolicyChange = "policy.change", 20;
    /// Another configuration is in force.
    ConfigChange = "config.change", 21;
    /// What backends offer has changed.
    CatalogDrift = "catalog.drift", 22;
    /// A key was replaced.
    KeyRotate = "key.rotate", 23;
    /// A tool was seen first and accepted.
    DefinitionPin = "definition.pin", 24;
    /// A tool was seen and held back.
    DefinitionQuarantine = "definition.quarantine", 25;
    /// A tool's definition differs from the approved one.
    DefinitionDrift = "definition.drift", 26;
    /// A person approved a tool's definition.
    DefinitionApprove = "definition.approve", 27;
    /// A person refused a tool's definition.
    DefinitionReject = "definition.reject", 28;
    /// A tool's definition is again the approved one.
    DefinitionRestore = "definition.restore", 29;
    /// Somebody searched the log.
    AuditQuery = "audit.query", 30;
    /// Somebody exported a part of it.
    AuditExport = "audit.export", 31;
    /// Somebody read a payload.
    PayloadRead = "payload.read", 32;
    /// A payload was erased.
    Erase = "erase", 33;
    /// A hold was placed.
    HoldSet = "hold.set", 34;
    /// A hold was lifted.
    HoldRelease = "hold.release", 35;
    /// A checkpoint was anchored.
    AnchorOk = "anchor.ok", 36;
    /// A checkpoint could not be anchored.
    AnchorFail = "anchor.fail", 37;
    /// Somebody asked something of the administrative API.
    AdminRequest = "admin.request", 38;
    /// The log could not be written.
    AuditFailure = "audit.failure", 40;
    /// It can be written again.
    AuditRecovered = "audit.recovered", 41;
    /// A credential was missing or bad.
    AuthFailed = "auth.failed", 50;
    /// A request was refused before it became a call.
    RequestRefused = "request.refused", 51;
    /// Somebody approved a call that policy held back.
    ApprovalGranted = "approval.granted", 60;
    /// Somebody rejected one.
    ApprovalRejected = "approval.rejected", 61;
    /// A call stopped waiting for its approval, and why.
    ApprovalWaited = "approval.waited", 64;
    /// Somebody was told of a call, as a policy wants.
    NotifySent = "notify.sent", 62;
    /// They could not be told.
    NotifyFailed = "notify.failed", 63;
    /// A range of records was written to an archive.
    SegmentArchive = "segment.archive", 70;
    /// Bytes of archived records are taken out of the store.
    SegmentPrune = "segment.prune", 71;
    /// They are brought back.
    SegmentRestore = "segment.restore", 72;
}

impl Kind {
    /// The kind of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.as_str() == name)
    }

    /// Whether it begins something that needs room for its end.
    pub fn opens_call(self) -> bool {
        self == Self::CallIntent
    }

    /// Whether it ends what an intent began.
    pub fn ends_call(self) -> bool {
        matches!(self, Self::CallOutcome | Self::CallIndeterminate)
    }
}

/// A record to be: everything but its place in the chain.
#[derive(Debug)]
pub struct Draft {
    kind: Kind,
    call: Option<Uuid>,
    members: Vec<(Cow<'static, str>, String)>,
    unusable: bool,
    body: Option<Body>,
    sealed: Option<Sealed>,
}

impl Draft {
    /// A draft without members.
    pub fn new(kind: Kind) -> Self {
        Self { kind, call: None, members: Vec::new(), unusable: false, body: None, sealed: None }
    }

    /// The call that it belongs to.
    #[must_use]
    pub fn call(mut self, call: Uuid) -> Self {
        self.call = Some(call);
        self
    }

    /// Adds a member. The members of objects inside must be in the order of their names, without floats.
    #[must_use]
    pub fn member(mut self, name: &'static str, value: &(impl Serialize + ?Sized)) -> Self {
        match serde_json::to_string(value) {
            Ok(text) => {
                let is_canonical = canonical::is_value(&text);
                debug_assert!(is_canonical, "`{name}` is not canonical");
                // Written, it would look like tampering for ever: rather no record, and so no call.
                self.unusable |= !is_canonical;
                self.members.push((name.into(), text));
            }
            Err(_) => self.unusable = true,
        }
        self
    }

    /// Adds a member of any name; `None` if the name is one that the log itself writes, or is there already.
    pub(super) fn own_member(mut self, name: String, value: &serde_json::Value) -> Option<Self> {
        let fixed = ["call", "epoch", "kind", "log", "payload", "prev", "seq", "t", "v"];
        if !name.is_ascii() || fixed.contains(&name.as_str()) || self.members.iter().any(|(n, _)| *n == name)
        {
            return None;
        }
        self.members.push((name.into(), value.to_string()));
        Some(self)
    }

    /// A text that is kept beside the log, encrypted; the record names it by its ciphertext.
    #[must_use]
    pub fn payload(mut self, body: Option<Body>) -> Self {
        self.body = body;
        self
    }

    pub(super) fn take_body(&mut self) -> Option<Body> {
        self.body.take()
    }

    /// Names an encrypted payload.
    pub(super) fn sealed(self, sealed: Sealed, len: usize, role: &str) -> Self {
        let named = Named { ct: hex(&sealed.ct), kc: hex(&sealed.kc), len, role };
        let mut draft = self.member("payload", &named);
        draft.sealed = Some(sealed);
        draft
    }

    pub(super) fn sealed_payload(&self) -> Option<&Sealed> {
        self.sealed.as_ref()
    }

    pub(super) fn kind(&self) -> Kind {
        self.kind
    }

    pub(super) fn call_id(&self) -> Option<Uuid> {
        self.call
    }

    /// Whether the record will fit.
    pub(super) fn fits(&self) -> bool {
        let members: usize = self.members.iter().map(|(name, text)| name.len() + text.len() + 4).sum();
        !self.unusable && members + 512 <= MAX_BYTES
    }
}

/// How a record names its payload.
#[derive(Serialize)]
struct Named<'a> {
    ct: String,
    kc: String,
    len: usize,
    role: &'a str,
}

/// A record's place: what only the writer knows.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'a> {
    pub log: &'a str,
    pub epoch: u64,
    pub seq: u64,
    pub time_us: i64,
    pub prev: &'a str,
}

/// Writes the record's bytes into `out`.
pub(super) fn encode(draft: &Draft, place: &Place<'_>, out: &mut String) {
    let call = draft.call.map(|call| format!("\"{call}\""));
    let fixed = [
        ("epoch", place.epoch.to_string()),
        ("kind", format!("\"{}\"", draft.kind.as_str())),
        ("log", format!("\"{}\"", place.log)),
        ("prev", format!("\"{}\"", place.prev)),
        ("seq", place.seq.to_string()),
        ("t", place.time_us.to_string()),
        ("v", FORMAT.to_string()),
    ];
    let mut members: Vec<(&str, &str)> =
        draft.members.iter().map(|(name, text)| (&**name, text.as_str())).collect();
    members.extend(fixed.iter().map(|(name, text)| (*name, text.as_str())));
    members.extend(call.as_deref().map(|call| ("call", call)));
    members.sort_unstable_by_key(|(name, _)| *name);
    out.clear();
    for (index, (name, text)) in members.iter().enumerate() {
        for part in [if index == 0 { "{\"" } else { ",\"" }, *name, "\":", *text] {
            out.push_str(part);
        }
    }
    out.push('}');
}
