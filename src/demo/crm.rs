//! The `crm` profile: made-up customers whose personal data stands in fields, in notes and in nested JSON.

use indexmap::IndexMap;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::card::Answer;
use super::protocol::Fault;
use super::service::{Target, arguments, prompt_arguments, user_says};

const CUSTOMERS: &str = include_str!("customers.json");
const TONES: [&str; 4] = ["apologetic", "brief", "formal", "friendly"];
const EXPORT_URI: &str = "crm://exports/latest";
const CUSTOMER_TEMPLATE: &str = "crm://customers/{id}";
const SEARCH_LIMIT: usize = 10;

/// The customers, and the last export if there was one.
pub(super) struct Crm {
    customers: IndexMap<String, Map<String, Value>>,
    export: Option<(&'static str, String)>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Search {
    query: String,
    limit: Option<usize>,
    #[serde(rename = "marker")]
    _marker: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ById {
    id: String,
    #[serde(rename = "marker")]
    _marker: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Update {
    id: String,
    fields: Fields,
    #[serde(rename = "marker")]
    _marker: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Fields {
    email: Option<String>,
    phone: Option<String>,
    notes: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Format {
    Csv,
    Json,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Export {
    format: Format,
    #[serde(default)]
    include_pii: bool,
    #[serde(rename = "marker")]
    _marker: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Draft {
    customer_id: String,
    tone: String,
}

impl Crm {
    pub(super) fn new() -> Result<Self, serde_json::Error> {
        let records: Vec<Map<String, Value>> = serde_json::from_str(CUSTOMERS)?;
        let customers =
            records.into_iter().map(|record| (text_of(&record, "id").to_owned(), record)).collect();
        Ok(Self { customers, export: None })
    }

    pub(super) fn prompts() -> Vec<Value> {
        vec![json!({
            "name": "draft_reply",
            "title": "Draft a reply to a customer",
            "description": "A letter to one customer, with the record at hand",
            "arguments": [
                {"name": "customer_id", "description": "The customer's id, such as c-001", "required": true},
                {"name": "tone", "description": "apologetic, brief, formal or friendly", "required": true},
            ],
        })]
    }

    pub(super) fn resources(&self) -> Vec<Value> {
        let schema = json!({
            "uri": "crm://schema",
            "name": "schema",
            "title": "Fields of a customer record",
            "description": "What each field of a record means",
            "mimeType": "application/json",
        });
        let export = self.export.as_ref().map(|(mime, text)| {
            json!({
                "uri": EXPORT_URI,
                "name": "latest-export",
                "title": "Latest export",
                "mimeType": mime,
                "size": text.len(),
            })
        });
        [schema].into_iter().chain(export).collect()
    }

    pub(super) fn templates() -> Vec<Value> {
        vec![json!({
            "uriTemplate": CUSTOMER_TEMPLATE,
            "name": "customer",
            "title": "Customer record",
            "description": "One customer's whole record",
            "mimeType": "application/json",
        })]
    }

    /// Runs a tool; an error means that the arguments do not fit.
    pub(super) fn call(&mut self, name: &str, given: Value) -> Result<Answer, serde_json::Error> {
        Ok(match name {
            "search_customers" => self.search(&arguments(given)?),
            "get_customer" => self.get(&arguments(given)?),
            "update_customer" => self.update(arguments(given)?),
            "delete_customer" => self.delete(&arguments(given)?),
            "export_customers" => self.export(&arguments(given)?),
            _ => Answer::failed("no such tool"),
        })
    }

    fn search(&self, search: &Search) -> Answer {
        let wanted = search.query.to_lowercase();
        let hits: Vec<Value> = self
            .customers
            .values()
            .filter(|record| Value::Object((*record).clone()).to_string().to_lowercase().contains(&wanted))
            .map(|record| pick(record, &["id", "name", "company", "city", "email"]))
            .collect();
        let total = hits.len();
        let shown: Vec<Value> = hits.into_iter().take(search.limit.unwrap_or(SEARCH_LIMIT)).collect();
        Answer::structured(json!({"customers": shown, "total": total}))
    }

    fn get(&self, by: &ById) -> Answer {
        let Some(record) = self.customers.get(&by.id) else { return missing(&by.id) };
        Answer::structured(Value::Object(record.clone())).with_block(json!({
            "type": "resource_link",
            "uri": format!("crm://customers/{}", by.id),
            "name": by.id,
            "mimeType": "application/json",
        }))
    }

    fn update(&mut self, update: Update) -> Answer {
        let Some(record) = self.customers.get_mut(&update.id) else { return missing(&update.id) };
        let Fields { email, phone, notes } = update.fields;
        let mut changed = Vec::new();
        for (field, value) in [("email", email), ("phone", phone), ("notes", notes)] {
            if let Some(value) = value {
                record.insert(field.to_owned(), value.into());
                changed.push(field);
            }
        }
        Answer::structured(json!({"id": update.id, "changed": changed}))
    }

    fn delete(&mut self, by: &ById) -> Answer {
        match self.customers.shift_remove(&by.id) {
            Some(record) => Answer::text(format!("Deleted {} ({}).", by.id, text_of(&record, "name"))),
            None => missing(&by.id),
        }
    }

    fn export(&mut self, export: &Export) -> Answer {
        let (mime, text) = match (&export.format, export.include_pii) {
            (Format::Csv, true) => {
                ("text/csv", self.csv(&["id", "name", "company", "email", "phone", "notes"]))
            }
            (Format::Csv, false) => ("text/csv", self.csv(&["id", "company", "country", "tier"])),
            (Format::Json, true) => ("application/json", self.by_email().to_string()),
            (Format::Json, false) => ("application/json", self.anonymous().to_string()),
        };
        let count = self.customers.len();
        self.export = Some((mime, text.clone()));
        Answer::text(format!("Exported {count} customers as {mime}.")).with_block(json!({
            "type": "resource",
            "resource": {"uri": EXPORT_URI, "mimeType": mime, "text": text},
        }))
    }

    fn csv(&self, fields: &[&str]) -> String {
        let quoted = |text: &str| format!("\"{}\"", text.replace('"', "\"\""));
        let line = |record: &Map<String, Value>| {
            fields.iter().map(|field| quoted(text_of(record, field))).collect::<Vec<_>>().join(",")
        };
        let lines = self.customers.values().map(line);
        [fields.join(",")].into_iter().chain(lines).map(|line| line + "\n").collect()
    }

    /// Keyed by address, since systems that consume exports do so: personal data in object keys.
    fn by_email(&self) -> Value {
        let entry =
            |record: &Map<String, Value>| (text_of(record, "email").to_owned(), record.clone().into());
        Value::Object(self.customers.values().map(entry).collect())
    }

    fn anonymous(&self) -> Value {
        self.customers.values().map(|record| pick(record, &["id", "company", "country", "tier"])).collect()
    }

    pub(super) fn prompt(&self, name: &str, given: Value) -> Result<Value, Fault> {
        if name != "draft_reply" {
            return Err(Fault::invalid_params(format!("unknown prompt `{name}`")));
        }
        let draft: Draft = prompt_arguments(given)?;
        let id = &draft.customer_id;
        let record = self.customers.get(id);
        let record = record.ok_or_else(|| Fault::invalid_params(format!("no customer `{id}`")))?;
        let ask = format!("Write a {} reply to {}.", draft.tone, text_of(record, "name"));
        let resource = json!({
            "uri": format!("crm://customers/{id}"),
            "mimeType": "application/json",
            "text": Value::Object(record.clone()).to_string(),
        });
        Ok(json!({
            "description": "A letter to one customer",
            "messages": [
                user_says(json!({"type": "text", "text": ask})),
                user_says(json!({"type": "resource", "resource": resource})),
            ],
        }))
    }

    /// The type and text of a resource.
    pub(super) fn read(&self, uri: &str) -> Option<(&'static str, String)> {
        match uri {
            "crm://schema" => Some(("application/json", schema().to_string())),
            EXPORT_URI => self.export.clone(),
            _ => {
                let record = self.customers.get(uri.strip_prefix("crm://customers/")?)?;
                Some(("application/json", Value::Object(record.clone()).to_string()))
            }
        }
    }

    pub(super) fn candidates(&self, target: Target<'_>) -> Option<Vec<String>> {
        match target {
            Target::Prompt("draft_reply", "customer_id") | Target::Template(CUSTOMER_TEMPLATE, "id") => {
                Some(self.customers.keys().cloned().collect())
            }
            Target::Prompt("draft_reply", "tone") => Some(TONES.map(str::to_owned).into()),
            Target::Prompt(..) | Target::Template(..) => None,
        }
    }
}

fn text_of<'a>(record: &'a Map<String, Value>, field: &str) -> &'a str {
    record.get(field).and_then(Value::as_str).unwrap_or_default()
}

fn pick(record: &Map<String, Value>, fields: &[&str]) -> Value {
    let chosen = fields.iter().filter_map(|field| Some(((*field).to_owned(), record.get(*field)?.clone())));
    Value::Object(chosen.collect())
}

fn missing(id: &str) -> Answer {
    Answer::failed(format!("No customer has the id `{id}`. Search for the customer first."))
}

fn schema() -> Value {
    json!({
        "id": "Our own id, c-001 and up",
        "name": "Full name",
        "email": "Address for letters",
        "phone": "International form",
        "payment": "Card number and expiry, if one is on file",
        "bank": "IBAN, if one is on file",
        "tax": "US social security number, if one is on file",
        "notes": "Free text by the support team; anything may stand here",
        "import_raw": "The row of the previous system, as JSON in a string",
    })
}
