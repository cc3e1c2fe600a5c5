//! Search equals truth: by the index, without it, and as a model of the records says.

mod cli;
mod corpus;
mod equals;
mod erasure;
mod export;
mod forgery;
mod language;
mod report;
mod sightings;

use corpus::{Corpus, Said};
use sealgate::clock::Clock;
use sealgate::search::{Answer, Error, Mode, Request, Scope, Searcher, catch_up};
use std::path::Path;

const NOV_2026: i64 = 1_795_000_000_000_000;

fn searcher(folder: &Path) -> Searcher {
    Searcher::open(folder, Clock::held_at(NOV_2026 + 86_400_000_000)).unwrap()
}

fn ask(q: &str) -> Request {
    Request { q: q.to_owned(), limit: Some(500), ..Request::default() }
}

fn seqs(answer: &Answer) -> Vec<u64> {
    answer.hits.iter().map(|hit| hit.seq).collect()
}

/// The numbers of the records that a query finds, by the index and by a scan, which must be the same.
fn found(searcher: &Searcher, q: &str) -> Vec<u64> {
    let by_index = searcher.search(&ask(q), &Scope::default()).unwrap();
    let by_scan = searcher.search(&Request { mode: Mode::Scan, ..ask(q) }, &Scope::default()).unwrap();
    assert_eq!(seqs(&by_index), seqs(&by_scan), "{q}");
    assert_eq!(by_index.total, by_scan.total, "{q}");
    seqs(&by_index)
}

fn refused(searcher: &Searcher, request: &Request) -> Error {
    searcher.search(request, &Scope::default()).unwrap_err()
}

/// A log of a few calls that are easily told apart, indexed.
fn small() -> Corpus {
    let mut corpus = Corpus::new();
    corpus.call(&Said::new("alice", "crm", "crm_find", "please DROP table customers").taking(2_500_000));
    corpus.call(&Said::new("bob", "mail", "mail_send", "hello table").with("EMAIL", "aa11"));
    corpus.denied(&Said::new("mallory", "crm", "crm_delete", "drop the table"));
    corpus.close();
    catch_up(corpus.path(), None, &mut |_, _| {}).unwrap().unwrap();
    corpus
}
