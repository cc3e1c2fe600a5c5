//! What an external recogniser says of a value, before the value is judged.

use super::{Call, Refusal, Rules, judge, watch};
use crate::inspect::{Blocked, Filtered, Manner, Subject, Told};
use crate::mcp::Kind as Answerer;
use tracing::{Instrument as _, Span};

/// Members in which the protocol says something, nobody tells anything: names of what is called, kinds, addresses, bytes.
const ASIDE: &[&str] = &[
    "/_meta",
    "/action",
    "/argument/name",
    "/capabilities",
    "/clientInfo",
    "/content/*/_meta",
    "/content/*/annotations",
    "/content/*/data",
    "/content/*/mimeType",
    "/content/*/resource/blob",
    "/content/*/resource/mimeType",
    "/content/*/resource/uri",
    "/content/*/type",
    "/content/*/uri",
    "/content/mimeType",
    "/content/type",
    "/contents/*/blob",
    "/contents/*/mimeType",
    "/contents/*/uri",
    "/elicitationId",
    "/inputRequests/*/method",
    "/level",
    "/logger",
    "/messages/*/content/data",
    "/messages/*/content/mimeType",
    "/messages/*/content/resource/uri",
    "/messages/*/content/type",
    "/messages/*/content/uri",
    "/messages/*/role",
    "/method",
    "/mode",
    "/model",
    "/name",
    "/ref",
    "/requestState",
    "/requestedSchema/properties/*/format",
    "/requestedSchema/properties/*/type",
    "/requestedSchema/required",
    "/requestedSchema/type",
    "/resultType",
    "/role",
    "/status",
    "/stopReason",
    "/taskId",
    "/uri",
    "/url",
];

/// What a recogniser sees in the parameters of a call, as a stage of its own. What the gateway answers by itself goes nowhere.
pub(super) async fn of_call(rules: &Rules, parent: &Span, call: &Call) -> Told {
    if rules.recognizer.is_none() || call.method.kind() != Answerer::Forwarded {
        return Told::NotAsked;
    }
    let subject = judge::subject(call);
    let asking = rules.told(&call.params, &subject);
    asking.instrument(watch::stage_span(parent, "recognize")).await
}

impl Rules {
    /// Inspects a value of which nothing more is known, after a recogniser has said what it sees in it.
    pub(super) async fn filter(
        &self,
        json: String,
        subject: &Subject<'_>,
    ) -> Result<Filtered<String>, Blocked> {
        let told = self.told(&json, subject).await;
        self.inspector.filter_as(json, subject, &Manner { told: Some(&told), ..Manner::default() })
    }

    /// What the recogniser says of a value, if there is one.
    pub(super) async fn told(&self, json: &str, subject: &Subject<'_>) -> Told {
        match &self.recognizer {
            Some(recognizer) => recognizer.told(&self.inspector, json, subject, ASIDE).await,
            None => Told::NotAsked,
        }
    }
}

impl From<Blocked> for Refusal {
    fn from(blocked: Blocked) -> Self {
        match blocked {
            Blocked::Unrecognized { why } => Self::Uninspected(why),
            other => Self::Blocked(other.to_string()),
        }
    }
}
