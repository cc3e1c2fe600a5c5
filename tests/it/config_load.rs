//! Loading a configuration: what is accepted, and how every problem is told.

use std::path::{Path, PathBuf};
use std::time::Duration;

use sealgate::config::{Config, Env, Era, Problem, ServerId, Session, Transport};

fn repository() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn load(text: &str) -> Result<Config, Vec<Problem>> {
    load_with(text, &[])
}

fn load_with(text: &str, env: &[(&str, &str)]) -> Result<Config, Vec<Problem>> {
    Config::from_text(text, Path::new("sealgate.yaml"), &Env::of(env.iter().copied()))
}

/// The problems, as a person reads them.
fn problems(text: &str) -> Vec<String> {
    load(text).expect_err("the configuration is accepted").iter().map(ToString::to_string).collect()
}

#[test]
fn an_empty_file_is_all_defaults() {
    for text in ["", "# nothing\n", "{}", "---\n", "limits:\nmcpServers:\n"] {
        let config = load(text).unwrap_or_else(|problems| panic!("`{text}`: {problems:?}"));
        assert_eq!(config.listen.to_string(), "127.0.0.1:8765");
        assert_eq!(config.admin.listen.to_string(), "127.0.0.1:8766");
        assert_eq!(config.limits.call_timeout(), Duration::from_mins(5));
        assert!(config.data_dir.ends_with("data") && config.mcp_servers.is_empty());
    }
}

#[test]
fn the_example_is_valid_and_holds_the_defaults() {
    let path = repository().join("sealgate.example.yaml");
    let config = Config::load_with(&path, &Env::of([("PATH", "/usr/bin")])).unwrap();
    let defaults = load("").unwrap();
    assert_eq!(config.limits, defaults.limits);
    assert_eq!((config.listen, config.admin), (defaults.listen, defaults.admin));
    assert_eq!(config.approval, defaults.approval);
    assert_eq!(config.telemetry, defaults.telemetry);
    assert_eq!(config.data_dir, repository().join("./data"));
    let files = &config.mcp_servers["files"];
    assert!(files.tools["write_file"].destructive == Some(true) && files.environment == "staging");
    let web = &config.mcp_servers["web"];
    assert!(web.disabled && web.third_party && web.era == Era::Auto && web.trust == 1);
}

#[test]
fn the_schema_in_the_repository_is_current_and_knows_the_example() {
    let path = repository().join("schemas/sealgate.schema.json");
    let kept: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(path).unwrap_or_default()).unwrap_or_default();
    let current = sealgate::config::json_schema();
    assert!(
        kept == current,
        "run `cargo run -- config schema > schemas/sealgate.schema.json`; it should be:\n{current:#}"
    );
}

#[test]
fn servers_are_read_in_the_shape_of_clients() {
    let config = load_with(
        r#"
mcpServers:
  crm: { command: node, args: [server.js, --port, 8080, 1.10, yes], env: {K: "${TOKEN}", PORT: 0042}, cwd: ., session: perPrincipal, timeoutMs: 1500 }
  web: { type: streamable-http, url: "https://mcp.example/mcp?key=${TOKEN}", headers: { Authorization: "Bearer ${TOKEN}" }, era: modern }
"#,
        &[("TOKEN", "hunter2")],
    )
    .unwrap();
    assert_eq!(config.mcp_servers.keys().map(ServerId::as_str).collect::<Vec<_>>(), ["crm", "web"]);
    let crm = &config.mcp_servers["crm"];
    assert_eq!((crm.session, crm.timeout), (Session::PerPrincipal, Duration::from_millis(1500)));
    let Transport::Stdio { command, args, env, cwd } = &crm.transport else { panic!("not stdio") };
    assert_eq!(command, "node");
    assert_eq!(args, &["server.js", "--port", "8080", "1.10", "yes"], "numbers stay as they are written");
    assert_eq!((env["K"].expose(), env["PORT"].expose()), ("hunter2", "0042"));
    assert!(cwd.is_some());
    let Transport::Http { url, headers, .. } = &config.mcp_servers["web"].transport else {
        panic!("not http")
    };
    assert_eq!((url.host_str(), headers["Authorization"].expose()), (Some("mcp.example"), "Bearer hunter2"));
    assert!(!format!("{config:?}").contains("hunter2"), "debug output holds a secret");
}

