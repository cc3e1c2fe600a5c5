//! The `ops` profile: incidents, services, runbooks that hold credentials, and a report that takes its time.

use std::time::Duration;

use indexmap::IndexMap;
use serde::Deserialize;
use serde_json::{Value, json};

use super::card::Answer;
use super::protocol::Fault;
use super::service::{Outcome, Target, arguments, prompt_arguments, user_says};

const RUNBOOK_TEMPLATE: &str = "runbook://{name}";
const RUNBOOK_SCHEME: &str = "runbook://";
pub(super) const MAX_STEPS: u32 = 10_000;
pub(super) const MAX_DELAY_MS: u64 = 60_000;

/// The incidents, the runbooks, and how often each service was restarted.
pub(super) struct Ops {
    incidents: Vec<Value>,
    runbooks: IndexMap<&'static str, String>,
    restarts: IndexMap<(String, &'static str), u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    status: Option<Status>,
    #[serde(rename = "marker")]
    _marker: Option<String>,
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "lowercase")]
enum Status {
    Open,
    Closed,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Restart {
    service: String,
    environment: Environment,
    #[serde(rename = "marker")]
    _marker: Option<String>,
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "lowercase")]
enum Environment {
    Staging,
    Production,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Report {
    #[serde(default = "five")]
    steps: u32,
    #[serde(default = "fifty")]
    delay_ms: u64,
    #[serde(rename = "marker")]
    _marker: Option<String>,
}

fn five() -> u32 {
    5
}

fn fifty() -> u64 {
    50
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Echo {
    text: String,
    #[serde(rename = "marker")]
    _marker: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ByName {
    name: String,
    #[serde(rename = "marker")]
    _marker: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {
    #[serde(rename = "marker")]
    _marker: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Summary {
    incident: String,
}

impl Ops {
    pub(super) fn new() -> Self {
        Self { incidents: incidents(), runbooks: runbooks(), restarts: IndexMap::new() }
    }

    pub(super) fn prompts() -> Vec<Value> {
        vec![json!({
            "name": "incident_summary",
            "title": "Summarise an incident",
            "description": "A summary for people who were not on call",
            "arguments": [{"name": "incident", "description": "Such as INC-301", "required": true}],
        })]
    }

    pub(super) fn resources() -> Vec<Value> {
        vec![json!({
            "uri": "runbook://index",
            "name": "index",
            "title": "All runbooks",
            "description": "The names of all runbooks",
            "mimeType": "application/json",
        })]
    }

    pub(super) fn templates() -> Vec<Value> {
        vec![json!({
            "uriTemplate": RUNBOOK_TEMPLATE,
            "name": "runbook",
            "title": "Runbook",
            "description": "What to do when something breaks",
            "mimeType": "text/markdown",
        })]
    }

    /// Runs a tool; an error means that the arguments do not fit.
    pub(super) fn call(&mut self, name: &str, given: Value) -> Result<Outcome, serde_json::Error> {
        Ok(match name {
            "list_incidents" => self.list(&arguments(given)?).into(),
            "restart_service" => self.restart(arguments(given)?).into(),
            "long_report" => report(&arguments(given)?),
            "echo" => Answer::text(arguments::<Echo>(given)?.text).into(),
            "fetch_runbook" => self.fetch(&arguments(given)?).into(),
            "failing_tool" => {
                arguments::<Nothing>(given)?;
                let text = "The paging provider refused: account oncall@example.net is over its quota.";
                Answer::failed(text).into()
            }
            _ => Answer::failed("no such tool").into(),
        })
    }

    fn list(&self, list: &List) -> Answer {
        let wanted = list.status.map(|status| match status {
            Status::Open => "open",
            Status::Closed => "closed",
        });
        let of_status = |incident: &&Value| wanted.is_none() || field(incident, "status") == wanted;
        let chosen: Vec<Value> = self.incidents.iter().filter(of_status).cloned().collect();
        Answer::structured(json!({"incidents": chosen}))
    }

    fn restart(&mut self, restart: Restart) -> Answer {
        let known =
            self.incidents.iter().any(|incident| field(incident, "service") == Some(&*restart.service));
        if !known {
            return Answer::failed(format!("No service is called `{}`.", restart.service));
        }
        let environment = match restart.environment {
            Environment::Staging => "staging",
            Environment::Production => "production",
        };
        let count = self.restarts.entry((restart.service.clone(), environment)).or_insert(0);
        *count = count.saturating_add(1);
        Answer::structured(
            json!({"service": restart.service, "environment": environment, "restarts": *count}),
        )
    }

    fn fetch(&self, by: &ByName) -> Answer {
        match self.runbooks.get(&*by.name) {
            Some(text) => Answer::text(text.clone()).with_block(json!({
                "type": "resource_link",
                "uri": format!("{RUNBOOK_SCHEME}{}", by.name),
                "name": by.name,
                "mimeType": "text/markdown",
            })),
            None => Answer::failed(format!("No runbook is called `{}`; read runbook://index.", by.name)),
        }
    }

    pub(super) fn prompt(&self, name: &str, given: Value) -> Result<Value, Fault> {
        if name != "incident_summary" {
            return Err(Fault::invalid_params(format!("unknown prompt `{name}`")));
        }
        let Summary { incident: id } = prompt_arguments(given)?;
        let incident = self.incidents.iter().find(|incident| field(incident, "id") == Some(&*id));
        let incident = incident.ok_or_else(|| Fault::invalid_params(format!("no incident `{id}`")))?;
        let text = format!("Summarise this incident for people who were not on call:\n{incident}");
        Ok(json!({
            "description": "A summary of one incident",
            "messages": [user_says(json!({"type": "text", "text": text}))],
        }))
    }

    /// The type and text of a resource.
    pub(super) fn read(&self, uri: &str) -> Option<(&'static str, String)> {
        match uri.strip_prefix(RUNBOOK_SCHEME)? {
            "index" => {
                Some(("application/json", json!(self.runbooks.keys().collect::<Vec<_>>()).to_string()))
            }
            name => Some(("text/markdown", self.runbooks.get(name)?.clone())),
        }
    }

    pub(super) fn candidates(&self, target: Target<'_>) -> Option<Vec<String>> {
        match target {
            Target::Prompt("incident_summary", "incident") => Some(
                self.incidents
                    .iter()
                    .filter_map(|incident| field(incident, "id"))
                    .map(str::to_owned)
                    .collect(),
            ),
            Target::Template(RUNBOOK_TEMPLATE, "name") => {
                Some(self.runbooks.keys().map(|name| (*name).to_owned()).collect())
            }
            Target::Prompt(..) | Target::Template(..) => None,
        }
    }
}

fn report(report: &Report) -> Outcome {
    let delay = Duration::from_millis(report.delay_ms.min(MAX_DELAY_MS));
    Outcome::Report { steps: report.steps.clamp(1, MAX_STEPS), delay }
}

fn field<'a>(incident: &'a Value, name: &str) -> Option<&'a str> {
    incident.get(name)?.as_str()
}

fn incidents() -> Vec<Value> {
    let row = |[id, status, severity, service, opened, summary]: [&str; 6]| {
        json!({
            "id": id, "status": status, "severity": severity,
            "service": service, "opened": opened, "summary": summary,
        })
    };
    let rows = [
        [
            "INC-301",
            "open",
            "sev2",
            "checkout",
            "2026-09-14T08:12:00Z",
            "Card payments time out. Pager: ama.osei@example.com",
        ],
        [
            "INC-302",
            "open",
            "sev3",
            "search-api",
            "2026-09-15T21:40:00Z",
            "Latency doubled after the index rebuild.",
        ],
        [
            "INC-303",
            "closed",
            "sev1",
            "ledger",
            "2026-08-02T03:05:00Z",
            "Writes refused on 10.20.4.17; failed over by hand.",
        ],
        [
            "INC-304",
            "closed",
            "sev3",
            "mailer",
            "2026-08-19T11:31:00Z",
            "Bounces from one provider. Reported by j.weidmann@example.org",
        ],
        [
            "INC-305",
            "open",
            "sev4",
            "web-frontend",
            "2026-09-16T06:58:00Z",
            "The cookie banner covers the menu.",
        ],
    ];
    rows.map(row).into()
}

/// Runbooks as they are found in the wild: with credentials in them. The values are made up, and put together
/// here so that scanners of source code have nothing to find.
fn runbooks() -> IndexMap<&'static str, String> {
    let access_key = ["AK", "IA", "O5V7AKZEXEVFZXWW"].concat();
    let secret_key = ["4acNOpwFtDSi7ev3QGkM", "okUwMiYrCYrElDX48Krv"].concat();
    let token = ["gh", "p_", "jCHtMYhlh04jr9feRMXtEngmgiaGcv0GoaOd"].concat();
    let checkout = format!(
        "# Restart checkout\n\n1. Drain the pool.\n2. `export AWS_ACCESS_KEY_ID={access_key}`\n\
         3. `export AWS_SECRET_ACCESS_KEY={secret_key}`\n4. `make restart ENV=staging`, then production.\n"
    );
    let ledger = format!(
        "# Fail the ledger over\n\nThe release notes need a token:\n\n    curl -H 'Authorization: Bearer {token}' \
         https://git.example.com/ledger/releases\n\nThen promote the replica and tell finance@example.com.\n"
    );
    let mailer =
        "# Mail does not leave\n\nLook at the queue, then at the provider's status page.\n".to_owned();
    [("restart-checkout", checkout), ("ledger-failover", ledger), ("mail-queue", mailer)].into()
}
