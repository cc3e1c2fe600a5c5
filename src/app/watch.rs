//! The files that the rules in force were made from, watched.

use crate::config;
use std::path::PathBuf;
use tokio::sync::mpsc;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

/// The files that are watched, and what tells of changes. Dropping it ends the watch.
pub(super) struct Watch {
    pub paths: Vec<PathBuf>,
    pub changed: mpsc::Receiver<()>,
    _end: DropGuard,
}

impl Watch {
    /// Begins to watch `paths`.
    pub(super) fn begin(paths: Vec<PathBuf>, tracker: &TaskTracker, stop: &CancellationToken) -> Self {
        let end = stop.child_token();
        let changed = config::watch(paths.clone(), tracker, end.clone());
        Self { paths, changed, _end: end.drop_guard() }
    }
}