#[test]
fn all_problems_are_told_at_once_with_their_places() {
    let told = problems(
        "listne: 127.0.0.1:1
limits:
  depth: deep
  sessions: 0
  pageSize: 70
  requestBytes: -1
mcpServers:
  Bad_Id: { command: x }
  both: { command: x, url: https://mcp.example/mcp }
  none:
    labels: [a]
  old: { type: sse, url: ws://mcp.example/sse }
  wrong: { url: ftp://mcp.example, era: moderm, session: [], headers: { mcp-name: x, \"a b\": y } }
  args: { url: https://mcp.example, args: [a], autoApprove: [x], timeout: 5 }
telemetry: { otlp: { sampleRatio: 2, endpoint: nowhere }, log: { level: infoo, format: xml } }
audit: { maxSizeMb: 0 }
",
    );
    let expected = [
        "sealgate.yaml:1:1: unknown key `listne` (did you mean `listen`?)",
        "sealgate.yaml:3:10: expected a whole number, found text",
        "sealgate.yaml:4:13: `sessions` is out of range (write a number from 1 to 1000000)",
        "sealgate.yaml:6:17: the number is out of range",
        "sealgate.yaml:8:3: `Bad_Id` cannot be the id of a server (lower-case letters, digits and hyphens, at most 32, no hyphen at the ends)",
        "sealgate.yaml:9:3: server `both` has both `command` and `url` (keep one of them)",
        "sealgate.yaml:10:3: server `none` has neither `command` nor `url` (write `command` for a program, or `url` for an endpoint)",
        "sealgate.yaml:12:26: `url` is not an http or https URL (for instance `https://host/mcp`)",
        "sealgate.yaml:13:17: `url` is not an http or https URL (for instance `https://host/mcp`)",
        "sealgate.yaml:13:41: `moderm` is not known here (did you mean `modern`?)",
        "sealgate.yaml:13:49: expected one of `shared`, `perPrincipal`, `per_principal`, `perRequest`, `per_request`, found a list",
        "sealgate.yaml:13:93: `a b` is not the name of a header (letters, digits, hyphens)",
        "sealgate.yaml:13:83: header `mcp-name` is set by the protocol (remove it)",
        "sealgate.yaml:14:37: `args` on a server with `url` (it belongs to a `command`; remove it)",
        "sealgate.yaml:14:48: unknown key `autoApprove` (remove it: which calls are allowed is written in the policies folder)",
        "sealgate.yaml:14:66: unknown key `timeout` (did you mean `timeoutMs`?)",
        "sealgate.yaml:15:35: `sampleRatio` is out of range (write a number from 0 to 1)",
        "sealgate.yaml:15:48: `endpoint` is not an http or https URL (for instance `https://host/mcp`)",
        "sealgate.yaml:15:73: not a log level (write `error`, `warn`, `info`, `debug`, `trace`, or `info,sealgate::policy=debug`)",
        "sealgate.yaml:15:88: `xml` is not known here (write one of `text`, `json`)",
        "sealgate.yaml:16:21: `maxSizeMb` is out of range (write a number from 1 to 16777216)",
    ];
    for line in expected {
        assert!(told.iter().any(|told| told == line), "missing: {line}\ntold:\n{}", told.join("\n"));
    }
    assert_eq!(told.len(), expected.len(), "more than expected:\n{}", told.join("\n"));
}

#[test]
fn one_mistake_is_told_once() {
    for text in [
        "mcpServers: { a: { command: [x] } }",
        "mcpServers: { a: { command: x, env: [1] } }",
        "mcpServers: { a: 5 }",
        "mcpServers: 5",
        "limits: [1]",
        "listen: 5",
        "listen: {}",
        "include: [nowhere.json]",
        "include: 5",
        "allowedOrigins: [https://app.example/]",
        "allowedHosts: [https://app.example]",
        "publicUrl: https://gw.example/?x=1",
        concat!("mcpServers: { a: { url: 'https://user:pa", "ss@mcp.example/mcp' } }"),
        "telemetry: { otlp: { endpoint: https://otel.example:4317, protocol: grpc } }",
        "admin: { listen: 127.0.0.1:8765 }",
        "approval: { url: http://ops.example }",
        "approval: { url: ops.example }",
        "approval: { url: https://ops.example/?x=1 }",
        "approval: { waitMs: 99 }",
        "approval: { waitMs: 86400001 }",
        "approval: { wait: 5 }",
        "5",
        "[1]",
        "mcpServers: { a: { command: x, cwd: ./no-such-folder } }",
        "mcpServers: { a: { command: x, tools: { t: { readonly: 1, readOnly: 1 } } } }",
    ] {
        let told = problems(text);
        let expected = if text.contains("readonly") { 2 } else { 1 };
        assert_eq!(told.len(), expected, "{text}: {told:#?}");
        assert!(!told[0].contains("user:") && !told[0].contains("struct"), "{told:?}");
    }
}

#[test]
fn broken_yaml_and_duplicate_keys_have_a_place() {
    for (text, place, word) in [
        ("listen: [\n", "sealgate.yaml:", ""),
        ("a: b: c\n", "sealgate.yaml:1:", ""),
        ("listen: 127.0.0.1:1\nlisten: 127.0.0.1:2\n", "sealgate.yaml:2:1:", "duplicate"),
        ("mcpServers:\n  a: { command: x }\n  a: { command: y }\n", "sealgate.yaml:3:3:", "duplicate"),
    ] {
        let told = problems(text);
        assert!(told.len() == 1 && told[0].starts_with(place) && told[0].contains(word), "{text}: {told:?}");
    }
}

#[test]
fn a_missing_variable_is_named_and_no_value_is_ever_shown() {
    let env = [("SECRET", "hunter2"), ("EMPTY", "")];
    let told = load_with(
        "listen: ${SECRET}\npublicUrl: ${SECRET}\nlimits: { depth: \"${SECRET}\" }\n\
         telemetry: { log: { format: \"${SECRET}\", level: \"${SECRET}\" } }\n\
         mcpServers:\n  a: { command: x, era: \"${SECRET}\", env: { K: \"${NO_SUCH}\" } }\n  \
         b: { url: \"${SECRET}\", headers: { X: \"${SECRET}\\n\" }, trust: \"${SECRET}\" }\n",
        &env,
    )
    .unwrap_err();
    let told: Vec<String> = told.iter().map(ToString::to_string).collect();
    let all = told.join("\n");
    assert!(
        all.contains(
            "sealgate.yaml:6:48: variable `NO_SUCH` is not set (set it, or write `${NO_SUCH:-default}`)"
        ),
        "{all}"
    );
    assert!(!all.contains("hunter2"), "{all}");
    assert!(told.len() >= 9, "{all}");
}

#[test]
fn numbers_and_booleans_may_come_from_variables() {
    let config = load_with(
        "limits: { depth: \"${DEPTH}\" }\nlisten: 127.0.0.1:${PORT:-9000}\n\
         mcpServers: { a: { command: x, disabled: \"${OFF}\" } }",
        &[("DEPTH", "32"), ("OFF", "true")],
    )
    .unwrap();
    assert_eq!((config.limits.depth, config.listen.port()), (32, 9000));
    assert!(config.mcp_servers["a"].disabled);
    assert!(problems("limits: { depth: \"32\" }")[0].contains("expected a whole number, found text"));
}

#[test]
fn secrets_come_from_files_beside_the_configuration() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("secret"), "hunter2\n").unwrap();
    std::fs::write(folder.path().join("empty"), "\n").unwrap();
    let path = folder.path().join("sealgate.yaml");
    let text =
        "mcpServers: { a: { url: https://mcp.example, headers: { Authorization: { file: ./secret } } } }";
    let config = Config::from_text(text, &path, &Env::default()).unwrap();
    let Transport::Http { headers, .. } = &config.mcp_servers["a"].transport else { panic!("not http") };
    assert_eq!(headers["Authorization"].expose(), "hunter2");
    for (value, word) in [
        ("{ file: ./none }", "No such file"),
        ("{ file: ./empty }", "is empty"),
        ("{ fiel: ./secret }", "text, or `{ file: path }`"),
        ("[x]", "expected text"),
    ] {
        let text = text.replace("{ file: ./secret }", value);
        let told = Config::from_text(&text, &path, &Env::default()).unwrap_err();
        assert!(told.len() == 1 && told[0].message.contains(word), "{value}: {told:?}");
        assert!(told[0].line == 1 && told[0].column > 50, "{told:?}");
    }
}

#[test]
fn a_clients_file_is_included() {
    let folder = tempfile::tempdir().unwrap();
    let inner = folder.path().join("sub");
    std::fs::create_dir(&inner).unwrap();
    std::fs::write(
        inner.join("mcp.json"),
        r#"{ "theme": "dark", "mcpServers": {
            "time": { "type": "stdio", "command": "mcp-server-time", "args": ["--tz", "UTC"], "cwd": "." },
            "main": { "command": "x" } } }"#,
    )
    .unwrap();
    std::fs::write(
        folder.path().join("editor.json"),
        r#"{ "servers": { "web": { "type": "http", "url": "https://mcp.example" } } }"#,
    )
    .unwrap();
    std::fs::write(
        folder.path().join("bad.json"),
        r#"{ "mcpServers": { "x": { "command": "y", "comand": "z" } } }"#,
    )
    .unwrap();
    let path = folder.path().join("sealgate.yaml");
    let load = |text: &str| Config::from_text(text, &path, &Env::default());

    let config = load("include: [sub/mcp.json, editor.json]\nmcpServers: { here: { command: x } }").unwrap();
    let ids: Vec<_> = config.mcp_servers.keys().map(ServerId::as_str).collect();
    assert_eq!(ids, ["here", "time", "main", "web"]);
    let Transport::Stdio { cwd, .. } = &config.mcp_servers["time"].transport else { panic!("not stdio") };
    assert_eq!(cwd.as_ref().unwrap(), &inner.join("."), "relative to the file that says it");
    assert_eq!(config.watched().len(), 4, "the three files and the policies");
    assert!(load("include: [sub/mcp.json]").is_ok(), "no servers of its own");

    let told = load("include: [sub/mcp.json, bad.json]\nmcpServers: { main: { command: x } }").unwrap_err();
    let told: Vec<String> = told.iter().map(ToString::to_string).collect();
    assert!(told[0].contains("bad.json:1:42: unknown key `comand` (did you mean `command`?)"), "{told:?}");
    assert!(
        told[1].contains("mcp.json:3:13: server `main` is there already, at")
            && told[1].contains("sealgate.yaml:2"),
        "{told:?}"
    );
}

