//! Who is told? Delivers notices to webhooks: signed (Standard Webhooks), retried, and recorded either way.

use super::StartError;
use crate::audit::{Draft, Kind, Log};
use crate::clock::Clock;
use crate::gateway::Notice;
use crate::policy::Receiver;
use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, mpsc};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

/// Notices that wait at most.
pub(super) const WAITING: usize = 1024;
/// Notices under way at once.
const AT_ONCE: usize = 16;
/// Tries, and the pause after the first; each further pause is twice as long.
const TRIES: u32 = 5;
const PAUSE: Duration = Duration::from_millis(500);
/// Longest time for one try.
const PATIENCE: Duration = Duration::from_secs(10);
/// Shortest key, in bytes (Standard Webhooks).
const KEY_BYTES: usize = 24;

struct Target {
    url: String,
    key: hmac::Key,
}

/// Delivers what comes, until there is no more.
pub(super) struct Courier {
    targets: HashMap<String, Target>,
    http: reqwest::Client,
    log: Log,
    clock: Clock,
    at_once: Arc<Semaphore>,
}

impl Courier {
    /// Reads every receiver's key.
    pub(super) fn new(
        receivers: &BTreeMap<String, Receiver>,
        http: reqwest::Client,
        log: Log,
        clock: Clock,
    ) -> Result<Self, StartError> {
        let mut targets = HashMap::new();
        for (name, receiver) in receivers {
            let bytes = std::fs::read(&receiver.secret_file);
            let bytes = bytes.and_then(|bytes| {
                let key = bytes.trim_ascii().to_vec();
                let short = || std::io::Error::other(format!("a key has at least {KEY_BYTES} bytes"));
                if key.len() < KEY_BYTES { Err(short()) } else { Ok(key) }
            });
            let path = receiver.secret_file.clone();
            let bytes = bytes.map_err(|source| StartError::Data { path, source })?;
            let key = hmac::Key::new(hmac::HMAC_SHA256, &bytes);
            targets.insert(name.clone(), Target { url: receiver.url.clone(), key });
        }
        Ok(Self { targets, http, log, clock, at_once: Arc::new(Semaphore::new(AT_ONCE)) })
    }

    pub(super) fn run(
        self,
        mut notices: mpsc::Receiver<Notice>,
        tracker: &TaskTracker,
        stop: CancellationToken,
    ) {
        let courier = Arc::new(self);
        let spawner = tracker.clone();
        tracker.spawn(async move {
            while let Some(Some(notice)) = stop.run_until_cancelled(notices.recv()).await {
                let notice = Arc::new(notice);
                for receiver in notice.receivers.clone() {
                    let Ok(permit) = courier.at_once.clone().acquire_owned().await else { return };
                    let (courier, notice, stop) = (courier.clone(), notice.clone(), stop.clone());
                    spawner.spawn(async move {
                        courier.deliver(&receiver, &notice, &stop).await;
                        drop(permit);
                    });
                }
            }
        });
    }

    async fn deliver(&self, receiver: &str, notice: &Notice, stop: &CancellationToken) {
        // One id for all tries, so that a receiver can tell a second delivery of the same.
        let id = format!("msg_{}", Uuid::now_v7().simple());
        let body =
            json!({"type": "sealgate.policy.matched", "timestamp_us": self.clock.now_us(), "data": notice});
        let body = body.to_string();
        let mut pause = PAUSE;
        let mut why = "there is no such receiver any more".to_owned();
        let mut tries = 0;
        while tries < TRIES
            && let Some(target) = self.targets.get(receiver)
        {
            tries += 1;
            match self.post(target, &id, &body).await {
                Ok(()) => {
                    let record = Draft::new(Kind::NotifySent).call(notice.call);
                    self.record(
                        record.member("message", &id).member("receiver", receiver).member("tries", &tries),
                    );
                    return;
                }
                Err(reason) => why = reason,
            }
            if tries < TRIES && stop.run_until_cancelled(tokio::time::sleep(pause)).await.is_none() {
                break;
            }
            pause *= 2;
        }
        tracing::error!(receiver, "a notice could not be delivered: {why}");
        let record = Draft::new(Kind::NotifyFailed).call(notice.call).member("message", &id);
        self.record(record.member("reason", &why).member("receiver", receiver).member("tries", &tries));
    }

    fn record(&self, record: Draft) {
        self.log.append_detached(record);
    }

    /// Signs over id, time and body (Standard Webhooks, symmetric).
    async fn post(&self, target: &Target, id: &str, body: &str) -> Result<(), String> {
        let seconds = self.clock.now_us() / 1_000_000;
        let signed = hmac::sign(&target.key, format!("{id}.{seconds}.{body}").as_bytes());
        let request = self
            .http
            .post(&target.url)
            .timeout(PATIENCE)
            .header("content-type", "application/json")
            .header("webhook-id", id)
            .header("webhook-timestamp", seconds)
            .header("webhook-signature", format!("v1,{}", STANDARD.encode(signed.as_ref())))
            .body(body.to_owned());
        match request.send().await {
            Ok(answer) if answer.status().is_success() => Ok(()),
            Ok(answer) => Err(format!("it answered {}", answer.status().as_u16())),
            Err(error) if error.is_timeout() => Err("it did not answer in time".to_owned()),
            Err(_) => Err("it cannot be reached".to_owned()),
        }
    }
}
