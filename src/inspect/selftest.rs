//! Sends planted values through the configured pipeline. What comes out at the start would come out every day.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use uuid::Uuid;

use super::rules::Rule;
use super::{Blocked, Direction, Error, Inspector, Operator, Subject};

/// Plants every sample of every rule that is on, in both directions; those whose values stay by configuration must
/// be reported.
pub(super) fn run(inspector: &Inspector) -> Result<(), Error> {
    for direction in Direction::ALL {
        for rule in inspector.rules_on(direction) {
            let stays = inspector.operator(direction, rule.kind) == Operator::Allow;
            for plant in plants(rule) {
                let subject = Subject { call: Uuid::nil(), direction, exempt: &[] };
                let held = match inspector.filter(plant.text, &subject) {
                    Ok(filtered) => {
                        let found = filtered.findings().iter().any(|finding| finding.kind == rule.kind);
                        found && (stays || !filtered.value().contains(&plant.secret))
                    }
                    Err(blocked) => matches!(blocked, Blocked::Forbidden { .. }),
                };
                if !held {
                    let (rule, direction, form) = (rule.kind, direction.name(), plant.form);
                    return Err(Error::SelfTest { rule, form, direction });
                }
            }
        }
    }
    Ok(())
}

struct Plant {
    text: String,
    secret: String,
    form: &'static str,
}

/// JSON documents that hold a rule's samples where the rule must find them: in prose, under a key, in JSON inside
/// a string, encoded, and with a character in it that no one sees.
fn plants(rule: &Rule) -> Vec<Plant> {
    let mut plants = Vec::new();
    let key = rule.sample_key();
    let mut plant =
        |form, text: String, secret: &str| plants.push(Plant { text, secret: secret.to_owned(), form });
    for (index, sample) in rule.samples.iter().enumerate() {
        let (text, secret) = (json(&sample.text), json(&sample.secret));
        plant("under its key", format!(r#"{{"records":[{{"{key}":"{text}"}}]}}"#), &secret);
        if rule.alone() {
            plant("in prose", format!(r#"{{"note":"seen: {text} here"}}"#), &secret);
        }
        let inner = json(&format!(r#"{{"{key}":"{text}"}}"#));
        plant("in JSON inside a string", format!(r#"{{"text":"{inner}"}}"#), &json(&secret));
        if index > 0 || rule.optional {
            continue;
        }
        let encoded = STANDARD.encode(format!("{key}: {}", sample.text));
        plant("in Base64", format!(r#"{{"text":"{encoded}"}}"#), &encoded);
        if let Some((at, _)) = sample.secret.char_indices().nth(1) {
            let (head, tail) = sample.secret.split_at(at);
            let hidden = format!("{head}\u{200b}{tail}");
            let text = json(&sample.text.replace(&sample.secret, &hidden));
            let secret = json(&hidden);
            plant("with a zero-width space", format!(r#"{{"records":[{{"{key}":"{text}"}}]}}"#), &secret);
        }
    }
    plants
}

fn json(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}
