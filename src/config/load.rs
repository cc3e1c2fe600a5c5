//! From files to a [`Config`]: read, parse, include, expand, decode, check, resolve.

use std::path::{Path, PathBuf};

use aws_lc_rs::digest::{Context, SHA256};
use indexmap::IndexMap;

use super::check::Checker;
use super::decode::Decoder;
use super::env::Env;
use super::sections::{AuditApiEntry, File};
use super::tree::{Entry, Node, Position, Sources, Value, parse};
use super::{Admin, AuditApi, Config, Problem};

/// A configuration file may hold this much.
const FILE_BYTES: u64 = 4 * 1024 * 1024;

/// What was gathered from the files.
struct Gathered {
    sources: Sources,
    tree: Node,
    digest: String,
    problems: Vec<Problem>,
}

pub(super) fn load(path: &Path, env: &Env) -> Result<Config, Vec<Problem>> {
    let text = read(path).map_err(|message| vec![nowhere(path, message)])?;
    from_text(&text, path, env)
}

pub(super) fn from_text(text: &str, path: &Path, env: &Env) -> Result<Config, Vec<Problem>> {
    let mut gathered = gather(text, path, env).map_err(|problem| vec![problem])?;
    gathered.tree.number(&mut 0);
    let decoder = Decoder::new(&gathered.tree, &gathered.sources);
    let file: Option<File> = decoder.decode();
    let mut checker = Checker::new(&gathered.tree, &gathered.sources, &decoder);
    let config = file.and_then(|file| resolve(file, &mut checker, &gathered, env));
    let checked = checker.problems;
    let mut problems = gathered.problems;
    problems.extend(decoder.into_problems());
    problems.extend(checked);
    match config {
        Some(config) if problems.is_empty() => Ok(config),
        _ => {
            problems.sort();
            problems.dedup();
            Err(problems)
        }
    }
}

/// Reads the main file's text and its includes into one tree.
fn gather(text: &str, path: &Path, env: &Env) -> Result<Gathered, Problem> {
    let mut gathered = Gathered {
        sources: Sources(vec![path.to_owned()]),
        tree: Node { id: 0, at: Position { file: 0, line: 1, column: 1 }, value: Value::Map(Vec::new()) },
        digest: String::new(),
        problems: Vec::new(),
    };
    let mut digest = Context::new(&SHA256);
    count_in(&mut digest, text);
    let mut tree = parse(text, 0, &gathered.sources)?;
    gathered.settle(&mut tree, 0, env);
    gathered.tree = tree;
    for (named, at) in gathered.includes() {
        let path = gathered.sources.folder(at).join(&named);
        let index = gathered.sources.0.len();
        gathered.sources.0.push(path.clone());
        match read(&path) {
            Ok(text) => {
                count_in(&mut digest, &text);
                gathered.include(&text, index, at, env);
            }
            Err(message) => {
                let message = format!("cannot include `{}`: {message}", named.display());
                gathered.problems.push(gathered.sources.problem(at, message, None));
            }
        }
    }
    let hex = |byte: &u8| format!("{byte:02x}");
    gathered.digest = format!("sha256:{}", digest.finish().as_ref().iter().map(hex).collect::<String>());
    Ok(gathered)
}

impl Gathered {
    fn settle(&mut self, tree: &mut Node, file: usize, env: &Env) {
        let (sources, problems) = (&self.sources, &mut self.problems);
        tree.settle(file, env, &mut |at, message, help| {
            problems.push(sources.problem(at, message, Some(help)));
        });
    }

    fn includes(&self) -> Vec<(PathBuf, Position)> {
        let Some(entry) = self.tree.get("include") else { return Vec::new() };
        let Value::List(items) = &entry.node.value else { return Vec::new() };
        items
            .iter()
            .filter_map(|item| match &item.value {
                Value::Scalar(scalar) if !item.is_null() => Some((PathBuf::from(&scalar.text), item.at)),
                _ => None,
            })
            .collect()
    }

    /// Takes `mcpServers` (or `servers`, as some editors call it) from a client's file. What else stands
    /// there is the client's own and is left alone.
    fn include(&mut self, text: &str, file: usize, named_at: Position, env: &Env) {
        let mut tree = match parse(text, file, &self.sources) {
            Ok(tree) => tree,
            Err(problem) => return self.problems.push(problem),
        };
        let taken = match &mut tree.value {
            Value::Map(entries) => entries
                .iter()
                .position(|entry| entry.key == "mcpServers")
                .or_else(|| entries.iter().position(|entry| entry.key == "servers"))
                .map(|index| entries.swap_remove(index)),
            Value::Scalar(_) | Value::List(_) => None,
        };
        let Some(Entry { mut node, .. }) = taken else {
            let message = "the included file has no `mcpServers`".to_owned();
            let help = Some("include files hold backends only".to_owned());
            return self.problems.push(self.sources.problem(tree.at_file(file), message, help));
        };
        self.settle(&mut node, file, env);
        let Value::Map(servers) = node.value else {
            let message = "expected a mapping of servers".to_owned();
            return self.problems.push(self.sources.problem(node.at, message, None));
        };
        for server in servers {
            self.add(server, named_at);
        }
    }

