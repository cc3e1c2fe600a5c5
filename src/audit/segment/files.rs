//! Segments as files: a folder each, with the form of a bundle over a range, always the same bytes.

use super::{MOST_RECORDS, Segment, leaves, segments};
use crate::audit::Error;
use crate::audit::bundle::{self, MANIFEST, RECORDS};
use crate::audit::chain::{Leaf, hex, sha256};
use crate::audit::tree::note::Verifier;
use crate::audit::tree::{Prover, keys};
use std::fs::{self, File};
use std::path::Path;

/// The ranges that are to be archived next: segments of `records` each, as far as a checkpoint covers them; with
/// `through`, up to that record, the last one shorter. None overlaps one that the log names already.
///
/// # Errors
/// There is no log, it cannot be read, or what is asked for cannot be had.
pub fn plan(folder: &Path, records: u64, through: Option<u64>) -> Result<Vec<(u64, u64)>, Error> {
    let signed = Prover::open(folder)?.checkpoint()?.map_or(0, |signed| signed.size);
    if let Some(through) = through.filter(|through| *through >= signed) {
        return Err(Error::NoCheckpoint(through + 1));
    }
    let records = records.clamp(1, MOST_RECORDS);
    let mut first = segments(folder)?.last().map_or(0, |segment| segment.last + 1);
    let end = through.map_or(signed, |through| through + 1);
    let mut ranges = Vec::new();
    while first < end {
        let last = first.saturating_add(records - 1);
        if last >= end && through.is_none() {
            break;
        }
        ranges.push((first, last.min(end - 1)));
        first = last.saturating_add(1);
    }
    Ok(ranges)
}

/// Writes the records from `first` to `last` as a segment into the folder `to`, makes it durable, and reads it again. The
/// same one again changes nothing. To be recorded by whoever calls.
///
/// # Errors
/// The records are not under a checkpoint or are archived, or the files cannot be written, or do not read back.
pub fn seal(
    folder: &Path,
    (first, last): (u64, u64),
    to: &Path,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Segment, Error> {
    let io = |path: &Path| {
        let path = path.to_owned();
        move |source| Error::File { path, source }
    };
    fs::create_dir_all(to).map_err(io(to))?;
    let store = fs::canonicalize(to).map_err(io(to))?.to_string_lossy().into_owned();
    let mut segment = Segment { digest: String::new(), first, last, store };
    let (place, partial) = (to.join(segment.name()), to.join(segment.name() + ".partial"));
    if partial.exists() {
        fs::remove_dir_all(&partial).map_err(io(&partial))?;
    }
    segment.digest = bundle::segment(folder, (first, last), &partial, progress)?.manifest;
    if place.exists() {
        fs::remove_dir_all(&partial).map_err(io(&partial))?;
    } else {
        sync(&partial)?;
        fs::rename(&partial, &place).map_err(io(&place))?;
        File::open(to).and_then(|folder| folder.sync_all()).map_err(io(to))?;
    }
    let read = lines(&segment, to, &keys::published(folder)?)?;
    compare(folder, &segment, &leaves(&read))?;
    Ok(segment)
}

/// Makes a folder of files durable, and the folders in it.
fn sync(folder: &Path) -> Result<(), Error> {
    let io = |source| Error::File { path: folder.to_owned(), source };
    for entry in fs::read_dir(folder).map_err(io)? {
        let path = entry.map_err(io)?.path();
        if path.is_dir() {
            sync(&path)?;
        } else {
            File::open(&path).and_then(|file| file.sync_all()).map_err(io)?;
        }
    }
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(io)
}

/// The records of a segment out of the folder `at`, if it is exactly what was archived and leads to a checkpoint that one
/// of these keys signed.
pub(super) fn lines(segment: &Segment, at: &Path, keys: &[Verifier]) -> Result<Vec<Vec<u8>>, Error> {
    let place = at.join(segment.name());
    let manifest = match fs::read(place.join(MANIFEST)) {
        Ok(manifest) => manifest,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            return Err(segment.broken(format!("is not in `{}`", at.display())));
        }
        Err(e) => return Err(segment.broken(format!("cannot be read: {e}"))),
    };
    if hex(&sha256(&manifest)) != segment.digest {
        return Err(segment.broken("is not the one that was archived: its manifest has another digest"));
    }
    if keys.is_empty() {
        return Err(segment.broken("cannot be checked without a key"));
    }
    let report = bundle::check(&place, keys)?;
    if let Some(first) = report.breaks.first() {
        return Err(segment.broken(format!("is not what was archived: {} ({})", first.detail, first.kind)));
    }
    let path = place.join(RECORDS);
    let bytes = fs::read(&path).map_err(|source| Error::File { path, source })?;
    let lines: Vec<Vec<u8>> = bytes.split(|b| *b == b'\n').map(<[u8]>::to_vec).collect();
    // The last one ends its line too, so that nothing follows it.
    let whole = lines.len() as u64 == segment.records() + 1 && report.complete;
    let mut lines = lines;
    lines.pop();
    if whole { Ok(lines) } else { Err(segment.broken("holds other records than its name says")) }
}

/// Compares a segment with the hashes that the log keeps.
pub(super) fn compare(folder: &Path, segment: &Segment, leaves: &[Leaf]) -> Result<(), Error> {
    let prover = Prover::open(folder)?;
    for (leaf, seq) in leaves.iter().zip(segment.first..) {
        if prover.leaf(seq)? != *leaf {
            return Err(segment.broken(format!("holds another record {seq} than the log")));
        }
    }
    Ok(())
}
