//! Where a value was seen: by the index and by reading the whole log the same, also right after a call.

use super::{searcher, small};
use crate::search::corpus::{Corpus, Said};
use sealgate::search::{Config, Indexer, Mode, Scope, Searcher, Sightings, catch_up, discard};

/// The sightings of a commitment as both ways find them, which must be the same.
fn seen(searcher: &Searcher, commitment: &str) -> Sightings {
    let commitments = ["none at all".to_owned(), commitment.to_owned()];
    let by = |mode| searcher.seen(&commitments, &Scope::default(), mode).unwrap();
    let (by_index, by_scan) = (by(Mode::Index), by(Mode::Scan));
    assert_eq!((by_index.mode, by_scan.mode), (Mode::Index, Mode::Scan), "{commitment}");
    assert_eq!(Sightings { mode: Mode::Scan, ..by_index.clone() }, by_scan, "{commitment}");
    by_index
}

#[test]
fn by_the_index_as_much_is_seen_as_in_the_whole_log() {
    let mut corpus = Corpus::new();
    for n in 0..30 {
        let said = Said::new(&format!("user-{}", n % 3), "mail", &format!("send_{n}"), "hello");
        let said = if n % 2 == 0 { said.with("EMAIL", "aa11") } else { said };
        corpus.call(&if n % 5 == 0 { said.with("PHONE", "bb22") } else { said });
    }
    corpus.close();
    catch_up(corpus.path(), None, &mut |_, _| {}).unwrap().unwrap();
    let searcher = searcher(corpus.path());
    let all = seen(&searcher, "aa11");
    assert!(all.found >= 15 && all.archived == 0, "{all:?}");
    assert_eq!(all.commitments.iter().collect::<Vec<_>>(), ["aa11"]);
    assert_eq!(all.found, all.sightings.len() as u64);
    assert!(all.sightings.is_sorted_by_key(|one| one.seq));
    // Every sighting has its tool and caller, also where only the first record of its call names them.
    for one in &all.sightings {
        let n: usize = one.name.as_deref().unwrap().strip_prefix("send_").unwrap().parse().unwrap();
        assert_eq!((n % 2, one.found.as_str(), one.commitment.as_str()), (0, "EMAIL", "aa11"));
        assert_eq!(one.actor, Some(format!("user-{}", n % 3)));
        assert_eq!(one.server.as_deref(), Some("mail"));
    }
    assert!(seen(&searcher, "bb22").found >= 6);
    assert_eq!(seen(&searcher, "cc33").found, 0);
    let nobody = Scope { tenants: Some(vec!["globex".to_owned()]), ..Scope::default() };
    assert_eq!(searcher.seen(&["aa11".to_owned()], &nobody, Mode::Index).unwrap().found, 0);
}

#[test]
fn what_was_recorded_a_moment_ago_is_seen_too() {
    let mut corpus = Corpus::new();
    let indexer = Indexer::start(corpus.path(), Config::default()).unwrap();
    corpus.call(&Said::new("alice", "mail", "mail_send", "hello"));
    let searcher = searcher(corpus.path());
    searcher.snapshot(Mode::Index, sealgate::search::Consistency::Wait).unwrap();
    for n in 1..=3 {
        corpus.call(&Said::new("alice", "mail", "mail_send", "hello").with("EMAIL", "aa11"));
        let calls: std::collections::BTreeSet<_> =
            seen(&searcher, "aa11").sightings.into_iter().filter_map(|one| one.call).collect();
        assert_eq!(calls.len(), n);
    }
    indexer.stop();
    corpus.close();
}

#[test]
fn without_an_index_the_whole_log_is_read() {
    let corpus = small();
    let searcher = searcher(corpus.path());
    let by_index = seen(&searcher, "aa11");
    assert!(by_index.found > 0);
    discard(corpus.path()).unwrap();
    let without = searcher.seen(&["aa11".to_owned()], &Scope::default(), Mode::Index).unwrap();
    assert_eq!(without, Sightings { mode: Mode::Scan, ..by_index });
}
