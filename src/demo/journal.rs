//! The file that shows which calls this server really ran, even if it is killed in the middle of one.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::Path;

use serde_json::json;

use super::Error;

/// An append-only file with one JSON line for each call, shared by any number of demo servers.
#[derive(Debug)]
pub(super) struct Journal {
    file: File,
}

impl Journal {
    pub(super) fn open(path: &Path) -> Result<Self, Error> {
        let file = OpenOptions::new().create(true).append(true).open(path);
        file.map(|file| Self { file }).map_err(|source| Error::Journal { path: path.to_owned(), source })
    }

    /// Makes one call durable. It blocks on purpose: no other call may overtake the disk, and this process
    /// serves one client only.
    pub(super) fn record(&mut self, tool: &str, marker: Option<&str>) -> std::io::Result<()> {
        // One `write` a line, so that lines of several processes do not mix.
        self.file.write_all(format!("{}\n", json!({"tool": tool, "marker": marker})).as_bytes())?;
        self.file.sync_data()
    }
}
