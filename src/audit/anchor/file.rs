//! The append-only file: one checkpoint a line, as JSON, written whole and synced.

use super::Error;
use crate::audit::tree::note::{Checkpoint, Note, Verifier};
use crate::audit::tree::proof::Head;
use serde::{Deserialize, Serialize};
use std::fs::{self, File, OpenOptions};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// Bytes at the end of the file that hold its newest line.
const TAIL: u64 = 64 << 10;

#[derive(Serialize, Deserialize)]
struct Line {
    checkpoint: String,
    t: i64,
}

/// The file in the configuration, or where it would be.
pub(in crate::audit) fn path(folder: &Path, file: &Path) -> PathBuf {
    folder.join(file)
}

/// Adds a checkpoint, and returns when it is durable.
pub(in crate::audit) fn append(path: &Path, note: &str, time_us: i64) -> Result<(), Error> {
    let io = |source| Error::File { path: path.to_owned(), source };
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(io)?;
    }
    let mut file: File =
        OpenOptions::new().append(true).create(true).read(true).mode(0o644).open(path).map_err(io)?;
    let mut line =
        serde_json::to_string(&Line { checkpoint: note.to_owned(), t: time_us }).unwrap_or_default();
    line.push('\n');
    // A line that was torn by a crash must not swallow this one.
    if !ends_a_line(&mut file).map_err(io)? {
        line.insert(0, '\n');
    }
    file.write_all(line.as_bytes()).and_then(|()| file.sync_data()).map_err(io)
}

fn ends_a_line(file: &mut File) -> std::io::Result<bool> {
    if file.seek(SeekFrom::End(0))? == 0 {
        return Ok(true);
    }
    file.seek(SeekFrom::End(-1))?;
    let mut last = [0];
    file.read_exact(&mut last)?;
    Ok(last == *b"\n")
}

/// The newest checkpoint of `origin` in the file, signed by one of `known`; `None` if there is no such file.
pub(in crate::audit) fn newest(path: &Path, origin: &str, known: &[Verifier]) -> Result<Option<Head>, Error> {
    let io = |source| Error::File { path: path.to_owned(), source };
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(io(e)),
    };
    let length = file.seek(SeekFrom::End(0)).map_err(io)?;
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL))).map_err(io)?;
    let mut tail = Vec::new();
    file.read_to_end(&mut tail).map_err(io)?;
    let heads = String::from_utf8_lossy(&tail).lines().rev().find_map(|line| head(line, origin, known));
    match heads {
        Some(head) => Ok(Some(head)),
        None if length == 0 => Ok(None),
        None => Err(Error::Foreign(path.display().to_string())),
    }
}

fn head(line: &str, origin: &str, known: &[Verifier]) -> Option<Head> {
    let line: Line = serde_json::from_str(line).ok()?;
    Checkpoint::open(&line.checkpoint, origin, known).ok().map(|checkpoint| checkpoint.head)
}

/// Every checkpoint of the file, for `audit verify`, and how many lines hold none that a known key signed. What is
/// no JSON was torn by a crash, and says nothing.
pub(in crate::audit) fn all(path: &Path, known: &[Verifier]) -> Result<(Vec<Checkpoint>, u64), Error> {
    let text = fs::read(path).map_err(|source| Error::File { path: path.to_owned(), source })?;
    let mut foreign = 0;
    let mut found = Vec::new();
    for line in text.split(|b| *b == b'\n') {
        let Ok(line) = serde_json::from_slice::<Line>(line) else { continue };
        let opened = Note::parse(&line.checkpoint).and_then(|note| {
            note.signed_by(known)?;
            Checkpoint::parse(note.text())
        });
        match opened {
            Ok(checkpoint) => found.push(checkpoint),
            Err(_) => foreign += 1,
        }
    }
    Ok((found, foreign))
}
