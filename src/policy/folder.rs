//! Reading the folders that policies and entities live in.

use std::fs;
use std::path::Path;

use super::problem::Problem;

/// A larger policy file is a mistake.
const MAX_BYTES: u64 = 1024 * 1024;
/// Folders below the policy folder are read this deep.
const MAX_DEPTH: usize = 8;

/// One file, as read.
#[derive(Debug, Clone)]
pub(super) struct Source {
    /// Path for messages: the folder as configured, and the path below it.
    pub(super) path: String,
    /// Path below the folder, with `/`, for digests.
    pub(super) name: String,
    /// Its text.
    pub(super) text: String,
}

/// Every file below a folder that has one of the extensions, sorted by name.
///
/// Hidden files and folders are left out: editors and mounted config maps keep their own copies there.
pub(super) fn read(folder: &Path, extensions: &[&str]) -> Result<Vec<Source>, Vec<Problem>> {
    let mut sources = Vec::new();
    let mut problems = Vec::new();
    walk(folder, "", MAX_DEPTH, &mut |path, name| {
        let extension = Path::new(name).extension().and_then(|end| end.to_str()).unwrap_or_default();
        if !extensions.iter().any(|known| known.eq_ignore_ascii_case(extension)) {
            return;
        }
        match text_of(path) {
            Ok(text) => {
                sources.push(Source { path: path.display().to_string(), name: name.to_owned(), text });
            }
            Err(message) => problems.push(Problem::with_file(path.display().to_string(), message)),
        }
    })
    .unwrap_or_else(|problem| problems.push(problem));
    if problems.is_empty() { Ok(sources) } else { Err(problems) }
}

fn walk(folder: &Path, below: &str, depth: usize, each: &mut dyn FnMut(&Path, &str)) -> Result<(), Problem> {
    let unreadable = |error: std::io::Error| {
        Problem::with_file(folder.display().to_string(), format!("the folder cannot be read: {error}"))
            .help("create it, or set the path in the configuration; an empty folder permits nothing")
    };
    let mut entries = fs::read_dir(folder)
        .and_then(Iterator::collect::<std::io::Result<Vec<fs::DirEntry>>>)
        .map_err(unreadable)?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let file_name = entry.file_name();
        let Some(file_name) = file_name.to_str() else {
            return Err(Problem::with_file(
                entry.path().display().to_string(),
                "the name of this file is not UTF-8",
            ));
        };
        if file_name.starts_with('.') {
            continue;
        }
        let name = if below.is_empty() { file_name.to_owned() } else { format!("{below}/{file_name}") };
        let path = entry.path();
        if !fs::metadata(&path).map_err(unreadable)?.is_dir() {
            each(&path, &name);
        } else if depth > 0 {
            walk(&path, &name, depth - 1, each)?;
        } else {
            return Err(Problem::with_file(path.display().to_string(), "this folder is nested too deep"));
        }
    }
    Ok(())
}

fn text_of(path: &Path) -> Result<String, String> {
    let size = fs::metadata(path).map_err(|error| format!("the file cannot be read: {error}"))?.len();
    if size > MAX_BYTES {
        return Err(format!("the file has {size} bytes, more than {MAX_BYTES}: split it"));
    }
    fs::read_to_string(path).map_err(|error| format!("the file cannot be read: {error}"))
}

/// The example policies that ship with the program: file name and text.
pub fn shipped() -> [(&'static str, &'static str); 6] {
    [
        ("00-baseline.cedar", include_str!("../../policies/00-baseline.cedar")),
        ("10-employees.cedar", include_str!("../../policies/10-employees.cedar")),
        ("20-contractors.cedar", include_str!("../../policies/20-contractors.cedar")),
        ("30-guardrails.cedar", include_str!("../../policies/30-guardrails.cedar")),
        ("40-auditors.cedar", include_str!("../../policies/40-auditors.cedar")),
        ("50-administrators.cedar", include_str!("../../policies/50-administrators.cedar")),
    ]
}
