//! Signing a report with the keys of the log's checkpoints, and checking one.

use super::page::page;
use super::{Error, Report};
use crate::audit::tree::keys;
use crate::audit::tree::note::{Note, Verifier};
use crate::audit::{hex, sha256};
use serde::Serialize;
use std::fs;
use std::path::Path;

/// First line of what is signed.
const TITLE: &str = "io.sealgate/report/v1";
const JSON: &str = "report.json";
const HTML: &str = "report.html";
const NOTE: &str = "report.note";
const SUMS: &str = "SHA256SUMS";
const KEYS: &str = "keys";

/// What was found when a report was checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Checked {
    /// The pack's title.
    pub title: String,
    /// The log's origin.
    pub log: String,
    /// Keys that signed it.
    pub signed_by: Vec<String>,
    /// Whether these were only the keys that lie beside the report.
    pub own_keys: bool,
}

/// Writes a report of the log in `folder` into the new folder `out`: page, data, digests, signed note, and keys.
///
/// # Errors
/// The keys cannot be read, or `out` exists or cannot be written.
pub fn write(folder: &Path, report: &Report, out: &Path) -> Result<(), Error> {
    let failed = |source| Error::File { path: out.to_owned(), source };
    let json = serde_json::to_string_pretty(report).map_err(|e| failed(e.into()))? + "\n";
    let html = page(report);
    let sums = sums(&html, &json);
    let text = format!("{TITLE}\n{}\n{sums}", report.log);
    let signers = keys::read(&folder.join(keys::SECRET)).map_err(crate::audit::Error::from)?;
    let lines: String = signers.iter().map(|signer| signer.line(&text, 0)).collect();
    let published = keys::published(folder).map_err(crate::audit::Error::from)?;
    let published: String = published.iter().map(|key| key.to_string() + "\n").collect();
    fs::create_dir(out).map_err(failed)?;
    for (name, bytes) in
        [(JSON, json), (HTML, html), (SUMS, sums), (NOTE, format!("{text}\n{lines}")), (KEYS, published)]
    {
        let path = out.join(name);
        fs::write(&path, bytes).map_err(|source| Error::File { path, source })?;
    }
    Ok(())
}

/// Checks a report with these keys, or with those that lie beside it.
///
/// # Errors
/// It is not what was signed, or nobody known signed it.
pub fn check(out: &Path, known: &[Verifier]) -> Result<Checked, Error> {
    let read = |name: &str| {
        let path = out.join(name);
        fs::read_to_string(&path).map_err(|source| Error::File { path, source })
    };
    let unsigned = |why: &str| Error::Unsigned(why.to_owned());
    let beside;
    let keys = if known.is_empty() {
        beside = keys::verifiers(&out.join(KEYS), &read(KEYS)?).map_err(crate::audit::Error::from)?;
        beside.as_slice()
    } else {
        known
    };
    let (json, html) = (read(JSON)?, read(HTML)?);
    let note = Note::parse(&read(NOTE)?).map_err(|why| Error::Unsigned(why.to_string()))?;
    let signed_by = note.signed_by(keys).map_err(|why| Error::Unsigned(why.to_string()))?;
    let report: Report = serde_json::from_str(&json).map_err(|_| unsigned("`report.json` is no report"))?;
    if note.text() != format!("{TITLE}\n{}\n{}", report.log, sums(&html, &json)) {
        return Err(unsigned("the digests differ"));
    }
    if page(&report) != html {
        return Err(unsigned("the page does not show the data"));
    }
    Ok(Checked {
        title: report.title,
        log: report.log,
        signed_by: signed_by.into_iter().map(|(key, _)| key.to_string()).collect(),
        own_keys: known.is_empty(),
    })
}

/// As `sha256sum -c` reads it.
fn sums(html: &str, json: &str) -> String {
    let line = |name: &str, text: &str| format!("{}  {name}\n", hex(&sha256(text.as_bytes())));
    line(HTML, html) + &line(JSON, json)
}
