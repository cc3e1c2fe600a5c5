//! The `Authorization` header that comes in and the `WWW-Authenticate` header that goes out.

use std::fmt;

use http::header::{AUTHORIZATION, HeaderMap, HeaderValue};

use super::Refused;

/// The bearer token of a request (RFC 6750 §2.1). Tokens in a query or a body are not looked at.
pub fn bearer(headers: &HeaderMap) -> Result<&str, Refused> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let value = values.next().ok_or(Refused::Missing)?;
    if values.next().is_some() {
        // Two credentials: whoever reads the other one would see another caller.
        return Err(Refused::Malformed);
    }
    let text = value.to_str().map_err(|_| Refused::Malformed)?;
    let (scheme, token) = text.split_once(' ').ok_or(Refused::Malformed)?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(Refused::Missing);
    }
    let token = token.trim_matches(' ');
    if token.is_empty() || token.contains(' ') { Err(Refused::Malformed) } else { Ok(token) }
}

/// What a refused client is told to do: RFC 6750 §3, with the metadata of RFC 9728 §5.1 where there is any.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Challenge {
    error: Option<(&'static str, &'static str)>,
    resource_metadata: Option<String>,
    scope: Option<String>,
}

impl Challenge {
    /// The challenge for a refusal. A request without credentials learns no error code (RFC 6750 §3.1).
    pub fn new(refused: &Refused) -> Self {
        let error = match refused {
            Refused::Missing | Refused::Unavailable => None,
            Refused::Malformed
            | Refused::BadChecksum
            | Refused::Unknown
            | Refused::Expired { .. }
            | Refused::Revoked { .. } => Some(("invalid_token", refused.description())),
        };
        Self { error, resource_metadata: None, scope: None }
    }

    /// Names the document that describes this resource.
    #[must_use]
    pub fn with_resource_metadata(mut self, url: impl Into<String>) -> Self {
        self.resource_metadata = Some(url.into());
        self
    }

    /// Names the scope that is needed.
    #[must_use]
    pub fn with_scope(mut self, scope: impl Into<String>) -> Self {
        self.scope = Some(scope.into());
        self
    }

    /// The value of `WWW-Authenticate`.
    pub fn header_value(&self) -> HeaderValue {
        HeaderValue::try_from(self.to_string())
            .unwrap_or_else(|_| HeaderValue::from_static("Bearer realm=\"sealgate\""))
    }
}

impl fmt::Display for Challenge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Bearer realm=\"sealgate\"")?;
        if let Some((code, description)) = self.error {
            write!(f, ", error=\"{code}\", error_description=\"{}\"", Quoted(description))?;
        }
        if let Some(scope) = &self.scope {
            write!(f, ", scope=\"{}\"", Quoted(scope))?;
        }
        match &self.resource_metadata {
            Some(url) => write!(f, ", resource_metadata=\"{}\"", Quoted(url)),
            None => Ok(()),
        }
    }
}

/// The inside of a quoted-string (RFC 9110 §5.6.4); what cannot stand there is left out.
struct Quoted<'a>(&'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars().filter(|c| matches!(c, ' '..='~')) {
            if matches!(c, '"' | '\\') {
                f.write_str("\\")?;
            }
            write!(f, "{c}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(values: &[&str]) -> HeaderMap {
        values.iter().map(|value| (AUTHORIZATION, HeaderValue::from_str(value).unwrap())).collect()
    }

    #[test]
    fn the_bearer_token_is_found() {
        assert_eq!(bearer(&headers(&["Bearer abc"])), Ok("abc"));
        assert_eq!(bearer(&headers(&["bEARER  abc "])), Ok("abc"));
        assert_eq!(bearer(&headers(&[])), Err(Refused::Missing));
        assert_eq!(bearer(&headers(&["Basic abc"])), Err(Refused::Missing));
        for bad in [&["Bearer"][..], &["Bearer "], &["Bearer a b"], &["Bearer a", "Bearer b"]] {
            assert_eq!(bearer(&headers(bad)), Err(Refused::Malformed), "{bad:?}");
        }
    }

    #[test]
    fn the_challenge_says_what_is_wrong_and_where_to_read_on() {
        assert_eq!(Challenge::new(&Refused::Missing).to_string(), "Bearer realm=\"sealgate\"");
        assert_eq!(
            Challenge::new(&Refused::Expired { credential: "tok_1".into() }).to_string(),
            "Bearer realm=\"sealgate\", error=\"invalid_token\", error_description=\"the token has expired\""
        );
        let full = Challenge::new(&Refused::Missing)
            .with_scope("mcp")
            .with_resource_metadata("https://gw.example/.well-known/oauth-protected-resource\"\r\nX: y");
        assert_eq!(
            full.header_value(),
            "Bearer realm=\"sealgate\", scope=\"mcp\", \
             resource_metadata=\"https://gw.example/.well-known/oauth-protected-resource\\\"X: y\""
        );
    }
}
