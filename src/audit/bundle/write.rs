//! Writing a bundle.

use super::{About, CHECKPOINT, KEYS, MANIFEST, Manifest, PROOFS, QUERY, README, RECORDS, VERIFIER};
use crate::audit::chain::{hash, hex};
use crate::audit::tree::note::{Note, Verifier};
use crate::audit::tree::{Inclusion, Prover, Signed};
use crate::audit::{Error, Reader};
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};

/// Records that are read at once.
const CHUNK: u64 = 1024;

/// Which records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// All from the first to the last number, both included: proves completeness.
    Range(u64, u64),
    /// These.
    Selected(Vec<u64>),
}

/// A bundle that was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Made {
    /// Where it is.
    pub path: PathBuf,
    /// `range` or `selected`.
    pub kind: &'static str,
    /// Records in it.
    pub records: u64,
    /// The first.
    pub from: u64,
    /// The last.
    pub to: u64,
    /// Records under its checkpoint.
    pub checkpoint_size: u64,
    /// SHA-256 of its manifest, hexadecimal: names the whole bundle.
    pub manifest: String,
}

/// Writes a bundle from the log in `folder` to `out`: a new folder, or a file that ends in `.tar`. `query` says what
/// was asked for; `progress` hears how many of how many records are done.
///
/// # Errors
/// A record does not exist or is under no checkpoint yet, or `out` exists or cannot be written.
pub fn write(
    folder: &Path,
    what: &What,
    (query, now_us): (&Value, i64),
    out: &Path,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Made, Error> {
    let is_tar = out.extension().is_some_and(|e| e == "tar");
    if out.exists() {
        let source = std::io::Error::other("it exists: a bundle is not written over anything");
        return Err(Error::File { path: out.to_owned(), source });
    }
    let place = if is_tar { out.with_extension("partial") } else { out.to_owned() };
    let io = |source| Error::File { path: place.clone(), source };
    fs::create_dir_all(place.join(PROOFS)).map_err(io)?;
    let made = fill(folder, what, &Form::Evidence(query, now_us), &place, progress);
    let made = made.and_then(|made| if is_tar { pack(&place, out).map(|()| made) } else { Ok(made) });
    if is_tar || made.is_err() {
        fs::remove_dir_all(&place).map_err(io)?;
    }
    made.map(|made| Made { path: out.to_owned(), ..made })
}

/// Writes the records from `first` to `last` into the folder `place`, always as the same bytes: under the oldest
/// checkpoint that covers them, with the keys that signed it, and without what explains a bundle.
pub(in crate::audit) fn segment(
    folder: &Path,
    (first, last): (u64, u64),
    place: &Path,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Made, Error> {
    let io = |source| Error::File { path: place.to_owned(), source };
    fs::create_dir_all(place.join(PROOFS)).map_err(io)?;
    fill(folder, &What::Range(first, last), &Form::Segment, place, progress)
}

/// What a bundle is written for.
enum Form<'q> {
    /// For whoever asked this, at this time.
    Evidence(&'q Value, i64),
    /// To be kept in place of the records.
    Segment,
}

impl Form<'_> {
    fn checkpoint(&self, prover: &Prover, to: u64) -> Result<Option<Signed>, Error> {
        match self {
            Self::Evidence(..) => Ok(prover.checkpoint()?.filter(|c| c.size > to)),
            Self::Segment => prover.first_over(to),
        }
    }

    fn keys(&self, prover: &Prover, note: &str) -> Result<Vec<Verifier>, Error> {
        let published = prover.keys()?;
        match self {
            Self::Evidence(..) => Ok(published),
            Self::Segment => {
                let signers = Note::parse(note)?.signed_by(&published)?;
                Ok(signers.into_iter().map(|(key, _)| key.clone()).collect())
            }
        }
    }
}

fn fill(
    folder: &Path,
    what: &What,
    form: &Form<'_>,
    place: &Path,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Made, Error> {
    let prover = Prover::open(folder)?;
    let (from, to, records, kind) = match what {
        What::Range(from, to) if from <= to => (*from, *to, to - from + 1, "range"),
        What::Range(_, to) => return Err(Error::NoRecord(*to)),
        What::Selected(seqs) => {
            let (Some(from), Some(to)) = (seqs.iter().min(), seqs.iter().max()) else {
                return Err(Error::NoRecord(0));
            };
            (*from, *to, seqs.len() as u64, "selected")
        }
    };
    let checkpoint = form.checkpoint(&prover, to)?.ok_or(Error::NoCheckpoint(to + 1))?;
    let (query, made) = match form {
        Form::Evidence(query, now_us) => ((*query).clone(), *now_us),
        Form::Segment => (serde_json::json!({"range": {"from": from, "to": to}}), checkpoint.time_us),
    };
    let mut sink = Sink { place, files: BTreeMap::new() };
    let proof_of = |seq| -> Result<Inclusion, Error> {
        let proof = prover.inclusion(seq, Some(checkpoint.size))?;
        Ok(Inclusion { checkpoint: checkpoint.note.clone(), ..proof })
    };
    match what {
        What::Range(..) => {
            sink.range(&Reader::open(folder)?, from, to, progress)?;
            sink.put(&proof_name(to), proof_of(to)?.text().as_bytes())?;
        }
        What::Selected(seqs) => {
            let mut seqs = seqs.clone();
            seqs.sort_unstable();
            seqs.dedup();
            let mut lines = Vec::new();
            for (done, seq) in seqs.iter().enumerate() {
                lines.extend_from_slice(&prover.record(*seq)?.record);
                lines.push(b'\n');
                sink.put(&proof_name(*seq), proof_of(*seq)?.text().as_bytes())?;
                progress(done as u64 + 1, records);
            }
            sink.put(RECORDS, &lines)?;
        }
    }
    let about = About {
        as_understood: query,
        checkpoint_size: checkpoint.size,
        complete: kind == "range",
        from,
        kind: kind.to_owned(),
        log: prover.origin()?,
        made,
        records: sink.records(records, what),
        to,
    };
    let keys: String =
        form.keys(&prover, &checkpoint.note)?.iter().map(|key| key.to_string() + "\n").collect();
    let about_text = serde_json::to_string_pretty(&about).unwrap_or_default() + "\n";
    sink.put(CHECKPOINT, checkpoint.note.as_bytes())?;
    sink.put(KEYS, keys.as_bytes())?;
    sink.put(QUERY, about_text.as_bytes())?;
    if let Form::Evidence(..) = form {
        sink.put(VERIFIER, include_bytes!("../../../audit/verify.py"))?;
        sink.put(README, include_bytes!("README.md"))?;
    }
    let manifest = Manifest { files: sink.files.clone() };
    let text = serde_json::to_string_pretty(&manifest).unwrap_or_default() + "\n";
    sink.put(MANIFEST, text.as_bytes())?;
    Ok(Made {
        path: PathBuf::new(),
        kind: if about.complete { "range" } else { "selected" },
        records: about.records,
        from,
        to,
        checkpoint_size: checkpoint.size,
        manifest: hex(&hash(&[text.as_bytes()])),
    })
}

fn proof_name(seq: u64) -> String {
    format!("{PROOFS}/{seq}.tlog-proof")
}

struct Sink<'p> {
    place: &'p Path,
    files: BTreeMap<String, String>,
}

impl Sink<'_> {
    fn put(&mut self, name: &str, bytes: &[u8]) -> Result<(), Error> {
        let path = self.place.join(name);
        fs::write(&path, bytes).map_err(|source| Error::File { path, source })?;
        self.files.insert(name.to_owned(), hex(&hash(&[bytes])));
        Ok(())
    }

    /// Records are written as they are read: a range may be larger than memory.
    fn range(
        &mut self,
        reader: &Reader,
        from: u64,
        to: u64,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<(), Error> {
        let path = self.place.join(RECORDS);
        let io = |source| Error::File { path: path.clone(), source };
        let mut file = BufWriter::new(File::create(&path).map_err(io)?);
        let mut digest = aws_lc_rs::digest::Context::new(&aws_lc_rs::digest::SHA256);
        let mut next = from;
        while next <= to {
            let entries = reader.since(next, CHUNK.min(to - next + 1))?;
            if entries.first().is_none_or(|first| first.seq != next) {
                return Err(Error::NoRecord(next));
            }
            for entry in entries {
                for part in [entry.record.as_slice(), b"\n"] {
                    file.write_all(part).map_err(io)?;
                    digest.update(part);
                }
                next = entry.seq + 1;
            }
            progress(next - from, to - from + 1);
        }
        file.flush().map_err(io)?;
        self.files.insert(RECORDS.to_owned(), hex(digest.finish().as_ref()));
        Ok(())
    }

    /// How many records there are, once doubles are gone.
    fn records(&self, asked: u64, what: &What) -> u64 {
        match what {
            What::Range(..) => asked,
            What::Selected(_) => self.files.keys().filter(|name| name.starts_with(PROOFS)).count() as u64,
        }
    }
}

fn pack(place: &Path, out: &Path) -> Result<(), Error> {
    let io = |source| Error::File { path: out.to_owned(), source };
    let name = out.file_stem().unwrap_or_default();
    let mut tar = tar::Builder::new(File::create_new(out).map_err(io)?);
    tar.mode(tar::HeaderMode::Deterministic);
    tar.append_dir_all(name, place).map_err(io)?;
    tar.into_inner().and_then(|file| file.sync_all()).map_err(io)
}
