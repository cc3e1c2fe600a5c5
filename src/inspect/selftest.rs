//! Sends planted values through the configured pipeline. What comes out at the start would come out every day.

use uuid::Uuid;

use super::rules::Rule;
use super::{Direction, Error, Inspector, Subject};

/// Plants every sample of every rule that is on, in both directions.
pub(super) fn run(inspector: &Inspector) -> Result<(), Error> {
    for direction in Direction::ALL {
        for rule in inspector.rules_on(direction) {
            for document in plants(rule) {
                let subject = Subject { call: Uuid::nil(), direction, exempt: &[] };
                let held = inspector.filter(document.text, &subject).is_ok_and(|filtered| {
                    !filtered.value().contains(&document.secret)
                        && filtered.findings().iter().any(|finding| finding.kind == rule.kind)
                });
                if !held {
                    return Err(Error::SelfTest { rule: rule.kind, direction: direction.name() });
                }
            }
        }
    }
    Ok(())
}

struct Plant {
    text: String,
    secret: String,
}

/// JSON documents that hold a rule's samples where the rule must find them: in prose, under a key, in JSON inside
/// a string.
fn plants(rule: &Rule) -> Vec<Plant> {
    let mut plants = Vec::new();
    for sample in &rule.samples {
        let (text, secret) = (json(&sample.text), json(&sample.secret));
        let key = rule.sample_key();
        plants
            .push(Plant { text: format!(r#"{{"records":[{{"{key}":"{text}"}}]}}"#), secret: secret.clone() });
        if rule.alone() {
            plants.push(Plant { text: format!(r#"{{"note":"seen: {text} here"}}"#), secret: secret.clone() });
        }
        let inner = json(&format!(r#"{{"{key}":"{text}"}}"#));
        plants.push(Plant { text: format!(r#"{{"text":"{inner}"}}"#), secret: json(&secret) });
    }
    plants
}

fn json(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}