    fn add(&mut self, mut server: Entry, named_at: Position) {
        server.key_at.file = server.node.at.file;
        let Value::Map(top) = &mut self.tree.value else { return };
        let index = top.iter().position(|entry| entry.key == "mcpServers").unwrap_or_else(|| {
            let node = Node { id: 0, at: named_at, value: Value::Map(Vec::new()) };
            top.push(Entry { key: "mcpServers".into(), key_at: named_at, node });
            top.len() - 1
        });
        let Some(Entry { node, .. }) = top.get_mut(index) else { return };
        if node.is_null() {
            node.value = Value::Map(Vec::new());
        }
        let Value::Map(servers) = &mut node.value else { return };
        match servers.iter().find(|known| known.key == server.key) {
            Some(known) => {
                let first = self.sources.problem(known.key_at, String::new(), None);
                let place = format!("{}:{}", first.file.display(), first.line);
                let message = format!("server `{}` is there already, at {place}", server.key);
                let help = Some("rename or remove one of them".to_owned());
                self.problems.push(self.sources.problem(server.key_at, message, help));
            }
            None => servers.push(server),
        }
    }
}

/// Turns the file's text into addresses, URLs and paths; `None` when a problem was reported.
fn resolve(mut file: File, checker: &mut Checker<'_>, gathered: &Gathered, env: &Env) -> Option<Config> {
    checker.top(&file);
    let listen = checker.address(&["listen"], &file.listen);
    let admin = checker.address(&["admin", "listen"], &file.admin.listen);
    let tls = checker.listener_tls(&["tls"], file.tls.as_ref());
    let admin_tls = checker.listener_tls(&["admin", "tls"], file.admin.tls.as_ref());
    let audit_api = resolve_audit_api(&file.audit_api, checker);
    let approval = super::approval::resolve(&file.approval, checker);
    let public_url = checker.public_url(file.public_url.as_deref());
    let mut mcp_servers = IndexMap::new();
    for (id, entry) in std::mem::take(&mut file.mcp_servers) {
        if let Some((id, transport)) = checker.server(&id, &entry) {
            mcp_servers.insert(id, entry.into_server(transport));
        }
    }
    let folder = gathered.sources.folder(Position { file: 0, line: 0, column: 0 });
    for rules in &mut file.inspect.rules {
        *rules = below(folder, rules);
    }
    file.policies.folder = below(folder, &file.policies.folder);
    file.policies.entities = file.policies.entities.map(|entities| below(folder, &entities));
    if let Some(bundle) = &mut file.policies.bundle {
        bundle.file = below(folder, &bundle.file);
    }
    for receiver in file.policies.notify.values_mut() {
        receiver.secret_file = below(folder, &receiver.secret_file);
    }
    super::otel::fill_from(env, &mut file.telemetry);
    Some(Config {
        listen: listen?,
        tls,
        admin: Admin { listen: admin?, tls: admin_tls },
        audit_api: audit_api?,
        approval: approval?,
        public_url,
        data_dir: below(folder, &file.data_dir),
        allowed_origins: file.allowed_origins,
        allowed_hosts: file.allowed_hosts,
        limits: file.limits,
        policies: file.policies,
        inspect: file.inspect,
        sanitize: file.sanitize,
        audit: file.audit,
        search: file.search,
        telemetry: file.telemetry,
        mcp_servers,
        files: gathered.sources.0.clone(),
        certificates: std::mem::take(&mut checker.read),
        digest: gathered.digest.clone(),
    })
}

fn resolve_audit_api(entry: &AuditApiEntry, checker: &mut Checker<'_>) -> Option<AuditApi> {
    let listen = entry.listen.as_ref().map(|listen| checker.address(&["auditApi", "listen"], listen));
    Some(AuditApi {
        tls: checker.listener_tls(&["auditApi", "tls"], entry.tls.as_ref()),
        listen: match listen {
            Some(address) => Some(address?),
            None => None,
        },
        operator_tenant: entry.operator_tenant.clone(),
        requests_per_minute: entry.requests_per_minute.try_into().ok()?,
        page_size: entry.page_size,
        export_size: entry.export_size,
    })
}

/// A path of the file, without the dots that joining leaves in the middle.
fn below(folder: &Path, named: &Path) -> PathBuf {
    folder.join(named).components().collect()
}

fn read(path: &Path) -> Result<String, String> {
    let size = std::fs::metadata(path).map_err(|error| error.to_string())?.len();
    if size > FILE_BYTES {
        return Err(format!("larger than {FILE_BYTES} bytes"));
    }
    std::fs::read_to_string(path).map_err(|error| error.to_string())
}

fn nowhere(path: &Path, message: String) -> Problem {
    let help = Some("name the configuration with `--config`".to_owned());
    Problem { file: path.to_owned(), line: 0, column: 0, message, help }
}

/// Each file with its length before it, so that text cannot move from one to the next unseen.
fn count_in(digest: &mut Context, text: &str) {
    digest.update(&u64::try_from(text.len()).unwrap_or(u64::MAX).to_be_bytes());
    digest.update(text.as_bytes());
}
