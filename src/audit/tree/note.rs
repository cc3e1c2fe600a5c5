//! Signed notes and checkpoints: C2SP signed-note, tlog-checkpoint and tlog-cosignature, Ed25519 only.
//!
//! Strict: one form for each meaning, so that no byte of a note can be changed without changing what it says.

use super::proof::Head;
use crate::audit::chain::{Leaf, hash};
use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::fmt;

/// Largest note that is looked at, in bytes.
pub const LARGEST: usize = 64 << 10;
/// Most signatures that are looked at.
const SIGNATURES: usize = 64;
/// Signature types of C2SP signed-note.
const ED25519_TYPE: u8 = 0x01;
const COSIGNATURE_TYPE: u8 = 0x04;

/// Why a note, key or checkpoint is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// It is not a signed note.
    #[error("it is not a signed note (C2SP signed-note)")]
    Note,
    /// It is not a checkpoint.
    #[error("it is not a checkpoint (C2SP tlog-checkpoint)")]
    Checkpoint,
    /// It is not a key.
    #[error("it is not a key: `name+id+base64` for verification, `PRIVATE+KEY+…` for signing")]
    Key,
    /// A signature of a known key does not verify.
    #[error("a signature does not verify")]
    Signature,
    /// No signature is by a known key.
    #[error("it is not signed by a known key")]
    Unknown,
    /// It is about another log.
    #[error("it is about another log")]
    Origin,
}

/// What a key signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// A log's own checkpoints.
    Log,
    /// Checkpoints of others, with the time (cosignature/v1).
    Witness,
}

impl Use {
    fn code(self) -> u8 {
        match self {
            Self::Log => ED25519_TYPE,
            Self::Witness => COSIGNATURE_TYPE,
        }
    }
}

/// A key that verifies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verifier {
    name: String,
    id: [u8; 4],
    purpose: Use,
    key: [u8; 32],
}

impl Verifier {
    fn new(name: &str, purpose: Use, key: [u8; 32]) -> Self {
        let digest = hash(&[name.as_bytes(), b"\n", &[purpose.code()], &key]);
        let mut id = [0; 4];
        id.copy_from_slice(digest.first_chunk::<4>().unwrap_or(&[0; 4]));
        Self { name: name.to_owned(), id, purpose, key }
    }

    /// Reads `name+id+base64(type ‖ key)`.
    ///
    /// # Errors
    /// It is anything else.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let (name, rest) = text.trim().split_once('+').ok_or(Error::Key)?;
        let (id, encoded) = rest.split_once('+').ok_or(Error::Key)?;
        let bytes = STANDARD.decode(encoded).map_err(|_| Error::Key)?;
        let (purpose, key) = match bytes.split_first() {
            Some((&ED25519_TYPE, key)) => (Use::Log, key),
            Some((&COSIGNATURE_TYPE, key)) => (Use::Witness, key),
            _ => return Err(Error::Key),
        };
        let key: [u8; 32] = key.try_into().map_err(|_| Error::Key)?;
        let verifier = Self::new(name, purpose, key);
        if !is_name(name) || crate::audit::chain::hex(&verifier.id) != id {
            return Err(Error::Key);
        }
        Ok(verifier)
    }

    /// The key's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it signs.
    pub fn purpose(&self) -> Use {
        self.purpose
    }

    fn verify(&self, text: &str, signature: &[u8]) -> Result<Option<u64>, Error> {
        let key = UnparsedPublicKey::new(&ED25519, &self.key);
        match self.purpose {
            Use::Log => {
                key.verify(text.as_bytes(), signature).map_err(|_| Error::Signature)?;
                Ok(None)
            }
            Use::Witness => {
                let (time, signature) = signature.split_first_chunk::<8>().ok_or(Error::Signature)?;
                let time = u64::from_be_bytes(*time);
                let message = format!("cosignature/v1\ntime {time}\n{text}");
                key.verify(message.as_bytes(), signature).map_err(|_| Error::Signature)?;
                Ok(Some(time))
            }
        }
    }
}

impl fmt::Display for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = vec![self.purpose.code()];
        bytes.extend_from_slice(&self.key);
        write!(f, "{}+{}+{}", self.name, crate::audit::chain::hex(&self.id), STANDARD.encode(bytes))
    }
}

/// A key that signs. `Debug` shows its public half only.
pub struct Signer {
    verifier: Verifier,
    pair: Ed25519KeyPair,
    seed: [u8; 32],
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signer({})", self.verifier)
    }
}

