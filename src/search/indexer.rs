//! The thread that keeps the index behind the log: beside the requests, never in their way.

use super::index::{Caught, Feed, fresh};
use super::source::Source;
use super::{Config, Error};
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

/// How often is looked for new records.
const EVERY: Duration = Duration::from_millis(500);
/// Turns without news after which the memory that the library works in is given back.
const QUIET: u32 = 20;
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
    // Requests come first: on a busy machine it is the index that falls behind, and says so. The library's own threads
    // begin with the priority of this one.
    if let Err(error) = rustix::process::setpriority_process(None, 19) {
        tracing::warn!(%error, "the thread of the index keeps the priority of requests");
    }
    let mut feed = Keeps::Nothing;
    let mut failing = false;
    let mut quiet = 0;
    loop {
        let done = guarded((folder, texts), &mut feed, stopped);
        let pause = match done {
            Ok(news) => {
                failing = false;
                quiet = if news { 0 } else { quiet + 1 };
                if quiet >= QUIET {
                    feed = feed.at_rest();
                }
                EVERY
            }
            Err(why) => {
                if !std::mem::replace(&mut failing, true) {
                    tracing::error!(
                        "the index of the log stands still, searches show how far it is behind: {why}"
                    );
                }
                // What is open may be what fails.
                feed = Keeps::Nothing;
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
fn guarded((folder, texts): (&Path, bool), keeps: &mut Keeps, stopped: &Receiver<()>) -> Result<bool, Error> {
    let turned =
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| turn((folder, texts), keeps, stopped)));
    let done = turned.unwrap_or(Err(Error::Damaged));
    if let Err(Error::Damaged | Error::Index(tantivy::TantivyError::DataCorruption(_))) = &done {
        *keeps = Keeps::Nothing;
        fresh(folder)?;
    }
    done
}

/// What the thread holds between two turns.
enum Keeps {
    /// Nothing yet, or not any more.
    Nothing,
    /// The one writer of the index.
    Writer(Box<Feed>),
    /// Only the log, and how many of its records are in the index: nobody else writes what this one has written.
    Log(Box<Source>, u64),
}

impl Keeps {
    fn at_rest(self) -> Self {
        match self {
            Self::Writer(feed) => match feed.at_rest() {
                Ok((source, indexed)) => Self::Log(Box::new(source), indexed),
                Err(feed) => Self::Writer(feed),
            },
            other => other,
        }
    }
}

/// Does what there is to do now, and says whether there was anything.
fn turn((folder, texts): (&Path, bool), keeps: &mut Keeps, stopped: &Receiver<()>) -> Result<bool, Error> {
    let wish = folder.join(REBUILD);
    if wish.exists() {
        *keeps = Keeps::Nothing;
        fresh(folder)?;
        std::fs::remove_file(&wish).map_err(|source| Error::File { path: wish.clone(), source })?;
    }
    if let Keeps::Log(source, indexed) = keeps
        && source.head()?.map_or(0, |head| head + 1) == *indexed
    {
        return Ok(false);
    }
    if !matches!(keeps, Keeps::Writer(_)) {
        *keeps = Keeps::Writer(Box::new(Feed::open(folder, Some(texts))?));
    }
    let Keeps::Writer(feed) = keeps else { return Ok(false) };
    let stops = || stopped.try_recv() != Err(std::sync::mpsc::TryRecvError::Empty);
    feed.catch_up(&mut |_, _| !stops() && !wish.exists()).map(|caught| caught.records > 0)
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

/// Takes the index away: records are about to leave the store or to come back. It is made anew by the next start, or by
/// [`rebuild`].
///
/// # Errors
/// Somebody writes it, or it cannot be removed.
pub fn discard(folder: &Path) -> Result<(), Error> {
    fresh(folder)
}

/// Whether somebody who was asked to make the index anew has not begun yet.
pub fn is_rebuild_asked(folder: &Path) -> bool {
    folder.join(REBUILD).exists()
}
