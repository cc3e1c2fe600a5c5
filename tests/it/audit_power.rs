//! The power goes: what a real gateway wrote, synced and answered is recorded in order, and its log is opened again as it
//! could be on the disk after every single event.

use crate::harness::{PERMIT_ALL, Site, Token, demo_servers, modern_request};
use sealgate::audit::verify;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::{Child, Command, Stdio};

struct Event {
    kind: u8,
    path: String,
    offset: u64,
    data: Vec<u8>,
}

fn events(bytes: &[u8]) -> Vec<Event> {
    let mut all = Vec::new();
    let mut rest = bytes;
    while let Some((head, more)) = rest.split_at_checked(15) {
        let number = |from: usize, to: usize| {
            head[from..to].iter().rev().fold(0_u64, |n, byte| n << 8 | u64::from(*byte))
        };
        let (named, length) =
            (usize::try_from(number(1, 3)).unwrap(), usize::try_from(number(11, 15)).unwrap());
        let Some((path, more)) = more.split_at_checked(named) else { break };
        let Some((data, more)) = more.split_at_checked(length) else { break };
        let path = Path::new(std::str::from_utf8(path).unwrap()).file_name().unwrap_or_default();
        let path = path.to_string_lossy().into_owned();
        all.push(Event { kind: head[0], path, offset: number(3, 11), data: data.to_vec() });
        rest = more;
    }
    all
}

/// A file on a disk that keeps nothing until it is told to.
#[derive(Clone, Default)]
struct File {
    durable: Vec<u8>,
    pending: Vec<(u8, u64, Vec<u8>)>,
}

fn apply(bytes: &mut Vec<u8>, kind: u8, offset: u64, data: &[u8]) {
    let at = usize::try_from(offset).unwrap();
    if kind == b'T' {
        bytes.resize(at, 0);
        return;
    }
    if bytes.len() < at + data.len() {
        bytes.resize(at + data.len(), 0);
    }
    bytes[at..at + data.len()].copy_from_slice(data);
}

/// Which unsynced writes the disk kept.
#[derive(Clone, Copy, Debug)]
enum Kept {
    None,
    All,
    /// Some, and of some only the sectors up to a point.
    Some(u64),
}

impl File {
    fn after(&self, kept: Kept) -> Vec<u8> {
        let mut bytes = self.durable.clone();
        for (n, (kind, offset, data)) in self.pending.iter().enumerate() {
            let part = match kept {
                Kept::None => continue,
                Kept::All => data.len(),
                Kept::Some(seed) => match mix(seed ^ n as u64) % 3 {
                    0 => continue,
                    1 => data.len(),
                    _ => data.len() / 2 / 512 * 512,
                },
            };
            apply(&mut bytes, *kind, *offset, data.get(..part).unwrap_or_default());
        }
        bytes
    }
}

