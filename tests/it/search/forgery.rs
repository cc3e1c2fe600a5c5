//! Nothing that the index, a cursor or a changed log says is believed.

use super::corpus::{Corpus, Said};
use super::{Error, Mode, Request, Scope, ask, found, refused, searcher, seqs, small};
use sealgate::clock::Clock;
use sealgate::search::{Config, Consistency, Indexer, Searcher, catch_up, rebuild};
use std::path::Path;

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

#[test]
fn pages_stay_the_same_while_the_log_grows() {
    let mut corpus = Corpus::new();
    for n in 0..5 {
        corpus.denied(&Said::new("alice", "crm", &format!("t{n}"), "hello"));
    }
    catch_up(corpus.path(), None, &mut |_, _| {}).unwrap();
    let searcher = searcher(corpus.path());
    let first = Request { limit: Some(2), ..ask("actor:alice") };
    let page = searcher.search(&first, &Scope::default()).unwrap();
    assert_eq!((page.hits.len(), page.total.value), (2, 5));
    for n in 5..9 {
        corpus.denied(&Said::new("alice", "crm", &format!("t{n}"), "hello"));
    }
    catch_up(corpus.path(), None, &mut |_, _| {}).unwrap();
    let (mut all, mut next) = (seqs(&page), page.next);
    while let Some(cursor) = next {
        let page =
            searcher.search(&Request { cursor: Some(cursor), ..first.clone() }, &Scope::default()).unwrap();
        assert_eq!(page.total.value, 5);
        all.extend(seqs(&page));
        next = page.next;
    }
    let truth: Vec<u64> = corpus.facts[..5].iter().rev().map(|fact| fact.seq).collect();
    assert_eq!(all, truth);
    assert_eq!(found(&searcher, "actor:alice").len(), 9);
    corpus.close();
}

#[test]
fn whoever_follows_misses_nothing_and_sees_nothing_twice() {
    let mut corpus = Corpus::new();
    corpus.denied(&Said::new("alice", "crm", "old", "x"));
    catch_up(corpus.path(), None, &mut |_, _| {}).unwrap();
    let searcher = searcher(corpus.path());
    let follow = Request { follow: true, limit: Some(2), ..ask("actor:alice") };
    let mut page = searcher.search(&follow, &Scope::default()).unwrap();
    assert!(page.hits.is_empty(), "it begins at the end");
    let (mut seen, mut written) = (Vec::new(), Vec::new());
    for round in 0..4 {
        for n in 0..round {
            written.push(corpus.denied(&Said::new("alice", "crm", &format!("t{n}"), "x")));
            corpus.denied(&Said::new("bob", "crm", "other", "x"));
        }
        catch_up(corpus.path(), None, &mut |_, _| {}).unwrap();
        loop {
            let asked = Request { cursor: page.next.clone(), ..follow.clone() };
            page = searcher.search(&asked, &Scope::default()).unwrap();
            assert!(page.next.is_some());
            if page.hits.is_empty() {
                break;
            }
            seen.extend(seqs(&page));
        }
    }
    assert_eq!(seen, written);
    corpus.close();
}

#[test]
fn a_cursor_is_good_for_its_reader_and_query_only() {
    let corpus = small();
    let searcher = searcher(corpus.path());
    let alice = Scope { reader: "alice".into(), ..Scope::default() };
    let first = Request { limit: Some(1), ..ask("kind:call.*") };
    let cursor = searcher.search(&first, &alice).unwrap().next.unwrap();
    let again = Request { cursor: Some(cursor.clone()), ..first.clone() };
    assert!(searcher.search(&again, &alice).is_ok());
    let somebody = Scope { reader: "bob".into(), ..Scope::default() };
    let narrowed = Scope { tenants: Some(vec!["acme".into()]), ..alice.clone() };
    for scope in [somebody, narrowed] {
        assert!(matches!(searcher.search(&again, &scope), Err(Error::Cursor)));
    }
    let other = Request { q: "kind:call.denied".into(), ..again.clone() };
    assert!(matches!(searcher.search(&other, &alice), Err(Error::Cursor)));
    let turned = Request { follow: true, ..again.clone() };
    assert!(matches!(searcher.search(&turned, &alice), Err(Error::Cursor)));
    // Any other character anywhere, and any length.
    for at in 0..cursor.len() {
        let mut bytes = cursor.clone().into_bytes();
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        let forged = Request { cursor: Some(String::from_utf8(bytes).unwrap()), ..first.clone() };
        assert!(matches!(searcher.search(&forged, &alice), Err(Error::Cursor)), "{at}");
        let short = Request { cursor: Some(cursor[..at].to_owned()), ..first.clone() };
        assert!(matches!(searcher.search(&short, &alice), Err(Error::Cursor)), "{at}");
    }
}

