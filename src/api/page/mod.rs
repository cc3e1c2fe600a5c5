//! The page on which people approve calls: `/approvals/{reference}` on the administrative listener.
//!
//! A reference opens nothing: whoever comes shows a token in the form, passes the checks of the administrative API, and
//! decides by its code. There is no cookie and no script, so nobody can be made to decide without showing a token.

mod html;

use super::Api;
use super::admin::approvals::{approvable, decide};
use super::door;
use super::problem::Problem;
use super::visit::Visit;
use crate::approval::Held;
use crate::audit::Kind;
use crate::http::Rejection;
use crate::identity::Refused;
use axum::Router;
use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use html::Shown;
use http::header::{
    CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, HeaderValue, REFERRER_POLICY, X_FRAME_OPTIONS,
};
use http::request::Parts as Head;
use http::{HeaderMap, StatusCode};
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

/// Largest form, in bytes: a token, and a note of a thousand characters however they are encoded.
const LARGEST: usize = 32 << 10;
/// How long a form may take to arrive.
const FORM_WAIT: Duration = Duration::from_secs(10);
/// Nothing runs, nothing is fetched but the style, nobody frames it, and the form goes nowhere else.
const POLICY: &str =
    "default-src 'none'; style-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

/// The routes without their state.
pub(super) fn routes() -> Router<Arc<Api>> {
    Router::new()
        .route("/approvals/style.css", get(style))
        .route("/approvals/{reference}", get(open).post(act))
}

async fn style() -> Response {
    let kind = [(CONTENT_TYPE, "text/css; charset=utf-8")];
    door::sealed((kind, include_str!("style.css")).into_response())
}

/// The page without the call: the same for each reference, so that it tells nothing.
async fn open(State(api): State<Arc<Api>>, Path(named): Path<String>, request: Request) -> Response {
    let (head, _) = request.into_parts();
    let opened = ours(&api, &head).and_then(|()| reference(&named));
    match opened {
        Ok(_) => answer(StatusCode::OK, &Shown::Nothing),
        Err(problem) => refused(&problem, None),
    }
}

/// What the form asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wish {
    Show,
    Decide(bool),
}

#[derive(Debug)]
struct Form {
    token: String,
    wish: Wish,
    note: String,
}

async fn act(State(api): State<Arc<Api>>, Path(named): Path<String>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let read = match ours(&api, &head).and_then(|()| reference(&named)) {
        Ok(reference) => form(&head.headers, body).await.map(|form| (reference, form)),
        Err(problem) => Err(problem),
    };
    let (reference, form) = match read {
        Ok(read) => read,
        Err(problem) => return refused(&problem, None),
    };
    let token = Some(form.token.as_str()).filter(|token| !token.is_empty()).ok_or(Refused::Missing);
    let visit = match door::enter(&api, &head, token, Kind::AdminRequest) {
        Ok(visit) => visit,
        Err(problem) => return refused(&problem, None),
    };
    let done = done(&api, &visit, reference, &form).await;
    let done = door::still_in(&api, &visit).and(done);
    let response = match &done {
        Ok(held) if form.wish == Wish::Show => answer(StatusCode::OK, &Shown::Call(held)),
        Ok(held) => answer(StatusCode::OK, &Shown::Said(held)),
        Err(problem) => refused(problem, Some(visit.id)),
    };
    match visit.end(response.status().as_u16()).await {
        Ok(()) => response,
        Err(problem) => refused(&problem, Some(visit.id)),
    }
}

async fn done(api: &Arc<Api>, visit: &Visit, reference: Uuid, form: &Form) -> Result<Held, Problem> {
    match form.wish {
        Wish::Show => {
            visit.param("do", "show");
            let held = approvable(api, visit, reference).await?;
            if held.requester.id == visit.caller().id {
                return Err(Problem::Conflict("nobody approves a call of their own".into()));
            }
            Ok(held)
        }
        Wish::Decide(approve) => {
            visit.param("do", if approve { "approve" } else { "reject" });
            decide(api, visit, (reference, form.note.clone()), approve).await
        }
    }
}

/// Whether the request was meant for us.
fn ours(api: &Api, head: &Head) -> Result<(), Problem> {
    let checked = api.origins.check(&head.headers, &head.uri);
    checked.map_err(|rejection| if rejection == Rejection::Host { Problem::Host } else { Problem::Origin })
}

fn reference(named: &str) -> Result<Uuid, Problem> {
    named.parse().map_err(|_| Problem::NotFound("call that waits for approval"))
}

/// Reads the form; what is wrong with it is told without repeating it.
async fn form(headers: &HeaderMap, body: Body) -> Result<Form, Problem> {
    let malformed = |why: &str| Problem::Malformed(why.to_owned());
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if !kind
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .eq_ignore_ascii_case("application/x-www-form-urlencoded")
    {
        return Err(malformed("send the page's own form (`application/x-www-form-urlencoded`)"));
    }
    let read = tokio::time::timeout(FORM_WAIT, axum::body::to_bytes(body, LARGEST)).await;
    let bytes = match read {
        Ok(Ok(bytes)) => bytes,
        Ok(Err(_)) => return Err(Problem::TooLarge(LARGEST)),
        Err(_) => return Err(malformed("the form did not arrive")),
    };
    let (mut token, mut wish, mut note) = (None, None, None);
    for (name, value) in url::form_urlencoded::parse(&bytes) {
        let again = match &*name {
            "token" => token.replace(value.trim().to_owned()).is_some(),
            "note" => note.replace(value.into_owned()).is_some(),
            "do" => {
                let meant = match &*value {
                    "show" => Wish::Show,
                    "approve" => Wish::Decide(true),
                    "reject" => Wish::Decide(false),
                    _ => return Err(malformed("`do` is `show`, `approve` or `reject`")),
                };
                wish.replace(meant).is_some()
            }
            _ => {
                return Err(malformed(
                    "the form has a field that is unknown: there are `token`, `do` and `note`",
                ));
            }
        };
        if again {
            return Err(malformed("the form has a field twice"));
        }
    }
    let wish = wish.ok_or_else(|| malformed("the form says nothing to do: `do` is missing"))?;
    Ok(Form { token: token.unwrap_or_default(), wish, note: note.unwrap_or_default() })
}

fn refused(problem: &Problem, request: Option<Uuid>) -> Response {
    // Its status and headers, without its body.
    let (mut head, _) = problem.response(request).into_parts();
    let text = match problem {
        Problem::Unauthenticated(..) => format!("Your token is not accepted: {problem}."),
        Problem::Forbidden(_) => "No policy lets you decide about this call.".to_owned(),
        other => format!("{}.", capital(&other.to_string())),
    };
    let mut response = answer(head.status, &Shown::Refused(&text));
    head.headers.remove(CONTENT_TYPE);
    for (name, value) in &head.headers {
        response.headers_mut().insert(name, value.clone());
    }
    response
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

fn answer(status: StatusCode, shown: &Shown<'_>) -> Response {
    let kind = [(CONTENT_TYPE, "text/html; charset=utf-8")];
    let mut response = (status, kind, html::page(shown)).into_response();
    let more: [(HeaderName, &'static str); 4] = [
        (CONTENT_SECURITY_POLICY, POLICY),
        // `no-referrer` would make browsers send the form with `Origin: null`.
        (REFERRER_POLICY, "same-origin"),
        (X_FRAME_OPTIONS, "DENY"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    ];
    for (name, value) in more {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    door::sealed(response)
}
