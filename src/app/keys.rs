//! Keys and names that outlive a restart, kept in the data folder with access for the owner alone.

use super::StartError;
use aws_lc_rs::rand::{SystemRandom, generate};
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

/// What is kept.
#[derive(Clone)]
pub(super) struct Keys {
    commitment: [u8; 32],
    handles: [u8; 32],
    origin: String,
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keys").field("origin", &self.origin).finish_non_exhaustive()
    }
}

impl Keys {
    /// Reads the keys, or makes them where there are none.
    pub(super) fn open(folder: &Path) -> Result<Self, StartError> {
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source| StartError::Data { path, source }
        };
        fs::create_dir_all(folder).map_err(failed(folder))?;
        let commitment = secret(&folder.join("commitment.key"))?;
        let handles = secret(&folder.join("handles.key"))?;
        let path = folder.join("origin");
        let origin = match fs::read_to_string(&path) {
            Ok(origin) => origin.trim().to_owned(),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                let origin = format!("sealgate/audit/{}", uuid::Uuid::new_v4().simple());
                write_new(&path, origin.as_bytes()).map_err(failed(&path))?;
                origin
            }
            Err(e) => return Err(failed(&path)(e)),
        };
        Ok(Self { commitment, handles, origin })
    }

    /// Reads the keys of a gateway that has run; makes none.
    pub(super) fn read(folder: &Path) -> Result<Self, StartError> {
        if folder.join("commitment.key").exists() && folder.join("origin").exists() {
            return Self::open(folder);
        }
        let source = std::io::Error::new(std::io::ErrorKind::NotFound, "no gateway has run with it");
        Err(StartError::Data { path: folder.join("commitment.key"), source })
    }

    /// Keys that are written nowhere, for a trial.
    pub(super) fn throwaway() -> Self {
        Self { commitment: [0; 32], handles: [0; 32], origin: "sealgate/audit/trial".into() }
    }

    /// The key of the commitments to what was removed.
    pub(super) fn commitment(&self) -> &[u8] {
        &self.commitment
    }

    /// The secret behind the handles that agents are given.
    pub(super) fn handles(&self) -> &[u8] {
        &self.handles
    }

    /// The name of this log among all logs.
    pub(super) fn origin(&self) -> &str {
        &self.origin
    }
}

/// The 32 random bytes of a file, which is made where there is none.
fn secret(path: &Path) -> Result<[u8; 32], StartError> {
    let failed = |source| StartError::Data { path: path.to_owned(), source };
    match fs::read(path) {
        Ok(bytes) => bytes.try_into().map_err(|_| failed(std::io::Error::other("it does not hold 32 bytes"))),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            let key: [u8; 32] = generate(&SystemRandom::new()).map_err(|_| StartError::Random)?.expose();
            write_new(path, &key).map_err(failed)?;
            Ok(key)
        }
        Err(e) => Err(failed(e)),
    }
}

fn write_new(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}
