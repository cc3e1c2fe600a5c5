//! How does an export leave? As a file that is nowhere to be found any more, piece by piece.

use super::exports::Form;
use crate::api::Api;
use crate::api::problem::Problem;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::stream::try_unfold;
use http::header::{CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_TYPE, HeaderValue};
use serde_json::Value;
use std::fs::{DirBuilder, File};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::PathBuf;
use tokio::io::AsyncReadExt as _;
use uuid::Uuid;

/// Where exports are made in the data folder; nothing stays there.
pub(super) const FOLDER: &str = "exports";
/// Bytes that are sent at once.
const PIECE: usize = 64 << 10;

/// A file that was made and is nowhere to be found any more: it ends with whoever reads it.
pub(super) struct Made {
    pub file: File,
    pub length: u64,
    /// What its record says of it.
    pub note: Value,
    pub rows: usize,
    /// Records that are archived, so that nobody looked at them.
    pub archived: u64,
    /// Cursors of this part and of the next, if it is one.
    pub cursors: Option<(String, Option<String>)>,
}

/// Where a file is made.
pub(super) fn place(api: &Api, name: &str) -> Result<PathBuf, Problem> {
    let folder = api.folder.join(FOLDER);
    DirBuilder::new().recursive(true).mode(0o700).create(&folder).map_err(failed)?;
    Ok(folder.join(name))
}

pub(super) fn failed(error: std::io::Error) -> Problem {
    tracing::error!("an export cannot be made: {error}");
    Problem::Unavailable
}

pub(super) fn sent(made: Made, form: Form, id: Uuid) -> Response {
    let (kind, end) = match form {
        Form::Bundle => ("application/x-tar", "tar"),
        Form::Ndjson => ("application/x-ndjson", "ndjson"),
        Form::Csv => ("text/csv; charset=utf-8; header=present", "csv"),
        Form::Ocsf => ("application/x-ndjson", "ocsf.ndjson"),
    };
    let pieces = try_unfold(tokio::fs::File::from_std(made.file), |mut file| async move {
        let mut piece = vec![0; PIECE];
        let read = file.read(&mut piece).await?;
        piece.truncate(read);
        Ok::<_, std::io::Error>((read > 0).then(|| (Bytes::from(piece), file)))
    });
    let mut response = axum::body::Body::from_stream(pieces).into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(CONTENT_LENGTH, made.length.into());
    headers.insert("sealgate-archived", made.archived.into());
    let (this, next) = made.cursors.map_or((None, None), |(this, next)| (Some(this), next));
    for (name, cursor) in [("sealgate-cursor", this), ("sealgate-next", next)] {
        if let Some(value) = cursor.and_then(|cursor| HeaderValue::try_from(cursor).ok()) {
            headers.insert(name, value);
        }
    }
    if let Ok(name) = HeaderValue::try_from(format!("attachment; filename=\"sealgate-{id}.{end}\"")) {
        headers.insert(CONTENT_DISPOSITION, name);
    }
    response
}
