//! The rules of one moment, as one immutable value. A change builds the whole next one.

use super::{Checks, Vaulted};
use crate::inspect::sanitize::Sanitizer;
use crate::inspect::{Filtered, Inspector};
use crate::policy::Policies;
use crate::recognizer::Recognizer;
use crate::route::Catalog;
use crate::upstream::Upstream;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Cached list pages at most; beyond that the cache begins anew.
const PAGES: usize = 4096;

/// Policies, filters, catalog and backends that hold together.
#[derive(Debug)]
pub struct Rules {
    /// Grows with each adoption: old cursors and cached pages end with it.
    pub generation: u64,
    /// Who may do what.
    pub policies: Policies,
    /// What may be in it.
    pub inspector: Arc<Inspector>,
    /// Who finds names in prose.
    pub recognizer: Option<Recognizer>,
    /// What a model must not be told, and a server not be asked.
    pub sanitizer: Arc<Sanitizer>,
    /// Where the values are that tokens stand for.
    pub vaulted: Option<Vaulted>,
    /// What is declared of each tool.
    pub checks: Checks,
    /// What exists.
    pub catalog: Catalog,
    /// How to reach it, by server id.
    pub upstreams: HashMap<String, Arc<Upstream>>,
    /// Entries on one page of a list.
    pub page_size: usize,
    /// Longest time for one call.
    pub call_timeout: Duration,
    /// Longest time that a question of a backend waits for its answer.
    pub question_timeout: Duration,
    /// Prebuilt pages.
    pub(super) pages: Pages,
}

/// What each page depends on: endpoint, method, era, caller and offset, in one string.
#[derive(Debug, Default)]
pub(super) struct Pages(Mutex<HashMap<String, Arc<Filtered<String>>>>);

impl Pages {
    pub(super) fn get(&self, key: &str) -> Option<Arc<Filtered<String>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(key).cloned()
    }

    pub(super) fn put(&self, key: String, page: Arc<Filtered<String>>) {
        let mut pages = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if pages.len() >= PAGES {
            pages.clear();
        }
        pages.insert(key, page);
    }
}

/// What a set of rules is made of.
#[derive(Debug)]
pub struct Parts {
    /// Who may do what.
    pub policies: Policies,
    /// What may be in it.
    pub inspector: Arc<Inspector>,
    /// Who finds names in prose.
    pub recognizer: Option<Recognizer>,
    /// What a model must not be told, and a server not be asked.
    pub sanitizer: Arc<Sanitizer>,
    /// Where the values are that tokens stand for.
    pub vaulted: Option<Vaulted>,
    /// What is declared of each tool.
    pub checks: Checks,
    /// What exists.
    pub catalog: Catalog,
    /// How to reach it.
    pub upstreams: HashMap<String, Arc<Upstream>>,
    /// Entries on one page of a list.
    pub page_size: usize,
    /// Longest time for one call.
    pub call_timeout: Duration,
    /// Longest time that a question of a backend waits for its answer.
    pub question_timeout: Duration,
}

impl Rules {
    /// Joins the parts.
    pub fn new(generation: u64, parts: Parts) -> Self {
        let Parts {
            policies,
            inspector,
            recognizer,
            sanitizer,
            vaulted,
            checks,
            catalog,
            upstreams,
            page_size,
            call_timeout,
            question_timeout,
        } = parts;
        Self {
            generation,
            policies,
            inspector,
            recognizer,
            sanitizer,
            vaulted,
            checks,
            catalog,
            upstreams,
            page_size,
            call_timeout,
            question_timeout,
            pages: Pages::default(),
        }
    }
}
