//! `sealgate quickstart`

use super::{Done, Failure, output, serve};
use crate::audit::Log;
use crate::clock::Clock;
use crate::config::Config;
use crate::identity::{Claims, NewToken, PrincipalKind, Tokens};
use anyhow::Context as _;
use serde_json::json;
use std::fs;
use std::path::{Path, PathBuf};

const TOKEN_TTL: &str = "24h";

/// Options of `quickstart`.
#[derive(Debug, clap::Args)]
pub(super) struct Options {
    /// The port that agents connect to; 0 picks a free one.
    #[arg(long, default_value_t = 8765)]
    port: u16,
    /// The folder for the configuration, the policies, the tokens and the log.
    #[arg(long, value_name = "DIR", default_value = "./data/quickstart")]
    data_dir: PathBuf,
    /// Print one JSON object for scripts.
    #[arg(long)]
    json: bool,
}

struct Tokens3 {
    employee: String,
    contractor: String,
    auditor: String,
}

pub(super) fn run(options: &Options) -> Done {
    let named = options.data_dir.display();
    let unusable = || format!("cannot use `{named}`: choose a folder with `--data-dir` that can be written");
    fs::create_dir_all(&options.data_dir).with_context(unusable)?;
    let folder = fs::canonicalize(&options.data_dir).with_context(unusable)?;
    if Log::is_in_use(&folder) {
        // Before anything is written: the other one would take the new file for a change of its own.
        return Err(anyhow::anyhow!(
            "a gateway is running on `{named}` already: stop it, or choose another `--data-dir`"
        )
        .into());
    }
    let file = write_files(&folder, options.port).with_context(unusable)?;
    let config = Config::load(&file).map_err(Failure::Problems)?;
    let data_dir = config.data_dir.clone();
    serve::serve(config, &file, |app| {
        // Only now: a start that fails leaves no tokens behind.
        let tokens = make_tokens(&data_dir)?;
        let at = app.addresses;
        let endpoint = format!("http://{}/mcp", at.agents);
        let admin = format!("http://{}", at.admin);
        let audit = format!("http://{}/audit/v1", at.auditors);
        if options.json {
            return output::json_line(&json!({
                "endpoint": endpoint,
                "admin": admin,
                "audit_api": audit,
                "data_dir": data_dir,
                "config": file,
                "tokens": {
                    "employee": tokens.employee,
                    "contractor": tokens.contractor,
                    "auditor": tokens.auditor,
                },
            }));
        }
        output::print(&welcome((&endpoint, &admin, &audit), &file, &data_dir, &tokens))
    })
}

/// Writes the configuration anew, since it names this very binary, and the example policies only where
/// there are none: edits stay.
fn write_files(folder: &Path, port: u16) -> anyhow::Result<PathBuf> {
    let policies = folder.join("policies");
    if !policies.exists() {
        fs::create_dir_all(&policies)?;
        for (name, text) in crate::policy::shipped() {
            fs::write(policies.join(name), text)?;
        }
    }
    let binary = serde_json::to_string(&std::env::current_exe()?)?;
    let admin = if port == 0 { 0 } else { port.saturating_add(1) };
    // Left out, it is the usual one, or a free one if that is taken.
    let audit = if port == 0 { "auditApi: { listen: \"127.0.0.1:0\" }\n" } else { "" };
    let text = format!(
        "# Written by `sealgate quickstart` at each start. Copy it to begin a configuration of your own.\n\
         listen: 127.0.0.1:{port}\n\
         admin: {{ listen: \"127.0.0.1:{admin}\" }}\n\
         {audit}\
         dataDir: .\n\
         policies: {{ folder: ./policies }}\n\
         mcpServers:\n\
         \x20 crm:\n\
         \x20   command: {binary}\n\
         \x20   args: [demo-server, crm]\n\
         \x20   environment: staging\n\
         \x20   trust: 80\n\
         \x20 ops:\n\
         \x20   command: {binary}\n\
         \x20   args: [demo-server, ops]\n\
         \x20   environment: staging\n\
         \x20   trust: 80\n"
    );
    let file = folder.join("sealgate.yaml");
    fs::write(&file, text)?;
    Ok(file)
}

