//! Which annotations a policy may carry, and what they ask for.
//!
//! Cedar gives annotations no meaning, so a misspelled or unsupported one would be ignored in silence. Here
//! each is known and can be honoured, or the folder is refused.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use cedar_policy::{Effect, Policy};

use super::obligations::{Abilities, Capture, Obligations, Rate, RedactMode};
use super::problem::closest;

/// Annotations of documentation, and those that say how a policy counts.
const KNOWN: [&str; 7] = ["id", "doc", "severity", "reply", "tags", "shadow", "oblige"];
/// Annotations that ask the gateway to do something.
const OBLIGATIONS: [&str; 9] = [
    "approval_ttl",
    "audit",
    "max_bytes",
    "notify",
    "rate_limit",
    "redact",
    "redact_mode",
    "require_approval",
    "require_justification",
];
const SEVERITIES: [&str; 5] = ["info", "low", "medium", "high", "critical"];
/// Longest id of a policy, in bytes.
const MAX_ID: usize = 128;
/// Longest text for a client, in bytes.
const MAX_REPLY: usize = 500;

/// A complaint and what to do about it.
pub(super) type Complaint = (String, String);

/// How a policy counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// It decides.
    Enforced,
    /// It is evaluated and recorded, and decides nothing.
    Shadow,
    /// It grants nothing; where it matches, its obligations hold.
    Oblige,
}

/// What the annotations of one policy say.
#[derive(Debug, Clone)]
pub(super) struct Notes {
    pub(super) mode: Mode,
    pub(super) obligations: Arc<Obligations>,
    /// 0 (nothing said) to 5 (critical).
    pub(super) severity: usize,
    pub(super) reply: Option<Arc<str>>,
}

/// The id of a policy, if it has a usable one.
pub(super) fn id_of(policy: &Policy) -> Result<&str, Complaint> {
    let Some(id) = policy.annotation("id") else {
        return Err(("this policy has no `@id`".to_owned(), "write @id(\"some-name\") above it".to_owned()));
    };
    let usable = !id.is_empty()
        && id.len() <= MAX_ID
        && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_./".contains(&byte));
    if usable {
        Ok(id)
    } else {
        Err((
            format!("`{}` cannot be the id of a policy", id.escape_debug()),
            format!("use 1 to {MAX_ID} letters, digits, `-`, `_`, `.` or `/`"),
        ))
    }
}

/// What a policy's annotations say, or everything that is wrong with them.
pub(super) fn notes(policy: &Policy, able: Option<&Abilities>) -> Result<Notes, Vec<Complaint>> {
    let id: Arc<str> = policy.annotation("id").unwrap_or_default().into();
    let mut notes = Notes { mode: Mode::Enforced, obligations: Arc::default(), severity: 0, reply: None };
    let (mut asked, mut mode) = (Obligations::default(), None);
    let mut complaints = Vec::new();
    for (name, value) in policy.annotations() {
        let read = match name {
            "severity" => severity(value).map(|rank| notes.severity = rank),
            "reply" => reply(value).map(|text| notes.reply = Some(text)),
            "shadow" => flag(name, value).map(|()| notes.mode = Mode::Shadow),
            "oblige" => flag(name, value).map(|()| notes.mode = Mode::Oblige),
            "redact_mode" => redact_mode(value).map(|read| mode = Some(read)),
            _ if OBLIGATIONS.contains(&name) => obligation(&mut asked, (name, value), &id, able),
            _ if KNOWN.contains(&name) || name.starts_with("x_") => Ok(()),
            _ => Err(unknown(name)),
        };
        complaints.extend(read.err());
    }
    complaints.extend(contradiction(policy, &asked));
    if let Some(mode) = mode {
        asked.redact.values_mut().for_each(|of| *of = mode);
    }
    complaints.extend(able.and_then(|able| unable(&asked, able)));
    if !complaints.is_empty() {
        complaints.sort_unstable();
        return Err(complaints);
    }
    notes.obligations = Arc::new(asked);
    Ok(notes)
}

fn unknown(name: &str) -> Complaint {
    let help = match closest(name, KNOWN.into_iter().chain(OBLIGATIONS)) {
        Some(meant) => format!("did you mean `@{meant}`?"),
        None => "notes go into @doc, @tags, or a name of your own that starts with `x_`".to_owned(),
    };
    (format!("`@{name}` is not an annotation that this version knows"), help)
}

