//! A tree of ours as a query of the index, built by hand: the parser of the library answers some negations with
//! nothing.

use super::super::field::Field;
use super::super::query::{Node, Said, Test};
use super::complement::Complement;
use super::like::LikeQuery;
use super::schema::Columns;
use std::ops::Bound;
use tantivy::Term;
use tantivy::query::{AllQuery, BooleanQuery, EmptyQuery, Occur, PhraseQuery, Query, RangeQuery, TermQuery};
use tantivy::schema::IndexRecordOption;

/// The query for a node.
pub(super) fn compile(columns: &Columns, node: &Node) -> Box<dyn Query> {
    match node {
        Node::All(nodes) if nodes.is_empty() => Box::new(AllQuery),
        Node::All(nodes) => clauses(columns, nodes, Occur::Must),
        Node::Any(nodes) if nodes.is_empty() => Box::new(EmptyQuery),
        Node::Any(nodes) => clauses(columns, nodes, Occur::Should),
        Node::Not(node) => Box::new(Complement(compile(columns, node))),
        Node::Is(field, test) => is(columns, *field, test),
        Node::Said(Said::Phrase(words)) => phrase(columns, words),
        Node::Said(Said::Prefix(prefix)) => {
            Box::new(LikeQuery { field: columns.said, form: format!("{prefix}*") })
        }
    }
}

fn clauses(columns: &Columns, nodes: &[Node], occur: Occur) -> Box<dyn Query> {
    Box::new(BooleanQuery::new(nodes.iter().map(|node| (occur, compile(columns, node))).collect()))
}

fn is(columns: &Columns, field: Field, test: &Test) -> Box<dyn Query> {
    let column = columns.of(field);
    match test {
        Test::Exists | Test::Within { from: None, to: None } => has(columns, field.name()),
        Test::Equals(_) | Test::Like(_) if field.values().is_numeric() => Box::new(EmptyQuery),
        Test::Equals(value) => {
            let term = Term::from_field_text(column, value);
            Box::new(TermQuery::new(term, IndexRecordOption::Basic))
        }
        Test::Like(form) => Box::new(LikeQuery { field: column, form: form.clone() }),
        Test::Within { .. } if !field.values().is_numeric() => Box::new(EmptyQuery),
        Test::Within { from: Some(from), to: Some(to) } if from >= to => Box::new(EmptyQuery),
        Test::Within { from, to } => {
            let term = |value: i64| Term::from_field_i64(column, value);
            let low = from.map_or(Bound::Unbounded, |from| Bound::Included(term(from)));
            let high = to.map_or(Bound::Unbounded, |to| Bound::Excluded(term(to)));
            Box::new(RangeQuery::new(low, high))
        }
    }
}

/// Records that have a field.
pub(super) fn has(columns: &Columns, name: &str) -> Box<dyn Query> {
    Box::new(TermQuery::new(Term::from_field_text(columns.has, name), IndexRecordOption::Basic))
}

fn phrase(columns: &Columns, words: &[String]) -> Box<dyn Query> {
    let terms: Vec<Term> = words.iter().map(|word| Term::from_field_text(columns.said, word)).collect();
    match <[Term; 1]>::try_from(terms) {
        Ok([term]) => Box::new(TermQuery::new(term, IndexRecordOption::Basic)),
        Err(terms) if terms.is_empty() => Box::new(EmptyQuery),
        Err(terms) => Box::new(PhraseQuery::new(terms)),
    }
}
