//! Signed bundles: a manifest of every policy and entities file, so that an edit on disk alone is refused.

use std::fs;
use std::path::Path;

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use serde::{Deserialize, Serialize};

use super::config::{Bundle, Config};
use super::digests;
use super::folder::{self, Source};
use super::hierarchy::Hierarchy;
use super::problem::Problem;

/// What is signed, before the digest: a signature for this can mean nothing else.
const CONTEXT: &str = "sealgate policy bundle v1\n";
/// A larger manifest is a mistake.
const MAX_BYTES: u64 = 64 * 1024;

/// A manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Digest of the policy files and the entities files.
    pub digest: String,
    /// Ed25519 over the context line and the digest, hexadecimal.
    pub signature: String,
}

/// Why a folder was not signed.
#[derive(Debug, thiserror::Error)]
pub enum SignError {
    /// The key is not one.
    #[error(
        "the key is not an Ed25519 key in PKCS#8: make one with `openssl genpkey -algorithm ed25519 -outform DER`"
    )]
    Key,
    /// The files cannot be read.
    #[error("the files to sign cannot be read")]
    Files(Vec<Problem>),
}

/// Signs the files of a configuration. Returns the manifest and the public key, hexadecimal.
///
/// # Errors
/// The key or the files cannot be read.
pub fn sign(config: &Config, pkcs8: &[u8]) -> Result<(Manifest, String), SignError> {
    let key = Ed25519KeyPair::from_pkcs8_maybe_unchecked(pkcs8).map_err(|_| SignError::Key)?;
    let sources = folder::read(&config.folder, &["cedar"]).map_err(SignError::Files)?;
    let hierarchy = Hierarchy::read(config.entities.as_deref()).map_err(SignError::Files)?;
    let digest = digest(&sources, &hierarchy);
    let signature = hex(key.sign(format!("{CONTEXT}{digest}").as_bytes()).as_ref());
    Ok((Manifest { digest, signature }, hex(key.public_key().as_ref())))
}

/// Whether the files are what somebody signed.
pub(super) fn check(
    bundle: &Bundle,
    folder: &Path,
    sources: &[Source],
    hierarchy: &Hierarchy,
) -> Result<(), Vec<Problem>> {
    let place = bundle.file.display().to_string();
    let refuse = |message: &str, help: &str| vec![Problem::with_file(&place, message).help(help)];
    let size = fs::metadata(&bundle.file).map_or(0, |about| about.len());
    let text = fs::read_to_string(&bundle.file).ok().filter(|_| size <= MAX_BYTES);
    let manifest: Option<Manifest> = text.and_then(|text| serde_json::from_str(&text).ok());
    let Some(manifest) = manifest else {
        return Err(refuse(
            "the manifest of the policy bundle cannot be read",
            "write it with `sealgate policy sign`",
        ));
    };
    let key = unhex(&bundle.public_key).filter(|key| key.len() == 32);
    let Some(key) = key else {
        return Err(refuse(
            "`policies.bundle.publicKey` is not a key",
            "write the 64 digits that `sealgate policy sign` prints",
        ));
    };
    let signature = unhex(&manifest.signature).unwrap_or_default();
    let signed = format!("{CONTEXT}{}", manifest.digest);
    if UnparsedPublicKey::new(&ED25519, key).verify(signed.as_bytes(), &signature).is_err() {
        return Err(refuse(
            "the signature of the policy bundle is not of that key",
            "sign it with the key that the configuration names",
        ));
    }
    if digest(sources, hierarchy) != manifest.digest {
        let message = format!("the files below `{}` are not those that were signed", folder.display());
        return Err(refuse(&message, "undo the change, or sign it with `sealgate policy sign`"));
    }
    Ok(())
}

fn digest(sources: &[Source], hierarchy: &Hierarchy) -> String {
    let policies: Vec<(String, &str)> =
        sources.iter().map(|file| (format!("policies/{}", file.name), file.text.as_str())).collect();
    let entities: Vec<(String, &str)> =
        hierarchy.files.iter().map(|(name, text)| (format!("entities/{name}"), text.as_str())).collect();
    let all = policies.iter().chain(&entities);
    digests::of(all.map(|(name, text)| (name.as_str(), text.as_bytes())))
}

fn hex(bytes: &[u8]) -> String {
    let nibbles = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    nibbles.filter_map(|nibble| char::from_digit(u32::from(nibble), 16)).collect()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> =
        text.chars().map(|digit| digit.to_digit(16).and_then(|digit| u8::try_from(digit).ok())).collect();
    let digits = digits.filter(|digits| digits.len().is_multiple_of(2))?;
    Some(digits.chunks(2).map(|pair| pair.iter().fold(0, |byte, digit| byte << 4 | digit)).collect())
}
