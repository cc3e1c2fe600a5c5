//! `sealgate policy new`

use super::{Done, Failure, Format, output};
use serde_json::json;
use std::io::Write as _;
use std::path::PathBuf;

/// Name, what it is for, and the text; `ROLE`, `SERVER`, `TOOL` and `ID` give way to what was asked for.
const TEMPLATES: [(&str, &str, &str); 9] = [
    (
        "read-only",
        "a role uses the tools of a server that change nothing and were reviewed",
        "permit (\n  principal in Role::\"ROLE\",\n  action in Action::\"SERVER_*\",\n  resource\n)\nwhen { resource.readOnly && resource.pinned };\n",
    ),
    (
        "tool",
        "a role calls one tool",
        "permit (\n  principal in Role::\"ROLE\",\n  action == Action::\"TOOL\",\n  resource\n);\n",
    ),
    (
        "approval",
        "a tool needs a person's approval, whoever calls it",
        "@oblige\n@require_approval(\"Role::ROLE\")\n@approval_ttl(\"15m\")\npermit (\n  principal,\n  action == Action::\"TOOL\",\n  resource\n);\n",
    ),
    (
        "rate-limit",
        "a tool is called at most so often by each principal",
        "@oblige\n@rate_limit(\"30/m\")\npermit (\n  principal,\n  action == Action::\"TOOL\",\n  resource\n);\n",
    ),
    (
        "justify",
        "whoever calls a tool says why, and all of it is recorded",
        "@oblige\n@require_justification\n@audit(\"request_response\")\npermit (\n  principal,\n  action == Action::\"TOOL\",\n  resource\n);\n",
    ),
    (
        "block-findings",
        "results with such content do not go back",
        "@oblige\n@redact(\"private_key,credit_card\")\n@redact_mode(\"block\")\npermit (\n  principal,\n  action == Action::\"ReturnResult\",\n  resource\n);\n",
    ),
    (
        "office-hours",
        "a tool is called on weekdays from 8 to 18 only",
        "@severity(\"medium\")\n@reply(\"This is done on weekdays, 8 to 18.\")\nforbid (\n  principal,\n  action == Action::\"TOOL\",\n  resource\n)\nunless {\n  context.request.weekday <= 5 &&\n  context.request.hour >= 8 &&\n  context.request.hour < 18\n};\n",
    ),
    (
        "no-exfiltration",
        "a session that has read confidential data reaches outside no more",
        "@severity(\"high\")\n@reply(\"This session has read confidential data; start a new one to reach outside.\")\nforbid (\n  principal,\n  action in Action::\"CallTool\",\n  resource\n)\nwhen { resource.openWorld && context.session.taint.contains(\"confidential\") };\n",
    ),
    (
        "approvers",
        "a role approves calls of others on a server",
        "permit (\n  principal in Role::\"ROLE\",\n  action == Action::\"ApproveCall\",\n  resource in Server::\"SERVER\"\n);\n",
    ),
];

/// Options of `new`.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Options {
    /// The template; left out: list them.
    template: Option<String>,
    /// Id of the policy.
    #[arg(long, value_name = "ID")]
    id: Option<String>,
    /// A role.
    #[arg(long, default_value = "employee")]
    role: String,
    /// A server, by its id.
    #[arg(long, default_value = "SERVER")]
    server: String,
    /// A tool, by the name that agents see.
    #[arg(long, default_value = "TOOL")]
    tool: String,
    /// Only record what it would do.
    #[arg(long)]
    shadow: bool,
    /// Append it to this file instead of printing it.
    #[arg(long, value_name = "FILE")]
    into: Option<PathBuf>,
    /// The form of the result.
    #[arg(long, short, value_enum, default_value = "text")]
    output: Format,
}

pub(super) fn run(options: &Options) -> Done {
    let Some(name) = &options.template else {
        return match options.output {
            Format::Json => output::json(&json!({
                "templates": TEMPLATES.map(|(name, what, _)| json!({"name": name, "what": what})),
            })),
            Format::Text => {
                let lines = TEMPLATES.map(|(name, what, _)| format!("{name:<16} {what}\n"));
                output::print(&lines.concat())
            }
        };
    };
    let found = TEMPLATES.iter().find(|(known, _, _)| known == name);
    let Some((_, what, text)) = found else {
        return Err(Failure::Other(anyhow::anyhow!(
            "there is no template `{name}`: `sealgate policy new` lists them"
        )));
    };
    for word in [&options.role, &options.server, &options.tool] {
        if word.contains(['"', '\\', '\n']) {
            return Err(Failure::Other(anyhow::anyhow!("`{}` is not a name", word.escape_debug())));
        }
    }
    let id = options.id.clone().unwrap_or_else(|| format!("{name}-{}", options.tool.to_lowercase()));
    let body =
        text.replace("ROLE", &options.role).replace("SERVER", &options.server).replace("TOOL", &options.tool);
    if options.shadow && body.contains("@oblige") {
        return Err(Failure::Other(anyhow::anyhow!(
            "an obligation cannot be a shadow: leave `--shadow` out"
        )));
    }
    let shadow = if options.shadow { "@shadow\n" } else { "" };
    let policy = format!("@id(\"{id}\")\n@doc(\"{what}\")\n{shadow}{body}");
    if let Some(file) = &options.into {
        let mut file = std::fs::OpenOptions::new().create(true).append(true).open(file)?;
        write!(file, "\n{policy}")?;
        return Ok(());
    }
    match options.output {
        Format::Json => output::json(&json!({"id": id, "policy": policy})),
        Format::Text => output::print(&policy),
    }
}
