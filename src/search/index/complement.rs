//! Negation: everything but what a query finds. The library's own way to exclude documents asks some of its scorers past
//! their end, and finds nothing where only negations stand; a set of bits has neither trouble.

use tantivy::query::{BitSetDocSet, ConstScorer, EnableScoring, Explanation, Query, Scorer, Weight};
use tantivy::{BitSet, DocId, DocSet, Score, SegmentReader, TERMINATED, TantivyError};

/// All documents but those of a query.
#[derive(Debug)]
pub(super) struct Complement(pub Box<dyn Query>);

impl Clone for Complement {
    fn clone(&self) -> Self {
        Self(self.0.box_clone())
    }
}

impl Query for Complement {
    fn weight(&self, scoring: EnableScoring<'_>) -> tantivy::Result<Box<dyn Weight>> {
        Ok(Box::new(ComplementWeight(self.0.weight(scoring)?)))
    }
}

struct ComplementWeight(Box<dyn Weight>);

impl Weight for ComplementWeight {
    fn scorer(&self, reader: &SegmentReader, boost: Score) -> tantivy::Result<Box<dyn Scorer>> {
        let mut rest = BitSet::with_max_value_and_full(reader.max_doc());
        let mut found = self.0.scorer(reader, 1.0)?;
        let mut doc = found.doc();
        while doc != TERMINATED {
            rest.remove(doc);
            doc = found.advance();
        }
        Ok(Box::new(ConstScorer::new(BitSetDocSet::from(rest), boost)))
    }

    fn explain(&self, _: &SegmentReader, doc: DocId) -> tantivy::Result<Explanation> {
        Err(TantivyError::InvalidArgument(format!("document {doc} has no score")))
    }
}
