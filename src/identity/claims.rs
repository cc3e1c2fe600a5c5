//! What a credential says of its holder beyond names and roles.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Error;

/// Claims by name.
pub type Claims = BTreeMap<String, Claim>;

/// Most claims of one credential.
const MOST: usize = 32;
/// Most bytes of a name, and of a text.
const NAME_BYTES: usize = 64;
const TEXT_BYTES: usize = 256;
/// Most texts of one claim.
const TEXTS: usize = 64;

/// The value of a claim (RFC 7519 §4), in the forms that policies have types for.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Claim {
    /// `true` or `false`
    Flag(bool),
    /// A whole number.
    Number(i64),
    /// A text.
    Text(String),
    /// Several texts.
    Texts(Vec<String>),
}

impl Claim {
    /// Reads `NAME=VALUE`: a value that is JSON of one of the forms is that, any other is a text.
    ///
    /// # Errors
    /// There is no `=`.
    pub fn assignment(text: &str) -> Result<(String, Self), String> {
        let (name, value) = text.split_once('=').ok_or("write it as NAME=VALUE")?;
        let value = serde_json::from_str(value).unwrap_or_else(|_| Self::Text(value.to_owned()));
        Ok((name.to_owned(), value))
    }

    fn texts(&self) -> &[String] {
        match self {
            Self::Flag(_) | Self::Number(_) => &[],
            Self::Text(text) => std::slice::from_ref(text),
            Self::Texts(texts) => texts,
        }
    }
}

/// Refuses claims that are too many, too long, or hold control characters.
pub(super) fn check(claims: &Claims) -> Result<(), Error> {
    let wrong = |why| Err(Error::Field { field: "claim", why });
    if claims.len() > MOST {
        return wrong("occurs more than 32 times");
    }
    for (name, claim) in claims {
        if name.is_empty() || name.len() > NAME_BYTES || !name.bytes().all(|b| b.is_ascii_graphic()) {
            return wrong("has a name that is not 1 to 64 visible ASCII characters");
        }
        let texts = claim.texts();
        if texts.len() > TEXTS {
            return wrong("has more than 64 values");
        }
        if texts.iter().any(|text| text.len() > TEXT_BYTES) {
            return wrong("has a value longer than 256 bytes");
        }
        if texts.iter().any(|text| text.chars().any(char::is_control)) {
            return wrong("holds control characters");
        }
    }
    Ok(())
}
