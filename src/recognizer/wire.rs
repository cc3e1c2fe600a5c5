//! The format of Presidio's analyzer: `POST /analyze` with a list of texts, answered by a list of entities for each.

use serde::{Deserialize, Serialize};

use crate::inspect::{Entity, Recognizer};

#[derive(Serialize)]
struct Request<'a> {
    text: &'a [&'a str],
    language: &'a str,
    entities: Vec<&'a str>,
    score_threshold: f64,
}

/// One finding of the analyzer; it says more, which nobody needs.
#[derive(Deserialize)]
struct Recognized {
    entity_type: String,
    start: usize,
    end: usize,
    score: f64,
}

/// The body of a request about some texts.
pub(super) fn request(texts: &[&str], settings: &Recognizer) -> String {
    let request = Request {
        text: texts,
        language: &settings.language,
        entities: settings.entities.keys().map(String::as_str).collect(),
        score_threshold: settings.min_score.get(),
    };
    serde_json::to_string(&request).unwrap_or_default()
}

/// The entities of each text that count. None if the answer is something else.
pub(super) fn answer(body: &[u8], settings: &Recognizer) -> Option<Vec<Vec<Entity>>> {
    let lists: Vec<Vec<Recognized>> = serde_json::from_slice(body).ok()?;
    let counts = |one: Recognized| {
        let kind = settings.entities.get(&one.entity_type)?.clone();
        let counts = one.score >= settings.min_score.get();
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 0 to 100")]
        let score = (one.score.clamp(0.0, 1.0) * 100.0) as u32;
        counts.then_some(Entity { start: one.start, end: one.end, kind, score })
    };
    Some(lists.into_iter().map(|list| list.into_iter().filter_map(counts).collect()).collect())
}
