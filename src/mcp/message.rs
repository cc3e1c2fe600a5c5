//! The JSON-RPC 2.0 envelope, read strictly and without losing anything inside it.

use super::splice::{Object, string_value};

/// A request id as it was written: a string or an integer. It goes back with the same JSON type.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Id(String);

impl Id {
    /// An id from raw JSON, if it is a string or an integer.
    pub fn from_raw(raw: &str) -> Option<Self> {
        let integer = raw.strip_prefix('-').unwrap_or(raw);
        let is_integer = !integer.is_empty() && integer.bytes().all(|b| b.is_ascii_digit());
        (is_integer || string_value(raw).is_some()).then(|| Self(raw.to_owned()))
    }

    /// An integer id.
    pub fn number(n: u64) -> Self {
        Self(n.to_string())
    }

    /// The raw JSON.
    pub fn raw(&self) -> &str {
        &self.0
    }

    /// The integer, if the id is one.
    pub fn as_u64(&self) -> Option<u64> {
        self.0.parse().ok()
    }
}

/// What a response says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome<'a> {
    /// The raw `result`.
    Result(&'a str),
    /// The raw `error`.
    Error(&'a str),
}

/// One JSON-RPC message. Raw members borrow the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message<'a> {
    /// Something is asked.
    Request {
        /// The id.
        id: Id,
        /// The method's name.
        method: String,
        /// Raw parameters, an object if present.
        params: Option<&'a str>,
    },
    /// Something is told.
    Notification {
        /// The method's name.
        method: String,
        /// Raw parameters, an object if present.
        params: Option<&'a str>,
    },
    /// Something is answered. The id is absent where the peer could not read the request's.
    Response {
        /// The id.
        id: Option<Id>,
        /// Result or error.
        outcome: Outcome<'a>,
    },
}

/// Why a JSON text is not a JSON-RPC message. Each text says what to mend.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MessageError {
    /// Not an object. A batch is an array: only MCP 2025-03-26 had them.
    #[error("the body must be one JSON-RPC object")]
    NotAnObject,
    /// A batch.
    #[error("batches are not accepted: send one JSON-RPC object")]
    Batch,
    /// `jsonrpc` is not `"2.0"`.
    #[error("`jsonrpc` must be \"2.0\"")]
    Version,
    /// `id` is neither a string nor an integer.
    #[error("`id` must be a string or an integer")]
    Id,
    /// `method` is not a string.
    #[error("`method` must be a string")]
    Method,
    /// `params` is not an object.
    #[error("`params` must be an object")]
    Params,
    /// Not a request, notification or response.
    #[error("the message needs `method`, or `id` with exactly one of `result` and `error`")]
    Shape,
}

impl<'a> Message<'a> {
    /// Reads one message from text that [`super::check`] has accepted.
    ///
    /// # Errors
    /// Returns what is wrong with the envelope.
    pub fn parse(text: &'a str) -> Result<Self, MessageError> {
        let Some(object) = Object::parse(text) else {
            let batch = text.trim_start().starts_with('[');
            return Err(if batch { MessageError::Batch } else { MessageError::NotAnObject });
        };
        if object.get("jsonrpc") != Some("\"2.0\"") {
            return Err(MessageError::Version);
        }
        let id = match object.get("id") {
            None => None,
            Some("null") if object.get("method").is_none() => None,
            Some(raw) => Some(Id::from_raw(raw).ok_or(MessageError::Id)?),
        };
        let params = object.get("params");
        match (object.get("method"), object.get("result"), object.get("error")) {
            (Some(method), None, None) => {
                let method = string_value(method).ok_or(MessageError::Method)?.into_owned();
                if params.is_some_and(|p| !p.starts_with('{')) {
                    return Err(MessageError::Params);
                }
                Ok(match id {
                    Some(id) => Self::Request { id, method, params },
                    None => Self::Notification { method, params },
                })
            }
            (None, Some(result), None) => Ok(Self::Response { id, outcome: Outcome::Result(result) }),
            (None, None, Some(error)) => Ok(Self::Response { id, outcome: Outcome::Error(error) }),
            _ => Err(MessageError::Shape),
        }
    }
}

/// A string as a JSON literal.
pub fn quote(value: &str) -> String {
    serde_json::Value::String(value.to_owned()).to_string()
}
