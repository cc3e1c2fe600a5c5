//! Taking words out of the index when their texts are erased. Deleting is not enough: the words stay in the files until
//! the segments are merged and the old files are gone.

use super::super::Error;
use super::super::field::Field;
use super::super::gathered::{Order, Wanted};
use super::super::query::{Node, Test};
use super::super::source::{Found, Source, Texts};
use super::compile::{compile, has};
use super::feed::Feed;
use super::gather::Gather;
use super::schema::PAYLOAD;
use crate::audit::{Payload, Selector};
use serde_json::Value;
use std::time::{Duration, Instant};
use tantivy::indexer::NoMergePolicy;
use tantivy::query::{BooleanQuery, Occur, Query};

/// How long payloads may take to go after their erasure is recorded: the record comes first.
const PATIENCE: Duration = Duration::from_secs(10);
/// Records whose words are taken out at once.
const AT_ONCE: usize = 10_000;

/// What an erasure selects.
enum Selected {
    /// These: their texts are gone.
    All(Node),
    /// Some of these: each is asked.
    Some(Node),
}

impl Feed {
    /// Takes out the words of all erasures that are in the log.
    pub(super) fn purge(&mut self) -> Result<(), Error> {
        while let Some(seq) = self.mark.purges.first().copied() {
            let erasure = self.source.one(seq, Texts::Without)?;
            if let Some(selected) = self.selected(&erasure)? {
                self.take_out(seq, &selected)?;
            }
            // Committed with the erasure still marked: a crash before the merge is done has it done again.
            self.commit()?;
            self.merge()?;
            self.mark.purges.retain(|other| *other != seq);
            self.commit()?;
        }
        Ok(())
    }

    /// Which records an erasure is about; `None` if there are none.
    fn selected(&mut self, erasure: &Found) -> Result<Option<Selected>, Error> {
        let Some(selector) = erasure.value.get("selector") else { return Ok(None) };
        if let Some(expired) = selector.get("expired") {
            let bound = |name: &str| expired.get(name).and_then(Value::as_u64).unwrap_or_default();
            let (first, last) = (bound("first"), bound("last"));
            until_gone(&mut self.source, first)?;
            until_gone(&mut self.source, last)?;
            let signed = |seq: u64| i64::try_from(seq).ok();
            let within = Test::Within { from: signed(first), to: signed(last + 1) };
            return Ok(Some(Selected::Some(Node::Is(Field::Seq, within))));
        }
        let is = |field, value: &str| Node::Is(field, Test::Equals(value.to_owned()));
        Ok(match serde_json::from_value(selector.clone()) {
            Ok(Selector::Subject(subject)) => Some(Selected::All(is(Field::Actor, &subject))),
            Ok(Selector::Calls(calls)) => Some(Selected::All(Node::any(
                calls.iter().map(|call| is(Field::Call, &call.to_string())).collect(),
            ))),
            Ok(Selector::Commitment(commitment)) => {
                let holders = self.seqs(&is(Field::Commitment, &commitment), u64::MAX)?;
                let mut calls = Vec::new();
                for seq in holders {
                    let holder = self.source.one(seq, Texts::Without)?;
                    calls.extend(holder.doc.values(Field::Call).map(|call| is(Field::Call, call)));
                }
                Some(Selected::All(Node::any(calls)))
            }
            // Not one of ours: everything before it is asked.
            Err(_) => Some(Selected::Some(Node::All(Vec::new()))),
        })
    }

    /// Writes the selected records anew, without the texts that are gone.
    fn take_out(&mut self, before: u64, selected: &Selected) -> Result<(), Error> {
        let (node, all) = match selected {
            Selected::All(node) => (node, true),
            Selected::Some(node) => (node, false),
        };
        let before_it = Node::Is(Field::Seq, Test::Within { from: None, to: i64::try_from(before).ok() });
        let node = Node::all(vec![node.clone(), before_it]);
        let seqs = self.seqs(&node, before)?;
        let query = self.with_payload(&node);
        self.writer()?.delete_query(query)?;
        for seq in seqs {
            let found = self.source.one(seq, if all { Texts::Without } else { Texts::With })?;
            self.add(&found, matches!(found.payload, Some(Payload::Text(_))))?;
        }
        Ok(())
    }

    fn with_payload(&self, node: &Node) -> Box<dyn Query> {
        let clauses =
            vec![(Occur::Must, compile(&self.columns, node)), (Occur::Must, has(&self.columns, PAYLOAD))];
        Box::new(BooleanQuery::new(clauses))
    }

    /// Numbers of the selected records whose payloads were taken in.
    fn seqs(&mut self, node: &Node, before: u64) -> Result<Vec<u64>, Error> {
        let reader = self.writer()?.index().reader()?;
        let searcher = reader.searcher();
        let query = self.with_payload(node);
        let (mut seqs, mut after) = (Vec::new(), None);
        loop {
            let wanted = Wanted {
                node,
                snapshot: before,
                order: Order::Oldest,
                before: None,
                after,
                limit: AT_ONCE,
                counts: &[],
            };
            let found = searcher.search(&*query, &Gather::new(&wanted))?.seqs;
            let Some(last) = found.last() else { return Ok(seqs) };
            after = Some(*last);
            seqs.extend(found);
        }
    }

    /// Makes one segment of all, and takes the files of the others away.
    fn merge(&mut self) -> Result<(), Error> {
        let metas = self.writer()?.index().searchable_segment_metas()?;
        if metas.iter().all(|meta| !meta.has_deletes()) {
            return Ok(());
        }
        // A merge that is under way would keep its segments out of ours.
        if let Some(writer) = self.writer.take() {
            writer.wait_merging_threads()?;
        }
        self.reopen()?;
        let writer = self.writer()?;
        writer.set_merge_policy(Box::new(NoMergePolicy));
        let segments = writer.index().searchable_segment_ids()?;
        if !segments.is_empty() {
            writer.merge(&segments).wait()?;
        }
        writer.garbage_collect_files().wait()?;
        writer.set_merge_policy(Box::<tantivy::indexer::LogMergePolicy>::default());
        Ok(())
    }
}

/// Waits until the payload of a record is gone.
fn until_gone(source: &mut Source, seq: u64) -> Result<(), Error> {
    let begun = Instant::now();
    loop {
        match source.one(seq, Texts::With) {
            Ok(found) if matches!(found.payload, Some(Payload::Text(_))) => {}
            // Only a record without a payload is taken out of the store.
            Ok(_) | Err(Error::Log(crate::audit::Error::Archived(_))) => return Ok(()),
            Err(other) => return Err(other),
        }
        if begun.elapsed() > PATIENCE {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}