impl Signer {
    /// A key from its seed.
    ///
    /// # Errors
    /// The name cannot be that of a key.
    pub fn from_seed(name: &str, purpose: Use, seed: [u8; 32]) -> Result<Self, Error> {
        if !is_name(name) {
            return Err(Error::Key);
        }
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed).map_err(|_| Error::Key)?;
        let key = pair.public_key().as_ref().try_into().map_err(|_| Error::Key)?;
        Ok(Self { verifier: Verifier::new(name, purpose, key), pair, seed })
    }

    /// Reads `PRIVATE+KEY+name+id+base64(type ‖ seed)`, as the Go tools write it.
    ///
    /// # Errors
    /// It is anything else.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let rest = text.trim().strip_prefix("PRIVATE+KEY+").ok_or(Error::Key)?;
        let (name, rest) = rest.split_once('+').ok_or(Error::Key)?;
        let (id, encoded) = rest.split_once('+').ok_or(Error::Key)?;
        let bytes = STANDARD.decode(encoded).map_err(|_| Error::Key)?;
        let (purpose, seed) = match bytes.split_first() {
            Some((&ED25519_TYPE, seed)) => (Use::Log, seed),
            Some((&COSIGNATURE_TYPE, seed)) => (Use::Witness, seed),
            _ => return Err(Error::Key),
        };
        let signer = Self::from_seed(name, purpose, seed.try_into().map_err(|_| Error::Key)?)?;
        let same = crate::audit::chain::hex(&signer.verifier.id) == id;
        if same { Ok(signer) } else { Err(Error::Key) }
    }

    /// The secret form, for the key file.
    pub(in crate::audit) fn secret(&self) -> String {
        let mut bytes = vec![self.verifier.purpose.code()];
        bytes.extend_from_slice(&self.seed);
        let id = crate::audit::chain::hex(&self.verifier.id);
        format!("PRIVATE+KEY+{}+{id}+{}", self.verifier.name, STANDARD.encode(bytes))
    }

    /// The public half.
    pub fn verifier(&self) -> &Verifier {
        &self.verifier
    }

    /// A signature line for `text`; `time` (seconds) counts for a witness only.
    pub fn line(&self, text: &str, time: u64) -> String {
        let mut bytes = self.verifier.id.to_vec();
        match self.verifier.purpose {
            Use::Log => bytes.extend_from_slice(self.pair.sign(text.as_bytes()).as_ref()),
            Use::Witness => {
                let message = format!("cosignature/v1\ntime {time}\n{text}");
                bytes.extend_from_slice(&time.to_be_bytes());
                bytes.extend_from_slice(self.pair.sign(message.as_bytes()).as_ref());
            }
        }
        format!("— {} {}\n", self.verifier.name, STANDARD.encode(bytes))
    }
}

/// Whether a text can be the name of a key, and the origin of a log.
pub fn is_name(name: &str) -> bool {
    let bad = |c: char| c.is_whitespace() || c.is_control() || c == '+';
    !name.is_empty() && name.len() <= 256 && !name.contains(bad)
}

/// A signature line: key name, key id, signature.
type Line = (String, [u8; 4], Vec<u8>);

/// A note, taken apart but not trusted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    text: String,
    signatures: Vec<Line>,
}

impl Note {
    /// Takes a note apart.
    ///
    /// # Errors
    /// It is not one.
    pub fn parse(note: &str) -> Result<Self, Error> {
        if note.len() > LARGEST || note.contains(|c: char| c.is_ascii_control() && c != '\n') {
            return Err(Error::Note);
        }
        let at = note.rfind("\n\n").ok_or(Error::Note)?;
        let (text, lines) = note.split_at_checked(at + 1).ok_or(Error::Note)?;
        let signatures = signature_lines(lines.strip_prefix('\n').ok_or(Error::Note)?)?;
        if text == "\n" || signatures.is_empty() {
            return Err(Error::Note);
        }
        Ok(Self { text: text.to_owned(), signatures })
    }

