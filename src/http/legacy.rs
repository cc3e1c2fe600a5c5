//! Requests of the session era (up to 2025-11-25).

use super::Rejection;
use super::modern::{Asked, VERSION, client, trace};
use super::sessions::Session;
use crate::gateway::{Call, Client, Refusal, Reply, SessionFacts};
use crate::mcp::{Abilities, Edition, Era, Method, Object};
use crate::upstream::LogLevel;
use http::HeaderMap;

pub(super) const SESSION: &str = "mcp-session-id";

/// What `initialize` asks for.
pub(super) struct Opening {
    pub edition: Edition,
    pub client: Client,
    pub abilities: Abilities,
}

/// Reads `initialize`: the asked revision if we speak it, else our newest of that era.
pub(super) fn opening(params: &str) -> Option<Opening> {
    let params = Object::parse(params)?;
    let asked = params.str("protocolVersion")?;
    let edition = Edition::parse(&asked).filter(|e| e.era() == Era::Legacy).unwrap_or(Edition::LATEST_LEGACY);
    let abilities = Abilities::read(&params.object("capabilities")?, edition);
    let info = params.object("clientInfo")?;
    Some(Opening { edition, client: client(&info), abilities })
}

/// The session id of a request, if it has one.
pub(super) fn session_id(headers: &HeaderMap) -> Option<&str> {
    headers.get(SESSION).and_then(|v| v.to_str().ok())
}

/// A version header, if there is one, must name a revision of this era.
pub(super) fn check_version(headers: &HeaderMap) -> Result<(), Rejection> {
    let Some(value) = headers.get(VERSION) else { return Ok(()) };
    let edition = value.to_str().ok().and_then(Edition::parse);
    if edition.is_some_and(|e| e.era() == Era::Legacy) { Ok(()) } else { Err(Rejection::VersionHeader) }
}

/// Builds the call of `initialize`.
pub(super) fn initialize(asked: &Asked<'_>, opening: &Opening, headers: &HeaderMap) -> Call {
    Call {
        id: asked.id,
        front: asked.front.clone(),
        method: Method::Initialize,
        params: asked.params.to_owned(),
        edition: opening.edition,
        transport: asked.transport,
        client: opening.client.clone(),
        abilities: Abilities::default(),
        progress_token: None,
        log_level: None,
        session: SessionFacts::default(),
        param_headers: None,
        source: asked.source,
        rpc_id: asked.rpc_id.to_owned(),
        trace: trace(None, headers),
    }
}

/// Builds the call of a request in a session.
pub(super) fn call(asked: &Asked<'_>, session: &Session, headers: &HeaderMap) -> Result<Call, Rejection> {
    let method = Method::parse(asked.method, Era::Legacy)
        .filter(|m| *m != Method::Initialize)
        .ok_or(Rejection::UnknownLegacyMethod)?;
    let params = Object::parse(asked.params);
    let given = params.as_ref().and_then(|p| p.object("_meta"));
    Ok(Call {
        id: asked.id,
        front: asked.front.clone(),
        method,
        params: asked.params.to_owned(),
        edition: session.edition,
        transport: asked.transport,
        client: session.client.clone(),
        abilities: session.abilities.clone(),
        progress_token: given
            .as_ref()
            .and_then(|m| m.get("progressToken"))
            .filter(|token| crate::mcp::Id::from_raw(token).is_some())
            .map(str::to_owned),
        log_level: session.level(),
        session: session.facts(),
        param_headers: None,
        source: asked.source,
        rpc_id: asked.rpc_id.to_owned(),
        trace: trace(given.as_ref(), headers),
    })
}

/// The level that `logging/setLevel` asks for.
fn wanted_level(params: &str) -> Option<LogLevel> {
    Object::parse(params)?.str("level").as_deref().and_then(LogLevel::parse)
}

/// What a request changes in its session when it succeeds.
pub(super) struct Effects {
    level: Option<LogLevel>,
    unfollowed: Option<String>,
}

impl Effects {
    /// Reads them before the call is made.
    ///
    /// # Errors
    /// Refuses a level that is none.
    pub(super) fn of(call: &Call) -> Result<Self, Refusal> {
        let level = match call.method {
            Method::SetLevel => Some(
                wanted_level(&call.params)
                    .ok_or_else(|| Refusal::InvalidParams("`params.level` must be a log level".into()))?,
            ),
            _ => None,
        };
        let unfollowed = (call.method == Method::Unsubscribe)
            .then(|| Object::parse(&call.params).and_then(|p| p.str("uri").map(std::borrow::Cow::into_owned)))
            .flatten();
        Ok(Self { level, unfollowed })
    }

    /// Makes them.
    pub(super) fn apply(self, session: &Session, reply: &mut Reply) {
        if let Some(level) = self.level {
            session.set_level(level);
        }
        if let Some(followed) = reply.take_followed() {
            session.follow(followed);
        }
        if let Some(uri) = self.unfollowed {
            session.unfollow(&uri);
        }
    }
}