fn severity(value: &str) -> Result<usize, Complaint> {
    SEVERITIES.iter().position(|known| *known == value).map(|rank| rank + 1).ok_or_else(|| {
        let message = format!("`{}` is not a severity", value.escape_debug());
        (message, format!("use one of {}", SEVERITIES.join(", ")))
    })
}

fn reply(value: &str) -> Result<Arc<str>, Complaint> {
    if !value.trim().is_empty() && value.len() <= MAX_REPLY && !value.contains(char::is_control) {
        return Ok(value.into());
    }
    Err((
        "`@reply` is not a text for a client".to_owned(),
        format!("write one line of 1 to {MAX_REPLY} bytes"),
    ))
}

fn flag(name: &str, value: &str) -> Result<(), Complaint> {
    if value.is_empty() {
        return Ok(());
    }
    Err((format!("`@{name}` takes no value"), format!("write `@{name}` alone")))
}

/// What cannot stand together.
fn contradiction(policy: &Policy, asked: &Obligations) -> Vec<Complaint> {
    let has = |name: &str| policy.annotation(name).is_some();
    let mut found = Vec::new();
    let mut complain = |message: &str, help: &str| found.push((message.to_owned(), help.to_owned()));
    if has("shadow") && has("oblige") {
        complain("`@shadow` and `@oblige` exclude each other", "keep one of them");
    }
    if policy.effect() == Effect::Forbid {
        if has("oblige") {
            complain(
                "`@oblige` on a forbid",
                "obligations stand on permits; a forbid may carry `@reply` and `@notify`",
            );
        }
        for name in OBLIGATIONS.into_iter().filter(|name| *name != "notify" && has(name)) {
            let message = format!("`@{name}` on a forbid would never be honoured");
            complain(&message, "a call that is denied needs no obligation; move it to a permit");
        }
    } else if has("reply") {
        complain("`@reply` on a permit is never told", "it belongs to a forbid");
    }
    if has("redact_mode") && asked.redact.is_empty() {
        complain("`@redact_mode` without `@redact`", "say what is redacted: @redact(\"email,iban\")");
    }
    if has("approval_ttl") && asked.approval.is_empty() {
        complain(
            "`@approval_ttl` without `@require_approval`",
            "say who approves: @require_approval(\"Role::lead\")",
        );
    }
    if has("oblige") && asked.is_empty() {
        complain("`@oblige` without an obligation does nothing", "add one, such as @redact(\"email\")");
    }
    found
}

fn obligation(
    asked: &mut Obligations,
    (name, value): (&str, &str),
    policy: &Arc<str>,
    able: Option<&Abilities>,
) -> Result<(), Complaint> {
    let wrong = |help: &str| {
        let said = value.escape_debug();
        (format!("`{said}` is not a value of `@{name}`"), help.to_owned())
    };
    match name {
        "redact" => {
            let kinds =
                words(value).ok_or_else(|| wrong("write kinds of findings: @redact(\"email,iban\")"))?;
            for kind in kinds {
                if let Some(able) = able.filter(|able| !able.detectors.contains(kind)) {
                    return Err(no_detector(kind, able));
                }
                // Without a mode, findings are masked.
                asked.redact.insert(kind.to_owned(), RedactMode::Mask);
            }
        }
        "audit" => {
            asked.audit = Some(match value {
                "metadata" => Capture::Metadata,
                "request" => Capture::Request,
                "request_response" => Capture::RequestResponse,
                _ => return Err(wrong("use one of metadata, request, request_response")),
            });
        }
        "max_bytes" => {
            let bytes = value.parse().ok().filter(|bytes| *bytes > 0);
            asked.max_bytes = Some(bytes.ok_or_else(|| wrong("write a number of bytes above 0"))?);
        }
        "rate_limit" => {
            let (count, period) =
                rate(value).ok_or_else(|| wrong("write a number and s, m, h or d: `30/m`"))?;
            asked.rates.insert(Rate { policy: policy.clone(), count, period });
        }
        "require_justification" => {
            flag(name, value)?;
            asked.justification = true;
        }
        "require_approval" => {
            let roles =
                words(value).and_then(|words| words.into_iter().map(role).collect::<Option<Vec<_>>>());
            let roles = roles.ok_or_else(|| wrong("name roles: @require_approval(\"Role::lead\")"))?;
            if able.is_some_and(|able| !able.approvals) {
                let help = "set `dataDir`, where approvals are kept".to_owned();
                return Err(("calls cannot be approved here".to_owned(), help));
            }
            asked.approval.extend(roles);
        }
        "approval_ttl" => {
            asked.approval_ttl =
                Some(time(value).ok_or_else(|| wrong("write a time such as 90s, 15m or 2h, at most 7d"))?);
        }
        _ => {
            let names = words(value).ok_or_else(|| wrong("name receivers of the configuration"))?;
            for name in names {
                if let Some(able) = able.filter(|able| !able.receivers.contains(name)) {
                    let known = closest(name, able.receivers.iter().map(String::as_str));
                    let help = known.map_or_else(
                        || "add it to `policies.notify` in the configuration".to_owned(),
                        |meant| format!("did you mean `{meant}`?"),
                    );
                    return Err((format!("nobody is called `{}`", name.escape_debug()), help));
                }
                asked.notify.insert(name.to_owned());
            }
        }
    }
    Ok(())
}

