//! The task that anchors what was signed, and the question that a start asks first.

use super::bucket::{Bucket, Known};
use super::witness::Client;
use super::{Config, Error, Told};
use crate::audit::Log;
use crate::audit::tree::note::{Checkpoint, Note};
use crate::audit::tree::proof::Head;
use crate::audit::tree::store::Trees;
use crate::audit::tree::{Anchored, Prover, Signed, keys};
use crate::clock::Clock;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Longest time that a stop waits for the last checkpoint to be anchored.
const LAST: Duration = Duration::from_secs(3);

#[derive(Debug)]
enum Target {
    Bucket(Bucket),
    Witness(Client),
}

impl Target {
    fn name(&self) -> String {
        match self {
            Self::Bucket(bucket) => bucket.name().to_owned(),
            Self::Witness(client) => client.name(),
        }
    }
}

/// The anchors outside the machine.
#[derive(Debug)]
pub struct Anchors {
    folder: PathBuf,
    origin: String,
    every: Duration,
    targets: Vec<Target>,
}

impl Anchors {
    /// The anchors of a configuration.
    ///
    /// # Errors
    /// A setting cannot be used.
    pub fn new(config: &Config, folder: &Path, origin: &str) -> Result<Self, Error> {
        let mut targets = Vec::new();
        if let Some(store) = &config.object_store {
            targets.push(Target::Bucket(Bucket::new(store, origin)?));
        }
        for witness in &config.witnesses {
            targets.push(Target::Witness(Client::new(witness)?));
        }
        let every = Duration::from_secs(config.every_s.max(1));
        Ok(Self { folder: folder.to_owned(), origin: origin.to_owned(), every, targets })
    }

    /// Asks every anchor what it remembers of this log. One that cannot be reached is returned, not an error.
    ///
    /// # Errors
    /// An anchor holds a checkpoint that is larger than the log, or that it contradicts.
    pub async fn confirm(&self) -> Result<Vec<Error>, Error> {
        let mut unheard = Vec::new();
        for target in &self.targets {
            match self.ask(target).await {
                Ok(()) => {}
                Err(proof) if proof.is_rollback() => return Err(proof),
                Err(other) => unheard.push(other),
            }
        }
        Ok(unheard)
    }

    async fn ask(&self, target: &Target) -> Result<(), Error> {
        let prover = Prover::open(&self.folder)?;
        let (here, newest) = (prover.size()?, prover.checkpoint()?);
        let known = prover.anchors()?.into_iter().find(|a| a.target == target.name()).map(|a| a.size);
        match (target, newest) {
            (Target::Bucket(bucket), _) => {
                let keys = keys::published(&self.folder).map_err(crate::audit::Error::from)?;
                let known_log = Known { origin: &self.origin, keys: &keys };
                let Some(there) = bucket.newest(known, &known_log).await? else { return Ok(()) };
                agrees(&prover, target.name(), there, here)
            }
            (Target::Witness(client), Some(newest)) => {
                let lines = client.submit(&self.folder, known.unwrap_or(0), &newest).await?;
                self.note(target.name(), &newest, lines, newest.time_us)
            }
            (Target::Witness(_), None) => Ok(()),
        }
    }

    fn note(&self, target: String, signed: &Signed, receipt: String, t: i64) -> Result<(), Error> {
        let trees = Trees::open(&self.folder)?;
        Ok(trees.anchored(&Anchored { target, size: signed.size, t, receipt })?)
    }

    /// Anchors each new checkpoint, not more often than configured, until told to stop; then the last one.
    pub async fn run(self, log: Log, clock: Clock, stop: CancellationToken) {
        if self.targets.is_empty() {
            return;
        }
        let mut newest = log.checkpoints();
        let mut told = Told::default();
        loop {
            let signed = newest.borrow_and_update().clone();
            if let Some(signed) = signed {
                self.anchor_all(&log, &clock, &signed, &mut told).await;
            }
            let pause = async {
                tokio::time::sleep(self.every).await;
                newest.changed().await
            };
            match stop.run_until_cancelled(pause).await {
                Some(Ok(())) => {}
                Some(Err(_)) => return,
                None => break,
            }
        }
        // The closing record's checkpoint comes when the log is closed; the one before it is taken along here.
        let last = newest.borrow().clone();
        if let Some(signed) = last {
            let _ = tokio::time::timeout(LAST, self.anchor_all(&log, &clock, &signed, &mut told)).await;
        }
    }

    async fn anchor_all(&self, log: &Log, clock: &Clock, signed: &Arc<Signed>, told: &mut Told) {
        for target in &self.targets {
            let done = self.anchor(target, signed, clock).await;
            told.tell(&|draft| log.append_detached(draft), &target.name(), signed.size, done.err());
        }
    }

    async fn anchor(&self, target: &Target, signed: &Signed, clock: &Clock) -> Result<(), Error> {
        let receipt = match target {
            Target::Bucket(bucket) => {
                let keys = keys::published(&self.folder).map_err(crate::audit::Error::from)?;
                let known = Known { origin: &self.origin, keys: &keys };
                let note = Note::parse(&signed.note)?;
                let head = Checkpoint::parse(note.text())?.head;
                bucket.put(&signed.note, &head, &known).await?
            }
            Target::Witness(client) => {
                let prover = Prover::open(&self.folder)?;
                let old = prover.anchors()?.into_iter().find(|a| a.target == target.name());
                client.submit(&self.folder, old.map_or(0, |a| a.size), signed).await?
            }
        };
        self.note(target.name(), signed, receipt, clock.now_us())
    }
}

fn agrees(prover: &Prover, target: String, there: Head, here: u64) -> Result<(), Error> {
    if there.size > here {
        return Err(Error::Rollback { target, size: there.size, here });
    }
    if prover.root(there.size)? == there.root {
        return Ok(());
    }
    Err(Error::Forked { target, size: there.size })
}
