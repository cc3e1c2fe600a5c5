//! What a record answers to: its fields, and what was said. Index and scan both ask this and nothing else.

use super::field::Field;
use super::query::Node;
use super::words::texts;
use serde_json::Value;

/// Longest value of a keyword, in bytes: a longer one is compared by its beginning.
const LONGEST: usize = 1024;

/// The beginning of a keyword that is kept and compared.
pub(super) fn cut(text: &str) -> &str {
    text.get(..text.floor_char_boundary(LONGEST)).unwrap_or(text)
}

/// A record as it is searched.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Doc {
    /// Sorted, without doubles.
    keywords: Vec<(Field, String)>,
    numbers: Vec<(Field, i64)>,
    said: Vec<String>,
}

impl Doc {
    /// Reads a record. Of a call's later records, which do not name them again, `first` is the record that says who
    /// called what; `payload` is what was said, if it is still kept.
    pub(super) fn of(record: &Value, first: Option<&Value>, payload: Option<&str>) -> Self {
        let mut doc = Self::default();
        let member = |name: &str| record.get(name).or_else(|| first.and_then(|first| first.get(name)));
        doc.common(record);
        doc.actor(member("actor"));
        doc.authz(member("authz"));
        doc.mcp(member("mcp"));
        doc.findings(record.get("redact"));
        doc.other(record);
        doc.said.extend(payload.map(texts).unwrap_or_default());
        doc.keywords.sort_unstable();
        doc.keywords.dedup();
        doc
    }

    fn common(&mut self, record: &Value) {
        self.words(Field::Kind, record.get("kind"));
        self.words(Field::Call, record.get("call"));
        self.number(Field::Seq, record.get("seq"));
        self.number(Field::Created, record.get("t"));
        self.number(Field::Epoch, record.get("epoch"));
        self.number(Field::Bytes, record.get("bytes"));
        self.number(Field::Latency, record.get("latency_us"));
        self.words(Field::Status, record.get("status"));
        if let Some(Value::String(trace)) = record.get("trace") {
            self.word(Field::Trace, trace);
            // W3C: version-traceid-parent-flags.
            if let Some(id) = trace.split('-').nth(1).filter(|id| id.len() == 32) {
                self.word(Field::Trace, id);
            }
        }
    }

    fn actor(&mut self, actor: Option<&Value>) {
        let Some(actor) = actor else { return };
        self.words(Field::Actor, actor.get("id"));
        self.words(Field::Agent, actor.get("agent"));
        self.words(Field::Credential, actor.get("credential"));
        self.words(Field::Role, actor.get("roles"));
        self.words(Field::Team, actor.get("teams"));
        self.words(Field::Tenant, actor.get("tenant"));
    }

    fn authz(&mut self, authz: Option<&Value>) {
        let Some(authz) = authz else { return };
        self.words(Field::Decision, authz.get("decision"));
        self.words(Field::Reason, authz.get("reason"));
        self.words(Field::Policy, authz.get("policies"));
        self.words(Field::PolicySet, authz.get("policy_set"));
        self.words(Field::Approver, authz.pointer("/approval/approvers"));
        if let Some(shadow) = authz.get("shadow") {
            for one in shadow.as_array().map_or(std::slice::from_ref(shadow), Vec::as_slice) {
                self.words(Field::Shadow, one.get("policy"));
            }
        }
        self.say(authz.get("justification"));
    }

    fn mcp(&mut self, mcp: Option<&Value>) {
        let Some(mcp) = mcp else { return };
        self.words(Field::Client, mcp.get("client"));
        self.words(Field::Method, mcp.get("method"));
        self.words(Field::Protocol, mcp.get("protocol"));
        self.words(Field::Server, mcp.get("server"));
        self.words(Field::Session, mcp.get("session"));
        self.words(Field::Source, mcp.get("source"));
        self.words(Field::Tool, mcp.get("name"));
        self.words(Field::Transport, mcp.get("transport"));
    }

