//! The thread that keeps the index behind the log: beside the requests, never in their way.

use super::index::{Caught, Feed, fresh};
use super::{Config, Error};
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

/// How often is looked for new records.
const EVERY: Duration = Duration::from_millis(500);
/// After a failure.
const RETRY: Duration = Duration::from_secs(5);
/// A file in the data folder with which somebody asks that the index be made anew.
const REBUILD: &str = "search.rebuild";

/// The running thread.
#[derive(Debug)]
pub struct Indexer {
    stop: Sender<()>,
    thread: JoinHandle<()>,
}

impl Indexer {
    /// Starts it for the log in `folder`, which must be open.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn start(folder: &Path, config: Config) -> std::io::Result<Self> {
        let (stop, stopped) = channel();
        let folder = folder.to_owned();
        let thread = std::thread::Builder::new()
            .name("indexer".into())
            .spawn(move || run(&folder, config.texts, &stopped))?;
        Ok(Self { stop, thread })
    }

    /// Takes in what is left, and ends the thread. Blocks.
    pub fn stop(self) {
        drop(self.stop);
        if self.thread.join().is_err() {
            tracing::error!("the thread of the index panicked");
        }
    }
}

fn run(folder: &Path, texts: bool, stopped: &Receiver<()>) {
    let mut feed: Option<Feed> = None;
    let mut failing = false;
    loop {
        let done = guarded((folder, texts), &mut feed, stopped);
        let pause = match done {
            Ok(()) => {
                failing = false;
                EVERY
            }
            Err(why) => {
                if !std::mem::replace(&mut failing, true) {
                    tracing::error!(
                        "the index of the log stands still, searches show how far it is behind: {why}"
                    );
                }
                // What is open may be what fails.
                feed = None;
                RETRY
            }
        };
        if stopped.recv_timeout(pause) != Err(RecvTimeoutError::Timeout) {
            if let Err(why) = guarded((folder, texts), &mut feed, stopped) {
                tracing::warn!(
                    "the index does not have the last records yet, the next start takes them in: {why}"
                );
            }
            return;
        }
    }
}

/// A turn whose panic is an error: files of the index that somebody changed may make the library panic. A damaged index
/// is taken away, so that the next turn makes it anew.
fn guarded(
    (folder, texts): (&Path, bool),
    feed: &mut Option<Feed>,
    stopped: &Receiver<()>,
) -> Result<(), Error> {
    let turned =
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| turn((folder, texts), feed, stopped)));
    let done = turned.unwrap_or(Err(Error::Damaged));
    if let Err(Error::Damaged | Error::Index(tantivy::TantivyError::DataCorruption(_))) = &done {
        *feed = None;
        fresh(folder)?;
    }
    done
}

/// Does what there is to do now.
fn turn(
    (folder, texts): (&Path, bool),
    feed: &mut Option<Feed>,
    stopped: &Receiver<()>,
) -> Result<(), Error> {
    let wish = folder.join(REBUILD);
    if wish.exists() {
        *feed = None;
        fresh(folder)?;
        std::fs::remove_file(&wish).map_err(|source| Error::File { path: wish.clone(), source })?;
    }
    let feed = match feed {
        Some(feed) => feed,
        None => feed.insert(Feed::open(folder, Some(texts))?),
    };
    let stops = || stopped.try_recv() != Err(std::sync::mpsc::TryRecvError::Empty);
    feed.catch_up(&mut |_, _| !stops() && !wish.exists()).map(|_| ())
}

/// Brings the index up to the log, unless somebody else does. `texts` says whether it is to hold the words of payloads;
/// `None`: as it does now. `progress` hears how many of how many records are done.
///
/// # Errors
/// Log or index cannot be read or written.
pub fn catch_up(
    folder: &Path,
    texts: Option<bool>,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Option<Caught>, Error> {
    let mut feed = match Feed::open(folder, texts) {
        Ok(feed) => feed,
        Err(Error::Busy) => return Ok(None),
        Err(other) => return Err(other),
    };
    let caught = feed.catch_up(&mut |done, all| {
        progress(done, all);
        true
    })?;
    Ok(Some(caught))
}

/// Makes the index anew. A running gateway is asked to; `None` then, and [`super::Searcher::status`] tells how far it is.
///
/// # Errors
/// Log or index cannot be read or written.
pub fn rebuild(
    folder: &Path,
    texts: Option<bool>,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Option<Caught>, Error> {
    match fresh(folder) {
        Ok(()) => catch_up(folder, texts, progress),
        Err(Error::Busy) => {
            let path = folder.join(REBUILD);
            std::fs::write(&path, b"").map_err(|source| Error::File { path, source })?;
            Ok(None)
        }
        Err(other) => Err(other),
    }
}

/// Whether somebody who was asked to make the index anew has not begun yet.
pub fn is_rebuild_asked(folder: &Path) -> bool {
    folder.join(REBUILD).exists()
}
