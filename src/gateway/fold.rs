//! Requests that never became calls: recorded, but folded, so that a flood cannot fill the disk.

use super::Gateway;
use crate::audit::{Draft, Kind};
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Sources counted apart at most; the rest share one count.
const SOURCES: usize = 10_000;
const WINDOW: Duration = Duration::from_mins(1);

/// Why a request was not heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Unheard {
    /// No credential.
    NoCredential,
    /// A credential that is malformed, unknown, expired or revoked.
    BadCredential,
    /// A forbidden Origin or Host.
    BadOrigin,
    /// Not a JSON-RPC message, or outside the limits.
    Malformed,
    /// An unknown, expired or foreign session.
    BadSession,
    /// A method that does not exist.
    UnknownMethod,
    /// Too many requests of one principal.
    TooMany,
}

impl Unheard {
    /// The reason in records and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NoCredential => "no_credential",
            Self::BadCredential => "bad_credential",
            Self::BadOrigin => "bad_origin",
            Self::Malformed => "malformed",
            Self::BadSession => "bad_session",
            Self::UnknownMethod => "unknown_method",
            Self::TooMany => "too_many",
        }
    }

    fn kind(self) -> Kind {
        match self {
            Self::NoCredential | Self::BadCredential => Kind::AuthFailed,
            _ => Kind::RequestRefused,
        }
    }
}

type Key = (Option<IpAddr>, Unheard);

/// Counts of this minute. The first of each kind is recorded at once, the others as one record.
#[derive(Debug, Default)]
pub struct Fold(Mutex<HashMap<Key, u64>>);

impl Fold {
    /// Takes note of a request that was not heard.
    pub fn note(&self, gateway: &Gateway, source: Option<IpAddr>, why: Unheard) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = if counts.len() < SOURCES { (source, why) } else { (None, why) };
        if let Some(count) = counts.get_mut(&key) {
            *count += 1;
            return;
        }
        counts.insert(key, 0);
        drop(counts);
        gateway.log().append_detached(record(key, 1));
    }

    /// Writes the counts of the minute that has passed.
    pub fn flush(&self, gateway: &Gateway) {
        let counts = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        for (key, count) in counts {
            if count > 0 {
                gateway.log().append_detached(record(key, count));
            }
        }
    }

    /// Writes each minute's counts until told to stop, and the last ones then.
    pub async fn run(self: Arc<Self>, gateway: Arc<Gateway>, stop: CancellationToken) {
        while stop.run_until_cancelled(tokio::time::sleep(WINDOW)).await.is_some() {
            self.flush(&gateway);
        }
        self.flush(&gateway);
    }
}

fn record((source, why): Key, count: u64) -> Draft {
    let source = source.map_or_else(|| "other".to_owned(), |ip| ip.to_string());
    Draft::new(why.kind()).member("count", &count).member("reason", why.as_str()).member("source", &source)
}
