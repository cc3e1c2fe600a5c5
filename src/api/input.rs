//! What comes in: query parameters, path parameters and JSON bodies, each refused without repeating it.

use super::problem::Problem;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use http::header::CONTENT_TYPE;
use http::request::Parts;
use http_body_util::BodyExt as _;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::time::Duration;
use utoipa::IntoParams;

/// Largest body, in bytes.
const LARGEST: usize = (1 << 20) + 4096;
/// How long a body may take to arrive.
const BODY_WAIT: Duration = Duration::from_secs(30);

/// Query parameters; unknown ones are refused.
pub(super) struct Params<T>(pub T);

impl<S: Sync, T: DeserializeOwned + IntoParams> FromRequestParts<S> for Params<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        if let Ok(Query(params)) = Query::try_from_uri(&parts.uri) {
            return Ok(Self(params));
        }
        let names: Vec<String> = T::into_params(|| None).into_iter().map(|param| param.name).collect();
        let known = if names.is_empty() { "none is known here".to_owned() } else { names.join(", ") };
        Err(Problem::Malformed(format!(
            "a query parameter is unknown, doubled, missing or malformed; there are: {known}"
        )))
    }
}

/// No parameters at all.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Nothing {}

/// One path parameter.
pub(super) struct Named<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Named<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match Path::<T>::from_request_parts(parts, state).await {
            Ok(Path(value)) => Ok(Self(value)),
            Err(_) => Err(Problem::Malformed(
                "the path names a number or an id, and this is none: see `/audit/v1/openapi.json`".into(),
            )),
        }
    }
}

/// A JSON body; unknown members are refused.
pub(super) struct Body<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let kind = request.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        let essence = kind.and_then(|kind| kind.split(';').next()).unwrap_or_default().trim();
        if !essence.eq_ignore_ascii_case("application/json") {
            return Err(Problem::MediaType);
        }
        let read = tokio::time::timeout(BODY_WAIT, read(request.into_body())).await;
        let bytes = read.unwrap_or_else(|_| Err(Problem::Malformed("the body did not arrive".into())))?;
        // Serde's own text would repeat names and values.
        serde_json::from_slice(&bytes).map(Self).map_err(|error| {
            let (line, column) = (error.line(), error.column());
            Problem::Malformed(format!(
                "the body is not what the document describes, at line {line}, column {column}"
            ))
        })
    }
}

/// A body within its bound. Of one that is larger some more is read and dropped: a client that is cut off while it
/// writes would not read the refusal.
async fn read(mut body: axum::body::Body) -> Result<Vec<u8>, Problem> {
    let (mut kept, mut length) = (Vec::new(), 0_usize);
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Problem::Malformed("the body did not arrive".into()))?;
        let Some(data) = frame.data_ref() else { continue };
        length = length.saturating_add(data.len());
        if length <= LARGEST {
            kept.extend_from_slice(data);
        } else if length > 4 * LARGEST {
            break;
        }
    }
    if length > LARGEST { Err(Problem::TooLarge(LARGEST)) } else { Ok(kept) }
}
