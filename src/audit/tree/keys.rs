//! The keys that sign checkpoints: one file of secrets for the owner alone, one of public keys for everybody.

use super::note::{self, Signer, Use, Verifier};
use aws_lc_rs::rand::{SystemRandom, generate};
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

/// Secrets, one a line; all of them sign.
pub const SECRET: &str = "checkpoint.key";
/// Public keys, one a line, also of keys that do not sign any more.
pub const PUBLIC: &str = "checkpoint.vkeys";

/// Why keys cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file cannot be used.
    #[error("`{path}` cannot be used: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// A line is not a key.
    #[error("line {line} of `{path}` cannot be used: {why}")]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// Why not.
        why: note::Error,
    },
    /// Others can read it.
    #[error("`{0}` can be read by others: take their access away (chmod 600)")]
    Exposed(PathBuf),
    /// There is nothing to retire.
    #[error("there is one key only: rotate first")]
    Only,
    /// The system has no random numbers.
    #[error("the system's random source failed")]
    Random,
}

/// Makes a key.
///
/// # Errors
/// The name cannot be that of a key, or there is no randomness.
pub fn generate_key(name: &str, purpose: Use) -> Result<Signer, Error> {
    let seed: [u8; 32] = generate(&SystemRandom::new()).map_err(|_| Error::Random)?.expose();
    Signer::from_seed(name, purpose, seed).map_err(|why| Error::Line { path: name.into(), line: 0, why })
}

/// The signing keys in `folder`, oldest first; where there are none, one is made.
///
/// # Errors
/// The files cannot be used, or hold anything else.
pub fn open(folder: &Path, origin: &str) -> Result<Vec<Signer>, Error> {
    let path = folder.join(SECRET);
    if !path.exists() {
        let signer = generate_key(origin, Use::Log)?;
        write(&path, &[&signer])?;
        publish(folder, &[signer.verifier()])?;
    }
    read(&path)
}

/// The signing keys in a file.
///
/// # Errors
/// It cannot be used, or holds anything else.
pub fn read(path: &Path) -> Result<Vec<Signer>, Error> {
    let io = |source| Error::Io { path: path.to_owned(), source };
    if fs::metadata(path).map_err(io)?.permissions().mode() & 0o077 != 0 {
        return Err(Error::Exposed(path.to_owned()));
    }
    let text = fs::read_to_string(path).map_err(io)?;
    let parse = |(n, line)| {
        Signer::parse(line).map_err(|why| Error::Line { path: path.to_owned(), line: n + 1, why })
    };
    let signers: Vec<Signer> = text
        .lines()
        .enumerate()
        .filter(|(_, l)| !l.trim().is_empty())
        .map(parse)
        .collect::<Result<_, _>>()?;
    if signers.is_empty() {
        return Err(Error::Line { path: path.to_owned(), line: 1, why: note::Error::Key });
    }
    Ok(signers)
}

/// The published keys in `folder`.
///
/// # Errors
/// The file cannot be read, or a line is not a key.
pub fn published(folder: &Path) -> Result<Vec<Verifier>, Error> {
    let path = folder.join(PUBLIC);
    match fs::read_to_string(&path) {
        Ok(text) => verifiers(&path, &text),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(source) => Err(Error::Io { path, source }),
    }
}

/// Keys in a text, one a line; lines that begin with `#` are remarks.
///
/// # Errors
/// A line is not a key.
pub fn verifiers(path: &Path, text: &str) -> Result<Vec<Verifier>, Error> {
    let lines =
        text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty() && !line.starts_with('#'));
    let parse = |(n, line)| {
        Verifier::parse(line).map_err(|why| Error::Line { path: path.to_owned(), line: n + 1, why })
    };
    lines.map(parse).collect()
}

/// Adds a key: from the next checkpoint on, the old ones and this one sign.
///
/// # Errors
/// The files cannot be used.
pub fn rotate(folder: &Path, origin: &str) -> Result<Vec<Signer>, Error> {
    let mut signers = open(folder, origin)?;
    signers.push(generate_key(origin, Use::Log)?);
    // Published first: a signature by a key that nobody knows could not be checked.
    publish(folder, &signers.iter().map(Signer::verifier).collect::<Vec<_>>())?;
    write(&folder.join(SECRET), &signers.iter().collect::<Vec<_>>())?;
    Ok(signers)
}

/// Takes all keys but the newest away; they stay published, for what they have signed.
///
/// # Errors
/// The files cannot be used, or there is one key only.
pub fn retire(folder: &Path, origin: &str) -> Result<Vec<Signer>, Error> {
    let mut signers = open(folder, origin)?;
    if signers.len() < 2 {
        return Err(Error::Only);
    }
    let newest = signers.split_off(signers.len() - 1);
    write(&folder.join(SECRET), &newest.iter().collect::<Vec<_>>())?;
    Ok(newest)
}

fn publish(folder: &Path, more: &[&Verifier]) -> Result<(), Error> {
    let mut all = published(folder)?;
    for verifier in more {
        if !all.contains(verifier) {
            all.push((*verifier).clone());
        }
    }
    let lines: String = all.iter().map(|v| v.to_string() + "\n").collect();
    replace(&folder.join(PUBLIC), lines.as_bytes(), 0o644)
}

/// Writes a file of signing keys.
///
/// # Errors
/// It cannot be written.
pub fn write(path: &Path, signers: &[&Signer]) -> Result<(), Error> {
    let lines: String = signers.iter().map(|s| s.secret() + "\n").collect();
    replace(path, lines.as_bytes(), 0o600)
}

/// Whole or not at all, and durable.
fn replace(path: &Path, bytes: &[u8], mode: u32) -> Result<(), Error> {
    let io = |source| Error::Io { path: path.to_owned(), source };
    let fresh = path.with_extension("fresh");
    let _ = fs::remove_file(&fresh);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&fresh).map_err(io)?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(io)?;
    fs::rename(&fresh, path).map_err(io)?;
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
    fs::File::open(folder).and_then(|folder| folder.sync_all()).map_err(io)
}