/// A fixed mixing of bits (SplitMix64): the same images at each run.
fn mix(mut z: u64) -> u64 {
    z = z.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// Numbers of the records that what was sent acknowledges: the receipts in replies.
fn acknowledged(sent: &[u8]) -> Vec<u64> {
    let text = String::from_utf8_lossy(sent);
    let after = text.split("\"io.sealgate/receipt\":").skip(1);
    let number = |receipt: &str| {
        let digits = receipt.split("\"seq\":").nth(1)?;
        digits.chars().take_while(char::is_ascii_digit).collect::<String>().parse().ok()
    };
    after.filter_map(number).collect()
}

fn records(store: &Path) -> BTreeSet<u64> {
    let store = rusqlite::Connection::open(store).unwrap();
    let mut rows = store.prepare("SELECT seq FROM entry").unwrap();
    rows.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap()
}

/// A gateway under the shim.
struct Watched {
    site: Site,
    token: Token,
    endpoint: String,
    child: Child,
    http: reqwest::Client,
}

impl Watched {
    fn start() -> Self {
        let site = Site::new(&demo_servers(), "audit: { checkpointMs: 40, retryMs: 50 }", PERMIT_ALL);
        let token = site.token("alice", "employee");
        let shim = site.path().join("powerlog.so");
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/fixtures/powerlog.c");
        let mut compile = Command::new("cc");
        compile.args(["-shared", "-fPIC", "-O1", "-o"]).arg(&shim).args([source, "-ldl", "-lpthread"]);
        assert!(compile.status().expect("a C compiler").success());
        // The backends get an environment of their own, without the shim.
        let mut child = Command::new(crate::harness::binary())
            .args(["serve", "--json", "--config", "sealgate.yaml"])
            .current_dir(site.path())
            .env("LD_PRELOAD", &shim)
            .env("POWERLOG_DIR", site.data().canonicalize().unwrap())
            .env("POWERLOG_OUT", site.path().join("events"))
            .env("POWERLOG_FAIL", site.path().join("fail"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        std::io::BufRead::read_line(&mut std::io::BufReader::new(child.stdout.take().unwrap()), &mut line)
            .unwrap();
        let ready: serde_json::Value = serde_json::from_str(&line).expect("it serves");
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        Self { site, token, endpoint: ready["endpoint"].as_str().unwrap().to_owned(), child, http }
    }

    async fn echo(&self, text: String) -> String {
        let params = json!({"name": "ops_echo", "arguments": {"text": text}});
        let (headers, body) = modern_request("tools/call", params);
        let mut request =
            self.http.post(&self.endpoint).bearer_auth(&self.token.value).body(body.to_string());
        for (name, value) in headers {
            request = request.header(name, value);
        }
        request.send().await.unwrap().text().await.unwrap()
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test]
async fn a_sync_that_fails_refuses_calls_until_the_log_is_whole_again() {
    let gate = Watched::start();
    assert!(gate.echo("before".into()).await.contains("io.sealgate/receipt"));
    gate.site.write("fail", "");
    for n in 0..3 {
        let refused = gate.echo(format!("during {n}")).await;
        assert!(refused.contains("8006") && !refused.contains("receipt"), "{refused}");
    }
    std::fs::remove_file(gate.site.path().join("fail")).unwrap();
    let mut tries = 0;
    while !gate.echo("after".into()).await.contains("io.sealgate/receipt") {
        tries += 1;
        assert!(tries < 400, "it did not recover");
        tokio::time::sleep(std::time::Duration::from_millis(25)).await;
    }
    let verdict = verify(&gate.site.data(), &mut |_, _| {}).unwrap();
    assert!(verdict.ok, "{verdict}");
    let kinds: Vec<String> =
        gate.site.records().iter().map(|r| r["kind"].as_str().unwrap_or_default().to_owned()).collect();
    assert!(kinds.contains(&"audit.failure".to_owned()) && kinds.contains(&"audit.recovered".to_owned()));
}

#[tokio::test]
async fn no_acknowledged_record_is_lost_whenever_the_power_goes() {
    let mut gate = Watched::start();
    for round in 0..6 {
        let at_once = (0..4).map(|n| gate.echo(format!("{round} {n} {}", "x".repeat(300))));
        for body in futures_util::future::join_all(at_once).await {
            assert!(body.contains("io.sealgate/receipt"), "{body}");
        }
    }
    gate.child.kill().unwrap();
    gate.child.wait().unwrap();
    let recorded = gate.site.path().join("events");

    let all = events(&std::fs::read(&recorded).unwrap());
    let wanted = ["audit.db", "audit.db-wal"];
    let image = tempfile::tempdir().unwrap();
    let store = image.path().join("audit.db");
    let (mut files, mut acks) = (BTreeMap::<String, File>::new(), BTreeSet::new());
    let (mut images, mut lossy) = (0, 0);
    for (n, event) in all.iter().enumerate() {
        let ours = wanted.contains(&event.path.as_str());
        match event.kind {
            b'N' => acks.extend(acknowledged(&event.data)),
            b'S' if ours => {
                let file = files.entry(event.path.clone()).or_default();
                file.durable = file.after(Kept::All);
                file.pending.clear();
            }
            b'U' if ours => drop(files.remove(&event.path)),
            b'W' | b'T' if ours => {
                let file = files.entry(event.path.clone()).or_default();
                file.pending.push((event.kind, event.offset, event.data.clone()));
            }
            _ => continue,
        }
        for kept in [Kept::None, Kept::Some(n as u64)] {
            for name in wanted {
                let bytes = files.get(name).map(|file| file.after(kept)).unwrap_or_default();
                std::fs::write(image.path().join(name), bytes).unwrap();
            }
            let _ = std::fs::remove_file(image.path().join("audit.db-shm"));
            if acks.is_empty() {
                continue;
            }
            images += 1;
            let there = records(&store);
            let lost: Vec<&u64> = acks.iter().filter(|seq| !there.contains(seq)).collect();
            assert!(lost.is_empty(), "after event {n}, {kept:?}: {lost:?} were acknowledged and are lost");
            lossy += u64::from(files.values().any(|file| !file.pending.is_empty()));
            if n % 8 == 0 {
                let verdict = verify(&store, &mut |_, _| {}).unwrap();
                assert!(verdict.ok, "after event {n}, {kept:?}: {verdict}");
            }
        }
    }
    assert!(
        acks.len() >= 24 && images > 100 && lossy > 20,
        "{} receipts, {images} images, {lossy}",
        acks.len()
    );
}