fn redact_mode(value: &str) -> Result<RedactMode, Complaint> {
    RedactMode::parse(value).ok_or_else(|| {
        let known = RedactMode::ALL.map(RedactMode::as_str);
        let help = closest(value, known).map_or_else(
            || format!("use one of {}", known.join(", ")),
            |meant| format!("did you mean `{meant}`?"),
        );
        (format!("`{}` is not a value of `@redact_mode`", value.escape_debug()), help)
    })
}

/// What of the redaction that is asked for cannot be done here.
fn unable(asked: &Obligations, able: &Abilities) -> Option<Complaint> {
    let impossible = asked.redact.values().find(|mode| !able.modes.contains(mode));
    if let Some(mode) = impossible {
        let help = match mode {
            RedactMode::Tokenise => "set `inspect.vault`, where the values are kept",
            _ => "use `mask` or `block`",
        };
        return Some((format!("this gateway does not redact by `{}`", mode.as_str()), help.to_owned()));
    }
    let unfit = asked.redact.iter().find(|(kind, mode)| able.unfit.contains(&((*kind).clone(), **mode)));
    unfit.map(|(kind, mode)| {
        let message = format!("`{kind}` cannot be redacted by `{}`", mode.as_str());
        (
            message,
            "use `pseudonymise`, `mask`, `drop` or `block`; other kinds go into a policy of their own"
                .to_owned(),
        )
    })
}

fn no_detector(kind: &str, able: &Abilities) -> Complaint {
    let help = match closest(kind, able.detectors.iter().map(String::as_str)) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => "turn the detector on in the section `inspect`, in both directions".to_owned(),
    };
    (format!("nothing looks for `{}`", kind.escape_debug()), help)
}

/// Words between commas; none may be empty.
fn words(value: &str) -> Option<Vec<&str>> {
    let words: Vec<&str> = value.split(',').map(str::trim).collect();
    words.iter().all(|word| !word.is_empty()).then_some(words)
}

/// `Role::lead` or `Role::"lead"`.
fn role(word: &str) -> Option<String> {
    let name = word.strip_prefix("Role::")?;
    let name = name.strip_prefix('"').and_then(|name| name.strip_suffix('"')).unwrap_or(name);
    (!name.is_empty() && !name.contains('"')).then(|| name.to_owned())
}

fn rate(value: &str) -> Option<(NonZeroU32, Duration)> {
    let (count, unit) = value.split_once('/')?;
    let period = Duration::from_secs(match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        _ => return None,
    });
    Some((count.parse().ok()?, period))
}

fn time(value: &str) -> Option<Duration> {
    let number = value.get(..value.len().checked_sub(1)?)?;
    let unit = match value.chars().last()? {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        'd' => 86_400,
        _ => return None,
    };
    let seconds = number.parse::<u64>().ok()?.checked_mul(unit)?;
    (1..=7 * 86_400).contains(&seconds).then(|| Duration::from_secs(seconds))
}