fn make_tokens(data_dir: &Path) -> Result<Tokens3, Failure> {
    let store = Tokens::open(data_dir, Clock::system())?;
    let make = |id: &str, role: &str, team: &str, agent: &str| -> Result<String, Failure> {
        let (token, _) = store.create(NewToken {
            kind: PrincipalKind::User,
            id: id.into(),
            roles: vec![role.into()],
            teams: vec![team.into()],
            tenant: "default".into(),
            claims: Claims::new(),
            agent: agent.into(),
            agent_approved: true,
            ttl: TOKEN_TTL.parse()?,
            created_by: "quickstart".into(),
        })?;
        Ok(token)
    };
    Ok(Tokens3 {
        employee: make("alice", "employee", "support", "support-agent")?,
        contractor: make("bob", "contractor", "field", "contractor-agent")?,
        auditor: make("carol", "auditor", "assurance", "audit-desk")?,
    })
}

fn welcome(
    (endpoint, admin, audit): (&str, &str, &str),
    file: &Path,
    data_dir: &Path,
    tokens: &Tokens3,
) -> String {
    let Tokens3 { employee, contractor, auditor } = tokens;
    let (file, data_dir) = (file.display(), data_dir.display());
    let server = endpoint.trim_end_matches("/mcp");
    format!(
        r#"Sealgate is serving.

  endpoint   {endpoint}            all servers as one
             {server}/servers/crm/mcp   one server under its own names
  health     {admin}/readyz, {admin}/metrics
  auditors   {audit}            what happened, and its proofs; docs/audit-api.md
  files      {file}, policies beside it; edit and save, they are reloaded

  employee   {employee}
             may read and update customers, restart staging; not delete, not export personal data
  contractor {contractor}
             may list incidents, read runbooks, run reports; sees no customer at all
  auditor    {auditor}
             may call nothing; reads the log, and each reading is recorded too:
             curl -s '{audit}/search?limit=5' -H 'Authorization: Bearer {auditor}'
             sealgate audit tail --data-dir "{data_dir}" -o text
             sealgate audit verify --data-dir "{data_dir}"

For an MCP client:

  {{"mcpServers": {{"sealgate": {{"type": "http", "url": "{endpoint}",
    "headers": {{"Authorization": "Bearer {employee}"}}}}}}}}

By hand, revision 2026-07-28 (one request):

  curl -s {endpoint} -H 'Authorization: Bearer {employee}' -H 'Content-Type: application/json' \
    -H 'Accept: application/json, text/event-stream' -H 'MCP-Protocol-Version: 2026-07-28' \
    -H 'Mcp-Method: tools/call' -H 'Mcp-Name: crm_get_customer' \
    -d '{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"crm_get_customer","arguments":{{"id":"c-001"}},"_meta":{{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{{"name":"curl","version":"8"}},"io.modelcontextprotocol/clientCapabilities":{{}}}}}}}}'

By hand, up to 2025-11-25 (a session):

  SESSION=$(curl -s -D - -o /dev/null {endpoint} -H 'Authorization: Bearer {employee}' -H 'Content-Type: application/json' \
    -d '{{"jsonrpc":"2.0","id":1,"method":"initialize","params":{{"protocolVersion":"2025-11-25","capabilities":{{}},"clientInfo":{{"name":"curl","version":"8"}}}}}}' \
    | tr -d '\r' | awk 'tolower($1)=="mcp-session-id:"{{print $2}}')
  curl -s {endpoint} -H 'Authorization: Bearer {employee}' -H "Mcp-Session-Id: $SESSION" -H 'Content-Type: application/json' \
    -d '{{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{{"name":"crm_get_customer","arguments":{{"id":"c-001"}}}}}}'

Ctrl-C stops it.
"#
    )
}
