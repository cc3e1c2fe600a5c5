//! Values of a form: the dictionary of a column is walked, and each value asked as a scan would ask it. The regular
//! expressions of the library have a bound on their states that a long value passes.

use super::super::query::like;
use tantivy::query::{BitSetDocSet, ConstScorer, EnableScoring, Explanation, Query, Scorer, Weight};
use tantivy::schema::{Field, IndexRecordOption};
use tantivy::{BitSet, DocId, DocSet as _, Score, SegmentReader, TERMINATED, TantivyError};

/// Documents with a value of a form: `*` stands for anything.
#[derive(Debug, Clone)]
pub(super) struct LikeQuery {
    pub field: Field,
    pub form: String,
}

impl Query for LikeQuery {
    fn weight(&self, _: EnableScoring<'_>) -> tantivy::Result<Box<dyn Weight>> {
        Ok(Box::new(LikeWeight(self.clone())))
    }
}

struct LikeWeight(LikeQuery);

impl Weight for LikeWeight {
    fn scorer(&self, reader: &SegmentReader, boost: Score) -> tantivy::Result<Box<dyn Scorer>> {
        let LikeQuery { field, form } = &self.0;
        let mut found = BitSet::with_max_value(reader.max_doc());
        let column = reader.inverted_index(*field)?;
        // All that begins as the form does stands together.
        let begin = form.split('*').next().unwrap_or_default().as_bytes();
        let mut values = column.terms().range().ge(begin).into_stream()?;
        while values.advance() {
            if !values.key().starts_with(begin) {
                break;
            }
            if !std::str::from_utf8(values.key()).is_ok_and(|value| like(form, value)) {
                continue;
            }
            let mut docs = column.read_postings_from_terminfo(values.value(), IndexRecordOption::Basic)?;
            while docs.doc() != TERMINATED {
                found.insert(docs.doc());
                docs.advance();
            }
        }
        Ok(Box::new(ConstScorer::new(BitSetDocSet::from(found), boost)))
    }

    fn explain(&self, _: &SegmentReader, doc: DocId) -> tantivy::Result<Explanation> {
        Err(TantivyError::InvalidArgument(format!("document {doc} has no score")))
    }
}
