//! Who else may know a name when they see one? A service that is asked over HTTP in the format of Presidio's analyzer.
//!
//! Inspection stays a pure function: it says which texts to ask about ([`Inspector::texts`]), this room asks, and what it is
//! told goes into the next look at the same value. A service that does not answer, answers late or with something else than
//! lists of entities is a failure, and the settings say what then becomes of the message: it is refused.

mod breaker;
mod wire;

use std::sync::Arc;
use std::time::{Duration, Instant};

use reqwest::Url;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use tokio::sync::Semaphore;
use uuid::Uuid;

use crate::inspect::{self, Direction, Entity, Inspector, Manner, OnFailure, Subject, Texts, Told};
use crate::telemetry::Metrics;
use breaker::Breaker;

/// Bytes of texts in one request, if there is more than one text.
const REQUEST: usize = 64 << 10;
/// Texts in one request.
const TEXTS: usize = 200;
/// Largest answer that is read, in bytes.
const ANSWER: usize = 4 << 20;

/// Why no recogniser can be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Its address is none.
    #[error("`inspect.recognizer.url` is not a URL: {0}")]
    Url(String),
    /// One of its headers is none.
    #[error("`inspect.recognizer.headers` has a name or value that no HTTP header can have: `{0}`")]
    Header(String),
    /// It did not answer when it was tried.
    #[error("self-test failed: the recogniser of `inspect.recognizer.url` {0}")]
    Failed(Failure),
    /// It finds nothing.
    #[error(
        "self-test failed: the recogniser of `inspect.recognizer.url` finds none of `entities` in the text of \
         `inspect.recognizer.selfTest`: correct `entities`, `language` or `minScore`, or give a text that it must know"
    )]
    Blind,
    /// What it finds stays.
    #[error(
        "self-test failed: what the recogniser finds comes out in direction `{0}`: the operator of its types under \
         `inspect` is to blame"
    )]
    Comes(&'static str),
}

/// What went wrong with one message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The time is over.
    #[error("did not answer in time")]
    Late,
    /// There is no connection, or it broke.
    #[error("cannot be reached")]
    Unreachable,
    /// It says that it cannot.
    #[error("answered with an error of HTTP")]
    Status,
    /// It says something else.
    #[error(
        "did not answer with a list of entities for each text, as Presidio's analyzer does for a list of texts"
    )]
    Garbage,
    /// It is left alone after failures.
    #[error("failed too often and is left alone for a while")]
    Resting,
    /// It would be sent too much.
    #[error("would be asked about more text than `inspect.recognizer.maxBytes` allows")]
    TooMuch,
}

impl Failure {
    /// The label of the metric.
    fn label(self) -> &'static str {
        match self {
            Self::Late => "timeout",
            Self::Unreachable => "unreachable",
            Self::Status => "status",
            Self::Garbage => "invalid",
            Self::Resting => "resting",
            Self::TooMuch => "too_much",
        }
    }

    /// What the refused message is told.
    fn why(self) -> &'static str {
        match self {
            Self::Late => "did not answer in time",
            Self::Unreachable => "cannot be reached",
            Self::Status | Self::Garbage => "did not answer as it should",
            Self::Resting => "failed too often and is left alone for a while",
            Self::TooMuch => "would have to look at more text than is allowed",
        }
    }
}

/// A service that was tried and found something. Cloning is cheap.
#[derive(Debug, Clone)]
pub struct Recognizer {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    http: reqwest::Client,
    url: Url,
    headers: HeaderMap,
    settings: inspect::Recognizer,
    breaker: Breaker,
    slots: Semaphore,
    metrics: Metrics,
}

impl Recognizer {
    /// Tries the service: a planted text goes through it and `inspector` in both directions, and what it finds must not come
    /// out.
    ///
    /// # Errors
    /// It does not answer as it should, or finds nothing.
    pub async fn start(
        settings: &inspect::Recognizer,
        inspector: &Inspector,
        http: reqwest::Client,
        metrics: Metrics,
    ) -> Result<Self, Error> {
        let url = Url::parse(&settings.url).map_err(|e| Error::Url(e.to_string()))?;
        let mut headers = HeaderMap::new();
        for (name, value) in &settings.headers {
            let named = HeaderName::try_from(name.as_str()).map_err(|_| Error::Header(name.clone()))?;
            let mut value = HeaderValue::try_from(value.expose()).map_err(|_| Error::Header(name.clone()))?;
            value.set_sensitive(true);
            headers.insert(named, value);
        }
        let breaker =
            Breaker::new(settings.breaker.failures, Duration::from_millis(settings.breaker.rest_ms.into()));
        let slots = Semaphore::new(usize::try_from(settings.concurrency).unwrap_or(usize::MAX >> 4));
        let settings = settings.clone();
        let this = Self { inner: Arc::new(Inner { http, url, headers, settings, breaker, slots, metrics }) };
        this.try_out(inspector).await?;
        Ok(this)
    }