    /// What was signed.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Which of these keys signed it, and when, where a witness says so. A bad signature of any of them makes
    /// the whole note bad.
    ///
    /// # Errors
    /// No known key signed it, or a signature is bad.
    pub fn signed_by<'v>(&self, known: &'v [Verifier]) -> Result<Vec<(&'v Verifier, Option<u64>)>, Error> {
        let mut by = Vec::new();
        for (name, id, bytes) in &self.signatures {
            for verifier in known.iter().filter(|v| v.name == *name && v.id == *id) {
                let time = verifier.verify(&self.text, bytes)?;
                by.push((verifier, time));
            }
        }
        if by.is_empty() { Err(Error::Unknown) } else { Ok(by) }
    }
}

/// Signature lines, as they follow a note or as a witness answers them.
fn signature_lines(lines: &str) -> Result<Vec<Line>, Error> {
    let lines = lines.strip_suffix('\n').ok_or(Error::Note)?;
    let mut signatures = Vec::new();
    for line in lines.split('\n') {
        let (name, encoded) =
            line.strip_prefix("— ").and_then(|rest| rest.split_once(' ')).ok_or(Error::Note)?;
        // The decoder takes one form only: with padding, and without stray bits.
        let bytes = STANDARD.decode(encoded).map_err(|_| Error::Note)?;
        let (id, signature) = bytes.split_first_chunk::<4>().ok_or(Error::Note)?;
        if !is_name(name) || signature.is_empty() || signatures.len() >= SIGNATURES {
            return Err(Error::Note);
        }
        signatures.push((name.to_owned(), *id, signature.to_vec()));
    }
    Ok(signatures)
}

/// The cosignature lines in a witness's answer that `known` keys made over `text`.
///
/// # Errors
/// The answer is not made of signature lines, or none is by a known key.
pub fn cosignatures(text: &str, answer: &str, known: &[Verifier]) -> Result<String, Error> {
    signature_lines(answer)?;
    let mut kept = String::new();
    for line in answer.split_inclusive('\n') {
        let note = Note::parse(&format!("{text}\n{line}"))?;
        match note.signed_by(known) {
            Ok(_) => kept.push_str(line),
            Err(Error::Unknown) => {}
            Err(bad) => return Err(bad),
        }
    }
    if kept.is_empty() { Err(Error::Unknown) } else { Ok(kept) }
}

/// What a checkpoint says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// The log.
    pub origin: String,
    /// Its size and root.
    pub head: Head,
}

impl Checkpoint {
    /// Reads the text of a checkpoint: origin, size, root. Extension lines are refused: nobody audits them.
    ///
    /// # Errors
    /// It is anything else.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let mut lines = text.strip_suffix('\n').ok_or(Error::Checkpoint)?.split('\n');
        let (Some(origin), Some(size), Some(root), None) =
            (lines.next(), lines.next(), lines.next(), lines.next())
        else {
            return Err(Error::Checkpoint);
        };
        let size = decimal(size).ok_or(Error::Checkpoint)?;
        let root = parse_hash(root).ok_or(Error::Checkpoint)?;
        if origin.is_empty() {
            return Err(Error::Checkpoint);
        }
        Ok(Self { origin: origin.to_owned(), head: Head { size, root } })
    }

    /// The text that is signed.
    pub fn text(&self) -> String {
        format!("{}\n{}\n{}\n", self.origin, self.head.size, STANDARD.encode(self.head.root))
    }

    /// The whole note, signed by these keys.
    pub fn sign(&self, signers: &[Signer]) -> String {
        let text = self.text();
        let lines: String = signers.iter().map(|signer| signer.line(&text, 0)).collect();
        format!("{text}\n{lines}")
    }

    /// Opens a note that is a checkpoint of `origin` and signed by one of `known`.
    ///
    /// # Errors
    /// It is not.
    pub fn open(note: &str, origin: &str, known: &[Verifier]) -> Result<Self, Error> {
        let note = Note::parse(note)?;
        let checkpoint = Self::parse(note.text())?;
        if checkpoint.origin != origin {
            return Err(Error::Origin);
        }
        note.signed_by(known)?;
        Ok(checkpoint)
    }
}

/// A number in decimal, without leading zeros.
pub fn decimal(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.len() <= 19 && text.bytes().all(|b| b.is_ascii_digit());
    if digits && (text == "0" || !text.starts_with('0')) { text.parse().ok() } else { None }
}

/// A hash in base64.
pub fn parse_hash(text: &str) -> Option<Leaf> {
    STANDARD.decode(text).ok()?.try_into().ok()
}

/// A hash in base64.
pub fn print_hash(hash: &Leaf) -> String {
    STANDARD.encode(hash)
}
