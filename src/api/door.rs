//! The door of both APIs. Every request passes the same checks in the same order: host, credential, rate. Whatever
//! comes of it is recorded before the answer leaves; what cannot be recorded is not answered.

use super::Api;
use super::problem::Problem;
use super::visit::{Target, Visit};
use crate::audit::Kind;
use crate::gateway::Unheard;
use crate::http::{PeerAddress, Rejection};
use crate::identity::{Challenge, Refused, bearer};
use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use governor::clock::{Clock as _, MonotonicClock};
use governor::middleware::NoOpMiddleware;
use governor::state::keyed::HashMapStateStore;
use governor::{Quota, RateLimiter};
use http::StatusCode;
use http::header::{CACHE_CONTROL, HeaderValue, X_CONTENT_TYPE_OPTIONS};
use http::request::Parts as Head;
use std::num::NonZeroU32;
use std::sync::Arc;

/// Buckets before those that are full again are thrown away.
const MANY: usize = 10_000;

/// How often each principal may ask. The time is the machine's monotonic one: setting the clock changes nothing.
pub(super) type Rates =
    RateLimiter<String, HashMapStateStore<String>, MonotonicClock, NoOpMiddleware<std::time::Instant>>;

/// Buckets that hold a tenth of a minute's requests, and at least ten or all.
pub(super) fn rates(per_minute: NonZeroU32) -> Rates {
    let least = NonZeroU32::new(10).unwrap_or(NonZeroU32::MIN);
    let burst = NonZeroU32::new(per_minute.get() / 10).unwrap_or(NonZeroU32::MIN).max(least).min(per_minute);
    let quota = Quota::per_minute(per_minute).allow_burst(burst);
    RateLimiter::new(quota, HashMapStateStore::default(), MonotonicClock)
}

/// What becomes of a request on the auditors' listener.
pub(super) async fn of_auditors(State(api): State<Arc<Api>>, request: Request, next: Next) -> Response {
    pass(&api, request, next, Kind::AuditQuery).await
}

/// What becomes of a request on the administrative listener.
pub(super) async fn of_operators(State(api): State<Arc<Api>>, request: Request, next: Next) -> Response {
    pass(&api, request, next, Kind::AdminRequest).await
}

async fn pass(api: &Arc<Api>, request: Request, next: Next, kind: Kind) -> Response {
    let (mut head, body) = request.into_parts();
    let token = bearer(&head.headers);
    let visit = match enter(api, &head, token, kind) {
        Ok(visit) => visit,
        Err(problem) => return sealed(problem.response(None)),
    };
    head.extensions.insert(visit.clone());
    let request = Request::from_parts(head, body);
    let mut response = next.run(request).await;
    if response.status() == StatusCode::METHOD_NOT_ALLOWED {
        response.extensions_mut().insert(Problem::Method);
    }
    if let Some(problem) = response.extensions_mut().remove::<Problem>() {
        let headers = std::mem::take(response.headers_mut());
        response = problem.response(Some(visit.id));
        if let Some(allow) = headers.get(http::header::ALLOW) {
            response.headers_mut().insert(http::header::ALLOW, allow.clone());
        }
    }
    if let Err(problem) = still_in(api, &visit) {
        response = problem.response(Some(visit.id));
    }
    match visit.end(response.status().as_u16()).await {
        Ok(()) => sealed(response),
        Err(problem) => sealed(problem.response(Some(visit.id))),
    }
}

/// The checks that every request passes, with the token that it shows. Whoever is turned away is counted.
pub(super) fn enter(
    api: &Api,
    head: &Head,
    token: Result<&str, Refused>,
    kind: Kind,
) -> Result<Arc<Visit>, Problem> {
    let source = head.extensions.get::<PeerAddress>().map(|peer| peer.0.ip());
    let path = head.extensions.get::<MatchedPath>().map(|path| path.as_str().to_owned());
    let target = Target { method: method(&head.method), path: path.unwrap_or_default(), source, kind };
    match admit(api, head, token, target) {
        Ok(visit) => Ok(Arc::new(visit)),
        Err((problem, why)) => {
            if let Some(why) = why {
                api.fold.note(&api.gateway, source, why);
            }
            Err(problem)
        }
    }
}

/// The credential may have been taken back meanwhile.
pub(super) fn still_in(api: &Api, visit: &Visit) -> Result<(), Problem> {
    if api.tokens.still_valid(&visit.who) {
        return Ok(());
    }
    Err(unauthenticated(&Refused::Revoked { credential: visit.who.credential.clone() }))
}

/// Only names that HTTP defines go into a record.
fn method(method: &http::Method) -> &'static str {
    let known = ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT"];
    known.into_iter().find(|name| *name == method.as_str()).unwrap_or("OTHER")
}

type Turned = (Problem, Option<Unheard>);

fn admit(api: &Api, head: &Head, token: Result<&str, Refused>, target: Target) -> Result<Visit, Turned> {
    api.origins.check(&head.headers, &head.uri).map_err(|rejection| {
        let problem = if rejection == Rejection::Host { Problem::Host } else { Problem::Origin };
        (problem, Some(Unheard::BadOrigin))
    })?;
    let who = authenticate(api, token)?;
    let caller = &who.caller;
    let key = format!("{}:{}:{}", caller.kind.entity_type(), caller.tenant, caller.id);
    let taken = api.rates.check_key(&key).map_err(|no| no.wait_time_from(MonotonicClock.now()));
    if api.rates.len() > MANY {
        api.rates.retain_recent();
    }
    taken.map_err(|wait| (Problem::TooMany(wait), Some(Unheard::TooMany)))?;
    Ok(Visit::new(api.gateway.clone(), who, target))
}

fn authenticate(api: &Api, token: Result<&str, Refused>) -> Result<crate::identity::Authenticated, Turned> {
    let known = token.and_then(|token| api.tokens.authenticate(token));
    known.map_err(|refused| {
        api.gateway.metrics().auth_failed(refused.reason());
        let why = match refused {
            Refused::Unavailable => return (Problem::TokensUnavailable, None),
            Refused::Missing => Unheard::NoCredential,
            _ => Unheard::BadCredential,
        };
        (unauthenticated(&refused), Some(why))
    })
}

fn unauthenticated(refused: &Refused) -> Problem {
    Problem::Unauthenticated(Challenge::new(refused).header_value(), refused.description())
}

/// Answers are for their reader alone.
pub(super) fn sealed(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}