    async fn try_out(&self, inspector: &Inspector) -> Result<(), Error> {
        let settings = &self.inner.settings;
        let json = serde_json::json!({ "text": settings.self_test }).to_string();
        let mut found = false;
        for direction in
            Direction::ALL.into_iter().filter(|one| settings.direction.is_none_or(|only| only == *one))
        {
            let subject = Subject { call: Uuid::nil(), direction, exempt: &[] };
            let told = self.ask(inspector, &json, &subject, &[]).await.map_err(Error::Failed)?;
            let manner = Manner { told: Some(&told), ..Manner::default() };
            match inspector.filter_as(json.clone(), &subject, &manner) {
                Ok(filtered) => {
                    let by_it = filtered.findings().iter().filter(|finding| finding.evidence == "recognizer");
                    let (stay, go): (Vec<_>, Vec<_>) = by_it.partition(|finding| finding.operator == "allow");
                    found |= !stay.is_empty() || !go.is_empty();
                    if !go.is_empty() && *filtered.value() == json {
                        return Err(Error::Comes(direction.name()));
                    }
                }
                // To refuse is not to let out.
                Err(inspect::Blocked::Forbidden { .. }) => found = true,
                Err(_) => return Err(Error::Failed(Failure::Garbage)),
            }
        }
        if found { Ok(()) } else { Err(Error::Blind) }
    }

    /// What the service says of the texts of one value, but those below the pointers in `aside`.
    pub async fn told(
        &self,
        inspector: &Inspector,
        json: &str,
        subject: &Subject<'_>,
        aside: &[&str],
    ) -> Told {
        let settings = &self.inner.settings;
        if settings.direction.is_some_and(|only| only != subject.direction) {
            return Told::NotAsked;
        }
        match self.ask(inspector, json, subject, aside).await {
            Ok(told) => told,
            Err(_) if settings.on_failure == OnFailure::Pass => Told::Silent,
            Err(failure) => Told::Failed(failure.why()),
        }
    }

    /// Whether it is left alone after failures.
    pub fn rests(&self) -> bool {
        self.inner.breaker.rests()
    }

    /// What whoever runs the gateway should know.
    pub fn warning(&self) -> Option<String> {
        (self.inner.settings.on_failure == OnFailure::Pass).then(|| {
            "NAMES ARE LET OUT WHEN THE RECOGNISER FAILS: `inspect.recognizer.onFailure` is `pass`".to_owned()
        })
    }

    async fn ask(
        &self,
        inspector: &Inspector,
        json: &str,
        subject: &Subject<'_>,
        aside: &[&str],
    ) -> Result<Told, Failure> {
        // What cannot be inspected is refused by inspection, which says why.
        let Ok(texts) = inspector.texts(json, subject, aside) else {
            return Ok(Told::Failed("was not asked"));
        };
        if texts.texts().len() == 0 {
            return inspector.told(texts, subject.direction, &[]).ok_or(Failure::Garbage);
        }
        let began = Instant::now();
        let told = self.attempt(inspector, texts, subject.direction).await;
        let label = told.as_ref().err().map_or("ok", |failure| failure.label());
        self.inner.metrics.recognizer_asked(label, began.elapsed().as_secs_f64());
        told
    }

    /// Asks once, if it is not left alone. Whatever keeps an answer from being used counts as a failure of the service.
    async fn attempt(
        &self,
        inspector: &Inspector,
        texts: Texts,
        direction: Direction,
    ) -> Result<Told, Failure> {
        let Inner { settings, breaker, .. } = &*self.inner;
        let most = usize::try_from(settings.max_bytes).unwrap_or(usize::MAX);
        if texts.texts().map(str::len).sum::<usize>() > most {
            return Err(Failure::TooMuch);
        }
        let attempt = breaker.attempt().ok_or(Failure::Resting)?;
        let asking = async {
            let answers = self.answers(&texts).await?;
            inspector.told(texts, direction, &answers).ok_or(Failure::Garbage)
        };
        let time = Duration::from_millis(settings.timeout_ms.into());
        let told = tokio::time::timeout(time, asking).await.unwrap_or(Err(Failure::Late));
        match &told {
            Ok(_) => attempt.succeeded(),
            Err(failure) => {
                if attempt.failed() {
                    tracing::warn!("the external recogniser {failure}; it is left alone for a while");
                }
            }
        }
        told
    }

    async fn answers(&self, texts: &Texts) -> Result<Vec<Vec<Entity>>, Failure> {
        let _slot = self.inner.slots.acquire().await.map_err(|_| Failure::Unreachable)?;
        let mut answers = Vec::new();
        let mut batch: Vec<&str> = Vec::new();
        let mut bytes = 0;
        for text in texts.texts() {
            if !batch.is_empty() && (bytes + text.len() > REQUEST || batch.len() >= TEXTS) {
                answers.extend(self.request(&std::mem::take(&mut batch)).await?);
                bytes = 0;
            }
            bytes += text.len();
            batch.push(text);
        }
        answers.extend(self.request(&batch).await?);
        Ok(answers)
    }

    async fn request(&self, texts: &[&str]) -> Result<Vec<Vec<Entity>>, Failure> {
        let Inner { http, url, headers, settings, .. } = &*self.inner;
        let body = wire::request(texts, settings);
        let request =
            http.post(url.clone()).headers(headers.clone()).header(CONTENT_TYPE, "application/json");
        let mut response = request.body(body).send().await.map_err(|_| Failure::Unreachable)?;
        if !response.status().is_success() {
            return Err(Failure::Status);
        }
        let mut answer = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|_| Failure::Unreachable)? {
            if answer.len() + chunk.len() > ANSWER {
                return Err(Failure::Garbage);
            }
            answer.extend_from_slice(&chunk);
        }
        wire::answer(&answer, settings).filter(|of| of.len() == texts.len()).ok_or(Failure::Garbage)
    }
}
