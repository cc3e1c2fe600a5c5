//! Erasures that one person has asked for and another has not approved yet. They outlive a restart.

use crate::audit::Selector;
use serde::{Deserialize, Serialize};
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use uuid::Uuid;

/// The file in the data folder.
const FILE: &str = "erasures.json";
/// How long one waits, in microseconds: seven days.
const PATIENCE_US: i64 = 7 * 86_400_000_000;
/// Most that wait at once.
const MOST: usize = 1000;

/// An erasure that waits for a second person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::api) struct Asked {
    pub id: Uuid,
    pub selector: Selector,
    pub reason: String,
    /// Who asked: kind, tenant and id.
    pub by: String,
    pub tenant: String,
    /// When, in microseconds since the Unix epoch.
    pub t: i64,
}

impl Asked {
    /// From when on it is forgotten, in microseconds since the Unix epoch.
    pub(in crate::api) fn expires(&self) -> i64 {
        self.t.saturating_add(PATIENCE_US)
    }
}

/// All that wait.
#[derive(Debug)]
pub(in crate::api) struct Pending {
    path: PathBuf,
    asked: Mutex<()>,
}

impl Pending {
    /// Those of a data folder.
    pub(in crate::api) fn of(folder: &Path) -> Self {
        Self { path: folder.join(FILE), asked: Mutex::default() }
    }

    /// Those that wait, oldest first. Blocks on the disk.
    pub(in crate::api) fn list(&self, now_us: i64) -> std::io::Result<Vec<Asked>> {
        let _one_at_a_time = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        self.read(now_us)
    }

    /// Adds one; false if too many wait. Blocks on the disk.
    pub(in crate::api) fn add(&self, asked: Asked, now_us: i64) -> std::io::Result<bool> {
        self.change(now_us, |all| {
            let fits = all.len() < MOST;
            if fits {
                all.push(asked);
            }
            fits
        })
    }

    /// Takes one away, if it is the tenant's; whoever takes it carries it out, or puts it back. Blocks on the disk.
    pub(in crate::api) fn take(&self, id: Uuid, tenant: &str, now_us: i64) -> std::io::Result<Option<Asked>> {
        self.change(now_us, |all| {
            let found = all.iter().position(|asked| asked.id == id && asked.tenant == tenant);
            found.map(|at| all.remove(at))
        })
    }

    fn change<T>(&self, now_us: i64, change: impl FnOnce(&mut Vec<Asked>) -> T) -> std::io::Result<T> {
        let _one_at_a_time = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        let mut all = self.read(now_us)?;
        let done = change(&mut all);
        self.write(&all)?;
        Ok(done)
    }

    fn read(&self, now_us: i64) -> std::io::Result<Vec<Asked>> {
        let bytes = match fs::read(&self.path) {
            Ok(bytes) => bytes,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(e) => return Err(e),
        };
        let mut all: Vec<Asked> = serde_json::from_slice(&bytes)?;
        all.retain(|asked| asked.expires() > now_us);
        Ok(all)
    }

    /// Whole or not at all.
    fn write(&self, all: &[Asked]) -> std::io::Result<()> {
        let fresh = self.path.with_extension("fresh");
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&fresh)?;
        file.write_all(&serde_json::to_vec(all)?)?;
        file.sync_all()?;
        fs::rename(&fresh, &self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_outlives_a_restart_and_is_forgotten_in_time() {
        let folder = tempfile::tempdir().unwrap();
        let asked = |t| Asked {
            id: Uuid::from_u128(u128::try_from(t).unwrap()),
            selector: Selector::Subject("alice".into()),
            reason: "asked for".into(),
            by: "User:acme:anna".into(),
            tenant: "acme".into(),
            t,
        };
        assert!(Pending::of(folder.path()).add(asked(1), 1).unwrap());
        let again = Pending::of(folder.path());
        assert!(again.add(asked(2), 2).unwrap());
        assert_eq!(again.list(2).unwrap(), [asked(1), asked(2)]);
        assert_eq!(again.take(asked(1).id, "globex", 2).unwrap(), None, "another tenant's");
        assert_eq!(again.take(asked(1).id, "acme", 2).unwrap(), Some(asked(1)));
        assert_eq!(again.take(asked(1).id, "acme", 2).unwrap(), None, "it is taken once");
        assert_eq!(again.list(2 + PATIENCE_US).unwrap(), []);
        fs::write(folder.path().join(FILE), "[{").unwrap();
        assert!(
            again.list(3).is_err() && again.add(asked(3), 3).is_err(),
            "a damaged file is not written over"
        );
    }
}
