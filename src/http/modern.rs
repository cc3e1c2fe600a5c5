//! Requests of the stateless era (2026-07-28): all that counts is in the body, and the headers must agree.

use super::Rejection;
use crate::gateway::{Call, Client, SessionFacts, Trace};
use crate::mcp::{Abilities, Edition, Era, Method, Object, PARAM_HEADER, decode_header_value, meta};
use crate::route::Front;
use crate::upstream::LogLevel;
use http::HeaderMap;
use std::net::IpAddr;
use uuid::Uuid;

pub(super) const VERSION: &str = "mcp-protocol-version";
const METHOD: &str = "mcp-method";
const NAME: &str = "mcp-name";

/// What both eras know of a request before its call is built.
pub(super) struct Asked<'a> {
    pub id: Uuid,
    pub rpc_id: &'a str,
    pub method: &'a str,
    pub params: &'a str,
    pub front: Front,
    pub source: Option<IpAddr>,
    /// How it came, as records say it.
    pub transport: &'static str,
}

/// Builds the call of a modern request.
///
/// Headers exist over Streamable HTTP only; there they must agree with the body.
pub(super) fn call(asked: &Asked<'_>, headers: Option<&HeaderMap>) -> Result<Call, Rejection> {
    let params = Object::parse(asked.params).ok_or(Rejection::Meta(meta::PROTOCOL_VERSION))?;
    let given = params.object("_meta").ok_or(Rejection::Meta(meta::PROTOCOL_VERSION))?;
    let version = given.str(meta::PROTOCOL_VERSION).ok_or(Rejection::Meta(meta::PROTOCOL_VERSION))?;
    if let Some(headers) = headers
        && header(headers, VERSION)? != version
    {
        return Err(Rejection::Header(VERSION));
    }
    let edition = Edition::parse(&version)
        .filter(|e| e.era() == Era::Modern)
        .ok_or_else(|| Rejection::Version(version.chars().take(64).collect()))?;
    let capabilities =
        given.object(meta::CLIENT_CAPABILITIES).ok_or(Rejection::Meta(meta::CLIENT_CAPABILITIES))?;
    let abilities = Abilities::read(&capabilities, edition);
    if let Some(headers) = headers
        && header(headers, METHOD)? != asked.method
    {
        return Err(Rejection::Header(METHOD));
    }
    let method = Method::parse(asked.method, Era::Modern).ok_or(Rejection::UnknownMethod)?;
    if let (Some(headers), Some(key)) = (headers, method.target_param()) {
        let name = decode_header_value(header(headers, NAME)?).ok_or(Rejection::Header(NAME))?;
        if params.str(key).is_some_and(|value| value != name) {
            return Err(Rejection::Header(NAME));
        }
    }
    Ok(Call {
        id: asked.id,
        front: asked.front.clone(),
        method,
        params: asked.params.to_owned(),
        edition,
        transport: asked.transport,
        client: given.object(meta::CLIENT_INFO).map(|info| client(&info)).unwrap_or_default(),
        abilities,
        progress_token: given
            .get("progressToken")
            .filter(|t| crate::mcp::Id::from_raw(t).is_some())
            .map(str::to_owned),
        log_level: given.str(meta::LOG_LEVEL).and_then(|level| LogLevel::parse(&level)),
        session: SessionFacts::default(),
        param_headers: headers.filter(|_| method == Method::ToolsCall).map(param_headers),
        source: asked.source,
        rpc_id: asked.rpc_id.to_owned(),
        trace: trace(Some(&given), headers.unwrap_or(&HeaderMap::new())),
    })
}

/// The headers that mirror parameters of a tool.
fn param_headers(headers: &HeaderMap) -> Vec<(String, Option<String>)> {
    let mirrors = headers.iter().filter(|(name, _)| name.as_str().starts_with(PARAM_HEADER));
    mirrors.map(|(name, value)| (name.as_str().to_owned(), value.to_str().ok().map(str::to_owned))).collect()
}

fn header<'h>(headers: &'h HeaderMap, name: &'static str) -> Result<&'h str, Rejection> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => value.to_str().map_err(|_| Rejection::Header(name)),
        _ => Err(Rejection::Header(name)),
    }
}

/// Name and version of a client, cut to a sane length.
pub(super) fn client(info: &Object<'_>) -> Client {
    let text = |key| info.str(key).map(|v| v.chars().take(128).collect()).unwrap_or_default();
    Client { name: text("name"), version: text("version") }
}

/// Trace context: from `_meta` (SEP-414), else from the headers (W3C Trace Context).
pub(super) fn trace(given: Option<&Object<'_>>, headers: &HeaderMap) -> Trace {
    let read = |key: &str| {
        let in_meta = given.and_then(|m| m.str(key)).map(std::borrow::Cow::into_owned);
        in_meta.or_else(|| headers.get(key).and_then(|v| v.to_str().ok()).map(str::to_owned))
    };
    let parent = read("traceparent").and_then(|p| traceparent(&p));
    let state = parent.as_ref().and_then(|_| read("tracestate")).filter(|s| s.len() <= 512 && s.is_ascii());
    Trace { parent, state }
}

/// `version-trace_id-parent_id-flags`, hexadecimal and not all zero (W3C Trace Context §3.2.2), as version 00
/// writes it: what a later version adds could be anything.
fn traceparent(text: &str) -> Option<String> {
    let parts: Vec<&str> = text.split('-').collect();
    let [version, trace, parent, flags, more @ ..] = parts.as_slice() else { return None };
    let hex = |s: &str, n| s.len() == n && s.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    let zero = |s: &str| s.bytes().all(|b| b == b'0');
    let known = hex(version, 2) && *version != "ff" && (*version != "00" || more.is_empty());
    let valid = known && hex(trace, 32) && hex(parent, 16) && hex(flags, 2) && !zero(trace) && !zero(parent);
    valid.then(|| format!("00-{trace}-{parent}-{flags}"))
}

#[cfg(test)]
mod tests {
    use super::traceparent;

    #[test]
    fn a_traceparent_is_read_strictly_and_passed_on_as_version_00() {
        let ids = "0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let good = format!("00-{ids}");
        assert_eq!(traceparent(&good), Some(good.clone()));
        assert_eq!(traceparent(&format!("cc-{ids}-of a later version")), Some(good));
        for bad in
            [format!("00-{ids}-more"), format!("ff-{ids}"), format!("0-{ids}"), ids.to_owned(), String::new()]
        {
            assert_eq!(traceparent(&bad), None, "{bad}");
        }
        assert_eq!(traceparent("00-00000000000000000000000000000000-b7ad6b7169203331-01"), None);
    }
}
