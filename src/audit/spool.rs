//! Orders by file, for a command beside a running gateway: whoever may write the data folder may give them.

use super::Error;
use super::orders::Order;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use uuid::Uuid;

/// The folder in the data folder.
const FOLDER: &str = "orders";
/// Largest order that is read, in bytes.
const LARGEST: u64 = 1 << 20;

/// What an order came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It was carried out.
    Done(Value),
    /// It was not, and why.
    Refused(String),
}

/// Lays down an order. Returns where its outcome will be.
pub(super) fn give(folder: &Path, order: &Order) -> Result<PathBuf, Error> {
    let spool = folder.join(FOLDER);
    let io = |source| Error::File { path: spool.clone(), source };
    DirBuilder::new().recursive(true).mode(0o700).create(&spool).map_err(io)?;
    let path = spool.join(format!("{}.json", Uuid::now_v7()));
    write(&path, order)?;
    Ok(path.with_extension("done"))
}

/// Waits for an outcome, and takes it away. `None` if nobody carried the order out in time: it is taken back.
pub(super) fn wait(done: &Path, patience: Duration) -> Result<Option<Outcome>, Error> {
    let until = Instant::now() + patience;
    loop {
        if let Ok(bytes) = fs::read(done) {
            let _ = fs::remove_file(done);
            let unreadable = |e| Error::File { path: done.to_owned(), source: std::io::Error::other(e) };
            return serde_json::from_slice(&bytes).map(Some).map_err(unreadable);
        }
        if Instant::now() >= until {
            let _ = fs::remove_file(done.with_extension("json"));
            return Ok(None);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Takes the orders that lie there, oldest first.
pub(super) fn take(folder: &Path) -> Vec<(PathBuf, Option<Order>)> {
    let Ok(found) = fs::read_dir(folder.join(FOLDER)) else { return Vec::new() };
    let paths = found.filter_map(|entry| entry.ok().map(|entry| entry.path()));
    let mut paths: Vec<PathBuf> =
        paths.filter(|path| path.extension().is_some_and(|e| e == "json")).collect();
    paths.sort_unstable();
    let mut orders = Vec::new();
    for path in paths {
        let small = fs::metadata(&path).is_ok_and(|file| file.len() <= LARGEST);
        let bytes = if small { fs::read(&path).unwrap_or_default() } else { Vec::new() };
        // Taken before it is carried out: an order that fails must not be given again and again.
        if fs::remove_file(&path).is_ok() {
            orders.push((path.with_extension("done"), serde_json::from_slice(&bytes).ok()));
        }
    }
    orders
}

/// Says what an order came to.
pub(super) fn answer(done: &Path, outcome: &Outcome) -> Result<(), Error> {
    write(done, outcome)
}

fn write(path: &Path, value: &impl Serialize) -> Result<(), Error> {
    let io = |source| Error::File { path: path.to_owned(), source };
    let fresh = path.with_extension("fresh");
    let mut file =
        OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&fresh).map_err(io)?;
    let bytes = serde_json::to_vec(value).map_err(|e| io(std::io::Error::other(e)))?;
    file.write_all(&bytes).and_then(|()| file.sync_all()).map_err(io)?;
    fs::rename(&fresh, path).map_err(io)
}
