//! The form of the index: for each field what it can be asked; nothing is stored but numbers that point into the log.

use super::super::doc::Doc;
use super::super::field::Field;
use super::super::words::Words;
use std::collections::BTreeMap;
use tantivy::TantivyDocument;
use tantivy::schema::{FAST, IndexRecordOption, NumericOptions, Schema, TextFieldIndexing, TextOptions};
use tantivy::tokenizer::{Token, TokenStream, Tokenizer};

/// The name of our tokenizer.
pub(super) const WORDS: &str = "words";
/// In `has` of records whose payload was indexed.
pub(super) const PAYLOAD: &str = "(payload)";

/// The columns of the index.
#[derive(Debug, Clone)]
pub(super) struct Columns {
    pub schema: Schema,
    fields: BTreeMap<Field, tantivy::schema::Field>,
    pub said: tantivy::schema::Field,
    /// Names of the fields that a record has.
    pub has: tantivy::schema::Field,
}

impl Columns {
    pub(super) fn new() -> Self {
        let mut schema = Schema::builder();
        let whole = |option| {
            TextFieldIndexing::default().set_tokenizer("raw").set_fieldnorms(false).set_index_option(option)
        };
        let keyword = TextOptions::default().set_indexing_options(whole(IndexRecordOption::Basic));
        let facet = keyword.clone().set_fast("raw");
        let words = TextFieldIndexing::default()
            .set_tokenizer(WORDS)
            .set_fieldnorms(false)
            .set_index_option(IndexRecordOption::WithFreqsAndPositions);
        let mut fields = BTreeMap::new();
        for field in Field::ALL {
            let column = if field.values().is_numeric() {
                schema.add_i64_field(field.name(), NumericOptions::from(FAST))
            } else {
                schema.add_text_field(
                    field.name(),
                    if field.is_facet() { facet.clone() } else { keyword.clone() },
                )
            };
            fields.insert(*field, column);
        }
        let has = schema.add_text_field("(has)", keyword);
        let said = schema.add_text_field("(said)", TextOptions::default().set_indexing_options(words));
        Self { schema: schema.build(), fields, said, has }
    }

    /// The column of a field.
    pub(super) fn of(&self, field: Field) -> tantivy::schema::Field {
        // Every field has one: they were all added above.
        self.fields.get(&field).copied().unwrap_or(self.has)
    }

    /// A record as the index takes it.
    pub(super) fn document(&self, doc: &Doc, with_payload: bool) -> TantivyDocument {
        let mut document = TantivyDocument::new();
        let mut last = None;
        for (field, value) in doc.keywords() {
            document.add_text(self.of(*field), value);
            if last != Some(*field) {
                document.add_text(self.has, field.name());
                last = Some(*field);
            }
        }
        for (field, value) in doc.numbers() {
            document.add_i64(self.of(*field), *value);
            document.add_text(self.has, field.name());
        }
        for text in doc.said() {
            document.add_text(self.said, text);
        }
        if with_payload {
            document.add_text(self.has, PAYLOAD);
        }
        document
    }
}

/// Cuts texts as [`Words`] does.
#[derive(Debug, Clone, Default)]
pub(super) struct WordTokenizer {
    token: Token,
}

/// The words of one text.
pub(super) struct WordStream<'t> {
    words: Words<'t>,
    token: &'t mut Token,
}

impl Tokenizer for WordTokenizer {
    type TokenStream<'t> = WordStream<'t>;

    fn token_stream<'t>(&'t mut self, text: &'t str) -> WordStream<'t> {
        self.token.reset();
        WordStream { words: Words::of(text), token: &mut self.token }
    }
}

impl TokenStream for WordStream<'_> {
    fn advance(&mut self) -> bool {
        let Some(at) = self.words.next_into(&mut self.token.text) else { return false };
        self.token.position = self.token.position.wrapping_add(1);
        (self.token.offset_from, self.token.offset_to) = (at.start, at.end);
        true
    }

    fn token(&self) -> &Token {
        self.token
    }

    fn token_mut(&mut self) -> &mut Token {
        self.token
    }
}
