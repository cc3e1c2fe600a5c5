//! The page as text. Nothing in it runs, and nothing of the call is anything but text.

use crate::approval::{Held, State, Vote};
use crate::gateway::JUSTIFICATION;
use serde_json::value::RawValue;
use std::collections::HashMap;
use std::fmt::Write as _;

/// What stands on the page above its form.
#[derive(Debug)]
pub(super) enum Shown<'a> {
    /// Nothing yet: whoever opens the page must show who they are.
    Nothing,
    /// Why it was refused.
    Refused(&'a str),
    /// The call.
    Call(&'a Held),
    /// What was said about it just now.
    Said(&'a Held),
}

/// The whole page.
pub(super) fn page(shown: &Shown<'_>) -> String {
    let (title, body) = match shown {
        Shown::Nothing => {
            let hint = "A call waits until somebody other than its requester approves it. Show your token to see it.";
            ("A call waits for approval", format!("<p>{hint}</p>\n{}", form(false)))
        }
        Shown::Refused(why) => {
            let why = text(why);
            let body = format!("<p class=\"wrong\" role=\"alert\">{why}</p>\n{}", form(false));
            ("A call waits for approval", body)
        }
        Shown::Call(held) if held.state == State::Pending => {
            ("Approve this call?", format!("{}{}", facts(held), form(true)))
        }
        Shown::Call(held) => {
            let state = held.state.as_str();
            let body = format!("<p class=\"done\">It is {state} already.</p>\n{}", facts(held));
            ("There is nothing to decide any more", body)
        }
        Shown::Said(held) => {
            let said = match held.state {
                State::Pending => "Your approval is kept. Others must approve the call too.",
                State::Approved => "The call is approved. It can be made once, exactly as you saw it.",
                State::Rejected => "The call is rejected.",
                State::Used => "The call was approved, and has been made.",
                State::Expired => "Its time is over.",
            };
            ("Thank you", format!("<p class=\"done\" role=\"status\">{said}</p>\n{}", facts(held)))
        }
    };
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>{title} - Sealgate</title>\n\
         <link rel=\"stylesheet\" href=\"style.css\"></head>\n<body><main>\n<h1>{title}</h1>\n{body}</main></body></html>\n"
    )
}

/// The form. Enter in a field decides nothing: the button that it would press is disabled (HTML, "Implicit
/// submission"). The token is asked for each time: it is never written into a page.
fn form(decides: bool) -> String {
    let token = "<label>Your token\n<input name=\"token\" type=\"password\" required autocomplete=\"current-password\" \
                 spellcheck=\"false\"></label>\n";
    let rest = if decides {
        "<button disabled hidden></button>\n<label>Why (may be left empty; it is recorded)\n<input name=\"note\" maxlength=\"1000\" autocomplete=\"off\"></label>\n\
         <div class=\"buttons\"><button class=\"yes\" name=\"do\" value=\"approve\">Approve</button>\n\
         <button class=\"no\" name=\"do\" value=\"reject\">Reject</button></div>\n"
    } else {
        "<div class=\"buttons\"><button name=\"do\" value=\"show\">Show the call</button></div>\n"
    };
    format!("<form method=\"post\">\n{token}{rest}</form>\n")
}

fn facts(held: &Held) -> String {
    let mut out = String::from("<dl>\n");
    let roles: Vec<&str> = held.roles.iter().map(String::as_str).collect();
    let who = &held.requester;
    let requester = format!("{} ({}, tenant {}, through {})", who.id, who.kind, who.tenant, who.agent);
    let rows = [
        ("What", format!("{} {}", held.target, held.name)),
        ("Server", held.server.clone()),
        ("Requester", requester),
        ("Needs", format!("somebody with each of the roles: {}", roles.join(", "))),
        ("Asked for by", held.policies.join(", ")),
        ("Since", time(held.created_us)),
        ("Good until", time(held.expires_us)),
        ("Reference", held.reference.to_string()),
    ];
    for (name, value) in rows {
        // Writing to a string does not fail.
        let _ = writeln!(out, "<dt>{name}</dt><dd>{}</dd>", text(&value));
    }
    let asked = AskedFor::read(&held.params);
    if let Some(reason) = &asked.reason {
        let _ = writeln!(out, "<dt>Reason given</dt><dd>{}</dd>", text(reason));
    }
    for vote in &held.votes {
        let _ = writeln!(out, "<dt>{}</dt><dd>{}</dd>", said(vote), text(&about(vote)));
    }
    let _ = write!(
        out,
        "</dl>\n<h2>Arguments</h2>\n<p class=\"hint\">Personal and secret data is taken out, as in the log.</p>\n\
         <pre>{}</pre>\n",
        text(&laid_out(&asked.arguments))
    );
    out
}

/// What an approval is for, out of the parameters: what is said to the protocol beside it is not part of it.
struct AskedFor {
    /// Raw JSON.
    arguments: String,
    /// The caller's own words.
    reason: Option<String>,
}

impl AskedFor {
    fn read(params: &str) -> Self {
        let members = |text: &str| serde_json::from_str::<HashMap<String, Box<RawValue>>>(text).ok();
        let Some(all) = members(params) else { return Self { arguments: params.to_owned(), reason: None } };
        let meta = all.get("_meta").and_then(|meta| members(meta.get()));
        let reason = meta.and_then(|meta| serde_json::from_str(meta.get(JUSTIFICATION)?.get()).ok());
        let arguments = all.get("arguments").map_or_else(|| "(none)".to_owned(), |raw| raw.get().to_owned());
        Self { arguments, reason }
    }
}

fn said(vote: &Vote) -> &'static str {
    if vote.approve { "Approved by" } else { "Rejected by" }
}

