//! What is erased is in no file of the index any more.

use super::corpus::{Corpus, Said};
use super::{found, searcher};
use sealgate::audit::{Erasure, Order, Selector};
use sealgate::search::{catch_up, rebuild};

fn erase(corpus: &Corpus, selector: Selector) {
    let approvers = vec!["anna".to_owned(), "ben".to_owned()];
    corpus.perform(Order::Erase(Erasure { selector, approvers, reason: "asked for".into() }));
}

#[test]
fn words_of_erased_texts_are_in_no_file_of_the_index() {
    let mut corpus = Corpus::new();
    corpus.call(&Said::new("alice", "crm", "find", "rosalindcanary one"));
    corpus.call(&Said::new("bob", "crm", "find", "bertramcanary two").with("EMAIL", "aa11"));
    let third = corpus.call(&Said::new("carol", "crm", "find", "celiacanary three"));
    let kept = corpus.call(&Said::new("dora", "crm", "find", "dorotheacanary four"));
    catch_up(corpus.path(), None, &mut |_, _| {}).unwrap();
    let words = ["rosalindcanary", "bertramcanary", "celiacanary", "dorotheacanary"];
    assert!(words.iter().all(|word| corpus.index_holds(word)), "what is kept can be found");
    assert_eq!(found(&searcher(corpus.path()), "rosalindcanary").len(), 1);

    let call = corpus.facts.iter().find(|fact| fact.seq == third.0).unwrap();
    let call = call.words.iter().find(|(field, _)| *field == "call").unwrap().1.parse().unwrap();
    for (n, selector) in
        [Selector::Subject("alice".into()), Selector::Commitment("aa11".into()), Selector::Calls(vec![call])]
            .into_iter()
            .enumerate()
    {
        erase(&corpus, selector);
        catch_up(corpus.path(), None, &mut |_, _| {}).unwrap();
        for (at, word) in words.iter().enumerate() {
            assert_eq!(corpus.index_holds(word), at > n, "{word} after erasure {n}");
        }
    }
    let searcher = searcher(corpus.path());
    for word in &words[..3] {
        assert!(found(&searcher, word).is_empty());
    }
    assert_eq!(found(&searcher, "dorotheacanary"), [kept.0]);
    assert_eq!(found(&searcher, "actor:alice").len(), 2, "the records are still found");
    assert_eq!(found(&searcher, "kind:erase \"asked for\"").len(), 3);
    // A subject may speak again.
    corpus.call(&Said::new("alice", "crm", "find", "phoebecanary five"));
    catch_up(corpus.path(), None, &mut |_, _| {}).unwrap();
    assert_eq!(found(&searcher, "phoebecanary").len(), 1);
    corpus.close();
    rebuild(corpus.path(), None, &mut |_, _| {}).unwrap();
    assert!(words[..3].iter().all(|word| !corpus.index_holds(word)), "nor in one that is made anew");
    assert_eq!(found(&searcher, "phoebecanary OR dorotheacanary").len(), 2);
}

#[test]
fn an_erasure_that_the_index_was_behind_of_leaves_nothing() {
    let mut corpus = Corpus::new();
    corpus.call(&Said::new("alice", "crm", "find", "rosalindcanary"));
    erase(&corpus, Selector::Subject("alice".into()));
    corpus.close();
    catch_up(corpus.path(), None, &mut |_, _| {}).unwrap();
    assert!(!corpus.index_holds("rosalindcanary"));
    assert!(found(&searcher(corpus.path()), "rosalindcanary").is_empty());
}