#[test]
fn the_digest_covers_every_file_and_no_variable() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sealgate.yaml");
    std::fs::write(folder.path().join("a.json"), r#"{"mcpServers":{}}"#).unwrap();
    let digest = |text: &str, value: &str| {
        Config::from_text(text, &path, &Env::of([("PORT", value)])).unwrap().digest().to_owned()
    };
    let text = "listen: 127.0.0.1:${PORT}\ninclude: [a.json]\n";
    let first = digest(text, "9000");
    assert!(first.starts_with("sha256:") && first.len() == 71);
    assert_eq!(first, digest(text, "9001"));
    assert_ne!(first, digest(&format!("{text}# a comment"), "9000"));
    std::fs::write(folder.path().join("a.json"), r#"{"mcpServers":{ }}"#).unwrap();
    assert_ne!(first, digest(text, "9000"));
}

#[test]
fn standard_variables_fill_what_the_file_leaves_open() {
    let env = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
        ("RUST_LOG", "debug"),
    ];
    let otlp = load_with("", &env).unwrap().telemetry;
    assert_eq!(otlp.otlp.endpoint.as_deref(), Some("http://127.0.0.1:4318"));
    assert_eq!(otlp.otlp.protocol, Some(sealgate::telemetry::Protocol::Grpc));
    assert_eq!(otlp.log.level.as_deref(), Some("debug"));
    let text = "telemetry: { otlp: { endpoint: http://127.0.0.1:1, protocol: http/protobuf }, log: { level: warn } }";
    let ours = load_with(text, &env).unwrap().telemetry;
    assert_eq!(ours.otlp.endpoint.as_deref(), Some("http://127.0.0.1:1"));
    assert_eq!(ours.log.level.as_deref(), Some("warn"));
    assert!(load_with("", &[("OTEL_SDK_DISABLED", "true")]).unwrap().telemetry.otlp.disabled);
    assert!(load_with("", &[("OTEL_TRACES_EXPORTER", "none")]).unwrap().telemetry.otlp.disabled);
}

#[test]
fn a_file_that_is_not_there_is_told() {
    let told = Config::load_with(Path::new("no/such.yaml"), &Env::default()).unwrap_err();
    assert!(told[0].to_string().starts_with("no/such.yaml: No such file"), "{told:?}");
}