#[test]
fn a_record_that_was_changed_is_an_error_and_never_shown() {
    let corpus = small();
    let path = corpus.path();
    let intent = corpus.facts[0].seq;
    let store = rusqlite::Connection::open(path.join("audit.db")).unwrap();
    store.execute_batch("DROP TRIGGER entry_no_update").unwrap();
    let change = |sql: &str| store.execute(sql, [intent]).unwrap();
    let altered = |seq: u64, q: &str| {
        let searcher = searcher(path);
        for mode in [Mode::Index, Mode::Scan] {
            let error = refused(&searcher, &Request { mode, ..ask(q) });
            let wanted = format!("record {seq} is not what the log's hashes say");
            assert!(error.to_string().starts_with(&wanted), "{mode:?}: {error}");
            assert!(!error.is_askers());
        }
    };
    // One byte of the record.
    change(
        "UPDATE entry SET rec = CAST(replace(CAST(rec AS TEXT), 'alice', 'alixe') AS BLOB) WHERE seq = ?1",
    );
    altered(intent, "actor:alice kind:call.intent");
    change(
        "UPDATE entry SET rec = CAST(replace(CAST(rec AS TEXT), 'alixe', 'alice') AS BLOB) WHERE seq = ?1",
    );
    assert_eq!(found(&searcher(path), "actor:alice").len(), 2);
    // The stored hash.
    change("UPDATE entry SET leaf = zeroblob(32) WHERE seq = ?1");
    altered(intent, "actor:alice kind:call.intent");
    // The record and its hash: the next record is not linked to it.
    let record: Vec<u8> =
        store.query_row("SELECT rec FROM entry WHERE seq = ?1", [intent], |row| row.get(0)).unwrap();
    let forged = String::from_utf8(record).unwrap().replace("alice", "bobby");
    let leaf = sealgate::audit::leaf(forged.as_bytes());
    let update = "UPDATE entry SET rec = ?2, leaf = ?3 WHERE seq = ?1";
    store.execute(update, rusqlite::params![intent, forged.as_bytes(), leaf.as_slice()]).unwrap();
    altered(intent, "actor:alice kind:call.intent");
}

#[test]
fn an_index_of_another_log_is_not_believed_and_is_made_anew() {
    let ours = small();
    let mut other = Corpus::new();
    for n in 0..9 {
        other.denied(&Said::new("zoe", "crm", &format!("t{n}"), "x"));
    }
    other.close();
    catch_up(other.path(), None, &mut |_, _| {}).unwrap();
    std::fs::remove_dir_all(ours.path().join("search")).unwrap();
    copy(&other.path().join("search"), &ours.path().join("search"));
    let ask_zoe = ask("actor:zoe");
    let error = refused(&searcher(ours.path()), &ask_zoe);
    assert!(matches!(error, Error::Forged(_) | Error::Log(_)), "{error}");
    assert!(!error.is_askers());
    let caught = catch_up(ours.path(), None, &mut |_, _| {}).unwrap().unwrap();
    assert!(caught.rebuilt);
    assert!(found(&searcher(ours.path()), "actor:zoe").is_empty());
    assert_eq!(found(&searcher(ours.path()), "actor:alice").len(), 2);
}

#[test]
fn a_damaged_index_is_an_error_and_a_rebuild_mends_it() {
    let corpus = small();
    let before = found(&searcher(corpus.path()), "kind:call.*");
    std::fs::write(corpus.path().join("search/meta.json"), "{").unwrap();
    let error = refused(&searcher(corpus.path()), &ask(""));
    assert!(matches!(error, Error::Index(_)), "{error}");
    let scanned = Request { mode: Mode::Scan, ..ask("kind:call.*") };
    assert_eq!(seqs(&searcher(corpus.path()).search(&scanned, &Scope::default()).unwrap()), before);
    let mut steps = Vec::new();
    let caught = rebuild(corpus.path(), None, &mut |done, all| steps.push((done, all))).unwrap().unwrap();
    assert_eq!(steps.last(), Some(&(caught.indexed, caught.indexed)));
    assert_eq!(found(&searcher(corpus.path()), "kind:call.*"), before);
    std::fs::remove_dir_all(corpus.path().join("search")).unwrap();
    assert!(matches!(refused(&searcher(corpus.path()), &ask("")), Error::Missing));
}

#[test]
fn the_index_says_how_far_it_is_behind_and_an_answer_can_wait_for_it() {
    let mut corpus = small();
    corpus.open();
    let last = corpus.denied(&Said::new("late", "crm", "t", "x"));
    let searcher = Searcher::open(corpus.path(), corpus.clock.clone()).unwrap();
    corpus.clock.advance_us(5_000_000);
    let answer = searcher.search(&ask("actor:late"), &Scope::default()).unwrap();
    assert!(answer.hits.is_empty());
    assert!(answer.lag.log_head >= Some(last));
    assert!(answer.lag.records >= 1 && answer.lag.ms >= 5000, "{:?}", answer.lag);
    let folder = corpus.path().to_owned();
    let indexer = Indexer::start(&folder, Config::default()).unwrap();
    for consistency in [Consistency::Wait, Consistency::WaitFor(last)] {
        let waited =
            searcher.search(&Request { consistency, ..ask("actor:late") }, &Scope::default()).unwrap();
        assert_eq!(seqs(&waited), [last]);
        assert!(waited.lag.indexed_through >= Some(last));
    }
    assert!(matches!(catch_up(&folder, None, &mut |_, _| {}), Ok(None)), "one writer at a time");
    // Asked to, the one that writes it makes it anew.
    assert!(rebuild(&folder, None, &mut |_, _| {}).unwrap().is_none());
    let wish = folder.join("search.rebuild");
    let begun = std::time::Instant::now();
    while wish.exists() || searcher.status().map_or(true, |status| status.lag.records > 0) {
        assert!(begun.elapsed() < std::time::Duration::from_secs(30), "nobody makes it anew");
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    assert_eq!(found(&searcher, "actor:late"), [last]);
    corpus.close();
    indexer.stop();
    let behind = Searcher::open(&folder, Clock::system()).unwrap().status().unwrap();
    assert_eq!(behind.lag.records, 0, "stopping takes in what is left");
}
