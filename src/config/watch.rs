//! Tells when the configuration or the policies changed, or a SIGHUP came.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use notify::event::{AccessKind, AccessMode};
use notify::{Event, EventKind, RecursiveMode, Watcher};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Editors write a file in several steps; a change is told when it has been quiet for this long.
const QUIET: Duration = Duration::from_millis(250);
/// But never later than this after the first step.
const PATIENCE: Duration = Duration::from_secs(2);

/// Watches files and folders (and the folders that hold them, since editors and Kubernetes replace files
/// rather than write them) and SIGHUP. A folder that was replaced is told; what is in the new one is seen by a
/// new watch only. One `()` arrives for each burst of changes; bursts that nobody took
/// yet are one. When the machine refuses to watch, SIGHUP still works and a warning says so. Call it inside
/// a Tokio runtime; it ends with `cancel`.
pub fn watch(paths: Vec<PathBuf>, tracker: &TaskTracker, cancel: CancellationToken) -> mpsc::Receiver<()> {
    let (told, changes) = mpsc::channel(1);
    let (noticed, notices) = mpsc::channel(1);
    let watcher = watcher(&paths, noticed.clone());
    tracker.spawn(async move {
        // Dropped with the task: the watcher stops, and `noticed` keeps `notices` open without one.
        let _kept = (watcher, noticed);
        tokio::select! {
            () = cancel.cancelled() => {}
            () = tell(notices, told) => {}
        }
    });
    changes
}

async fn tell(mut notices: mpsc::Receiver<()>, told: mpsc::Sender<()>) {
    let mut hangups = match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::hangup()) {
        Ok(hangups) => Some(hangups),
        Err(error) => {
            tracing::warn!(%error, "cannot listen for SIGHUP");
            None
        }
    };
    loop {
        let hangup = async {
            match &mut hangups {
                Some(hangups) => hangups.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = hangup => {}
            Some(()) = notices.recv() => settle(&mut notices).await,
        }
        if let Err(mpsc::error::TrySendError::Closed(())) = told.try_send(()) {
            return;
        }
    }
}

/// Waits until nothing happens any more.
async fn settle(notices: &mut mpsc::Receiver<()>) {
    let last = Instant::now() + PATIENCE;
    loop {
        let quiet = (Instant::now() + QUIET).min(last);
        tokio::select! {
            () = sleep_until(quiet) => return,
            more = notices.recv() => if more.is_none() { return },
        }
    }
}

/// What of a folder counts.
struct Watched {
    files: BTreeSet<PathBuf>,
    folders: Vec<PathBuf>,
}

impl Watched {
    fn of(paths: &[PathBuf]) -> Self {
        let full = |path: &PathBuf| std::path::absolute(path).unwrap_or_else(|_| path.clone());
        let (folders, files): (Vec<_>, Vec<_>) = paths.iter().map(full).partition(|path| path.is_dir());
        Self { files: files.into_iter().collect(), folders }
    }

    /// A ConfigMap is swapped by renaming `..data` beside the files that link into it.
    fn counts(&self, path: &Path) -> bool {
        let swapped = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("..data"));
        self.files.contains(path) || swapped || self.folders.iter().any(|folder| path.starts_with(folder))
    }
}

fn watcher(paths: &[PathBuf], noticed: mpsc::Sender<()>) -> Option<notify::RecommendedWatcher> {
    let watched = Watched::of(paths);
    // Of folders too: one that is replaced as a whole takes its watch with it.
    let all = watched.files.iter().chain(&watched.folders);
    let parents: BTreeSet<PathBuf> = all.filter_map(|path| path.parent().map(Path::to_owned)).collect();
    let folders = watched.folders.clone();
    let made = notify::recommended_watcher(move |event: notify::Result<Event>| {
        let relevant = match event {
            // The queue overflowed: anything may have changed.
            Err(_) => true,
            Ok(event) => {
                changes_content(event.kind)
                    && (event.need_rescan() || event.paths.iter().any(|path| watched.counts(path)))
            }
        };
        if relevant {
            // Full means that a notice waits already.
            let _waiting = noticed.try_send(());
        }
    });
    let mut watcher =
        made.inspect_err(|error| tracing::warn!(%error, "cannot watch files: send SIGHUP to reload")).ok()?;
    let plain = parents.iter().map(|folder| (folder, RecursiveMode::NonRecursive));
    for (folder, mode) in plain.chain(folders.iter().map(|folder| (folder, RecursiveMode::Recursive))) {
        if let Err(error) = watcher.watch(folder, mode) {
            let folder = folder.display();
            tracing::warn!(%folder, %error, "cannot watch this folder: send SIGHUP to reload");
        }
    }
    Some(watcher)
}

/// Reading is no change; our own reload reads every file.
fn changes_content(kind: EventKind) -> bool {
    match kind {
        EventKind::Access(access) => access == AccessKind::Close(AccessMode::Write),
        EventKind::Any
        | EventKind::Create(_)
        | EventKind::Modify(_)
        | EventKind::Remove(_)
        | EventKind::Other => true,
    }
}