fn about(vote: &Vote) -> String {
    let colon = if vote.note.is_empty() { "" } else { ": " };
    format!("{}, {}{colon}{}", vote.approver.id, time(vote.at_us), vote.note)
}

fn time(us: i64) -> String {
    let time = jiff::Timestamp::from_microsecond(us).ok();
    let seconds = time.and_then(|time| time.round(jiff::Unit::Second).ok());
    seconds.map_or_else(|| "-".into(), |time| time.to_string())
}

/// JSON on lines, its values as they are written.
fn laid_out(json: &str) -> String {
    let (mut out, mut depth, mut inside, mut escaped) = (String::new(), 0_usize, false, false);
    let line = |out: &mut String, depth: usize| {
        out.push('\n');
        out.extend(std::iter::repeat_n("  ", depth.min(32)));
    };
    let mut chars = json.chars().peekable();
    while let Some(c) = chars.next() {
        if inside {
            out.push(c);
            inside = escaped || c != '"';
            escaped = !escaped && c == '\\';
            continue;
        }
        match c {
            '{' | '[' => {
                out.push(c);
                if chars.peek().is_some_and(|next| matches!(next, '}' | ']')) {
                    out.extend(chars.next());
                } else {
                    depth += 1;
                    line(&mut out, depth);
                }
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                line(&mut out, depth);
                out.push(c);
            }
            ',' => {
                out.push(c);
                line(&mut out, depth);
            }
            ':' => out.push_str(": "),
            c if c.is_ascii_whitespace() => {}
            c => {
                inside = c == '"';
                out.push(c);
            }
        }
    }
    out
}

/// Text that is text wherever it stands, and that shows what would otherwise be invisible or turn the line around.
fn text(raw: &str) -> String {
    let mut out = String::with_capacity(raw.len());
    for c in raw.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\n' => out.push(c),
            c if unseen(c) => {
                let _ = write!(out, "\\u{{{:x}}}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out
}

/// Controls, and the format characters of Unicode that hide or reorder text (UAX #9, UTS #39).
fn unseen(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}'
            | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_call_says_is_text_and_nothing_of_it_is_hidden() {
        assert_eq!(text("<script>'\"&"), "&lt;script&gt;&#39;&quot;&amp;");
        assert_eq!(text("pay\u{202e}001"), "pay\\u{202e}001");
        assert_eq!(text("a\u{e0041}\u{7}"), "a\\u{e0041}\\u{7}");
    }

    #[test]
    fn an_approver_reads_what_the_approval_is_for() {
        let params =
            r#"{"name":"t","arguments":{"a":1.0},"_meta":{"sealgate/justification":"ticket 1","x":{}}}"#;
        let asked = AskedFor::read(params);
        assert_eq!((asked.arguments.as_str(), asked.reason.as_deref()), (r#"{"a":1.0}"#, Some("ticket 1")));
        assert_eq!(AskedFor::read("{}").arguments, "(none)");
        assert_eq!(AskedFor::read("\"(larger)\"").arguments, "\"(larger)\"");
    }

    #[test]
    fn parameters_stand_on_lines_with_their_values_untouched() {
        let json = r#"{"a":[1.00,{}],"b":"x,\"{y}\\","c":[]}"#;
        assert_eq!(
            laid_out(json),
            "{\n  \"a\": [\n    1.00,\n    {}\n  ],\n  \"b\": \"x,\\\"{y}\\\\\",\n  \"c\": []\n}"
        );
        assert_eq!(laid_out("]]}"), "\n]\n]\n}");
    }
}