    fn findings(&mut self, redact: Option<&Value>) {
        let Some(redact) = redact else { return };
        let number = |value: Option<&Value>| value.and_then(Value::as_i64);
        let mut count = number(redact.get("findings_omitted")).unwrap_or_default();
        for finding in redact.get("findings").and_then(Value::as_array).into_iter().flatten() {
            count = count.saturating_add(number(finding.get("count")).unwrap_or(1));
            self.words(Field::Finding, finding.get("type"));
            self.words(Field::Operator, finding.get("operator"));
            self.words(Field::Commitment, finding.get("commitment"));
        }
        self.numbers.push((Field::Redacted, count));
    }

    fn other(&mut self, record: &Value) {
        self.words(Field::Approver, record.get("approvers"));
        self.words(Field::Approver, record.pointer("/approval/approver"));
        self.words(Field::By, record.get("by"));
        self.words(Field::Hold, record.get("hold"));
        self.words(Field::Reason, record.get("reason"));
        self.words(Field::Server, record.get("server"));
        self.words(Field::Source, record.get("source"));
        self.words(Field::Tenant, record.get("tenant"));
        for definition in record.get("definitions").and_then(Value::as_array).into_iter().flatten() {
            self.words(Field::Server, definition.get("server"));
            self.words(Field::Tool, definition.get("tool"));
            self.words(Field::Reason, definition.get("reasons"));
        }
        self.say(record.get("reason"));
        self.say(record.pointer("/approval/note"));
        // Logs of earlier versions hold parameters as text.
        if let Some(Value::String(request)) = record.get("request") {
            self.said.extend(texts(request));
        }
    }

    fn words(&mut self, field: Field, value: Option<&Value>) {
        match value {
            Some(Value::String(text)) => self.word(field, text),
            Some(Value::Array(items)) => items.iter().for_each(|item| {
                if let Value::String(text) = item {
                    self.word(field, text);
                }
            }),
            _ => {}
        }
    }

    fn word(&mut self, field: Field, text: &str) {
        if !text.is_empty() {
            self.keywords.push((field, cut(text).to_owned()));
        }
    }

    fn number(&mut self, field: Field, value: Option<&Value>) {
        self.numbers.extend(value.and_then(Value::as_i64).map(|number| (field, number)));
    }

    fn say(&mut self, value: Option<&Value>) {
        if let Some(Value::String(text)) = value {
            self.said.push(text.clone());
        }
    }

    /// Its keywords, in the order of fields.
    pub(super) fn keywords(&self) -> &[(Field, String)] {
        &self.keywords
    }

    /// Its numbers.
    pub(super) fn numbers(&self) -> &[(Field, i64)] {
        &self.numbers
    }

    /// Its texts.
    pub(super) fn said(&self) -> &[String] {
        &self.said
    }

    /// The values of a keyword.
    pub(super) fn values(&self, field: Field) -> impl Iterator<Item = &str> {
        self.keywords.iter().filter(move |(of, _)| *of == field).map(|(_, value)| value.as_str())
    }

    /// The value of a number.
    pub(super) fn value(&self, field: Field) -> Option<i64> {
        self.numbers.iter().find(|(of, _)| *of == field).map(|(_, value)| *value)
    }

    /// Whether it is what a query asks for.
    pub(super) fn answers(&self, node: &Node) -> bool {
        match node {
            Node::All(nodes) => nodes.iter().all(|node| self.answers(node)),
            Node::Any(nodes) => nodes.iter().any(|node| self.answers(node)),
            Node::Not(node) => !self.answers(node),
            Node::Is(field, test) if field.values().is_numeric() => {
                self.value(*field).is_some_and(|value| test.takes_number(value))
            }
            Node::Is(field, test) => self.values(*field).any(|value| test.takes(value)),
            Node::Said(said) => self.said.iter().any(|text| said.is_in(text)),
        }
    }
}
