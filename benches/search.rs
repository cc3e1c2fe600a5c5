//! Searching, counting, rebuilding and verifying a log of a million records: `cargo bench --bench search`.
//!
//! `-- --records N` for another size, `-- --folder DIR` to keep the log (a folder that has one is used as it is).
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::unchecked_time_subtraction,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    clippy::disallowed_methods,
    missing_docs,
    reason = "a bench prints, and ends when something fails"
)]

use sealgate::audit::{Config, Draft, Kind, Log, Role, verify};
use sealgate::clock::Clock;
use sealgate::search::{
    AggregateRequest, Aggregation, Field, Indexer, Interval, Mode, Request, Scope, Searcher, rebuild,
};
use serde_json::json;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};
use uuid::Uuid;

const START: i64 = 1_795_000_000_000_000;
const RUNS: usize = 200;
const WORDS: [&str; 48] = [
    "invoice", "customer", "ticket", "please", "update", "address", "order", "refund", "table", "select",
    "where", "report", "monthly", "status", "open", "closed", "priority", "high", "low", "escalate", "to",
    "the", "team", "from", "with", "server", "restart", "deploy", "branch", "merge", "review", "issue",
    "comment", "delete", "create", "drop", "index", "column", "query", "result", "email", "phone", "note",
    "meeting", "today", "tomorrow", "week", "x",
];

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    let value = |name: &str| arguments.iter().position(|a| a == name).and_then(|at| arguments.get(at + 1));
    let records: u64 = value("--records").map_or(1_000_000, |n| n.parse().unwrap());
    let temporary = tempfile::tempdir().unwrap();
    let folder = value("--folder").map_or_else(|| temporary.path().to_owned(), PathBuf::from);
    match value("--step").map(String::as_str) {
        None => all(&folder, records),
        Some("write") => write(&folder, records),
        Some("verify") => verified(&folder),
        Some("rebuild") => rebuilt(&folder),
        Some("ask") => ask(&folder),
        Some("lag") => lag(&folder),
        Some(other) => panic!("no step {other}"),
    }
}

/// Each step in a process of its own, so that its memory is its own.
fn all(folder: &Path, records: u64) {
    let steps: &[&str] = &["write", "verify", "rebuild", "ask", "lag"];
    for step in steps {
        if *step == "write" && folder.join("audit.db").exists() {
            continue;
        }
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--step", step, "--records", &records.to_string(), "--folder"]).arg(folder);
        assert!(command.status().unwrap().success(), "{step}");
    }
}

/// A number that looks random, and is the same in every run.
fn dice(n: u64, salt: u64) -> usize {
    let mut x = (n + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ salt.wrapping_mul(0xBF58_476D_1CE4_E5B9);
    x ^= x >> 29;
    x = x.wrapping_mul(0x94D0_49BB_1331_11EB);
    usize::try_from((x ^ (x >> 32)) >> 33).unwrap()
}

fn draft(log: &Log, n: u64, call: Uuid) -> Draft {
    let actor = format!("user-{}", dice(n, 1) % 2000);
    let server = ["crm", "mail", "github", "k8s", "billing", "files"][dice(n, 2) % 6];
    let tool = format!("{server}_tool_{}", dice(n, 3) % 12);
    let denied = dice(n, 4).is_multiple_of(16);
    let text: Vec<&str> = (0..22).map(|at| WORDS[dice(n, 100 + at) % WORDS.len()]).collect();
    let body =
        log.captured(Role::Request, (&actor, server), &json!({"text": text.join(" ")}).to_string(), None);
    let kind = ["EMAIL_ADDRESS", "IBAN", "PHONE_NUMBER"][dice(n, 7) % 3];
    let findings = if dice(n, 5).is_multiple_of(10) {
        json!([{"commitment": format!("{:016x}", dice(n, 6)), "count": 1, "operator": "mask", "pointer": "/text",
            "type": kind}])
    } else {
        json!([])
    };
    let digest = |salt: u64| format!("sha256:{:032x}{:032x}", dice(1, salt), dice(2, salt));
    Draft::new(if denied { Kind::CallDenied } else { Kind::CallIntent })
        .call(call)
        .member(
            "actor",
            &json!({"agent": format!("agent-{}", dice(n, 8) % 40), "approved": true, "credential": format!("c{}", dice(n, 9) % 2500),
                "id": actor, "kind": "User", "roles": ["analyst"], "teams": ["t1"], "tenant": "acme"}),
        )
        .member(
            "authz",
            &json!({"decision": if denied { "deny" } else { "allow" }, "entities": digest(1), "errors": [],
                "policies": [format!("policy-{}", dice(n, 10) % 20)], "policy_set": digest(2), "reason": "policy",
                "satisfied": [], "schema": digest(3)}),
        )
        .member(
            "mcp",
            &json!({"client": "claude", "client_version": "1.0", "front": "/mcp", "method": "tools/call", "name": tool,
                "protocol": "2026-07-28", "rpc_id": n.to_string(), "server": server, "session": format!("s{}", n / 50),
                "source": "127.0.0.1", "transport": "http"}),
        )
        .member("redact", &json!({"findings": findings, "ruleset": digest(4)}))
        .payload(Some(body))
}

async fn call(log: &Log, n: u64) -> u64 {
    let call = Uuid::now_v7();
    let receipt = log.append(draft(log, n, call)).await.unwrap();
    if dice(n, 4).is_multiple_of(16) {
        return 1;
    }
    let status = ["ok", "ok", "ok", "ok", "ok", "ok", "tool_error", "timeout"][dice(n, 11) % 8];
    let outcome = Draft::new(Kind::CallOutcome)
        .call(call)
        .member("bytes", &(dice(n, 12) % 20_000))
        .member("frames", &1)
        .member("intent", &receipt.seq())
        .member("latency_us", &(500 + dice(n, 13) % 400_000))
        .member("redact", &json!({"findings": [], "ruleset": "sha256:0"}))
        .member("status", status);
    log.append(outcome).await.unwrap();
    2
}

fn write(folder: &Path, records: u64) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let clock = Clock::held_at(START);
    let config = Config { queue: 4096, heartbeat_s: 1 << 40, ..Config::default() };
    let log = Log::open(folder, "bench/audit", &config, clock.clone()).unwrap();
    let (begun, mut written, mut n) = (Instant::now(), 0, 0);
    while written < records {
        let calls: Vec<_> = (0..512)
            .map(|_| {
                n += 1;
                // A month of calls.
                clock.advance_us(4_900_000);
                let (log, n) = (log.clone(), n);
                runtime.spawn(async move { call(&log, n).await })
            })
            .collect();
        for call in calls {
            written += runtime.block_on(call).unwrap();
        }
    }
    log.close().unwrap();
    let bytes = std::fs::metadata(folder.join("audit.db")).unwrap().len();
    println!(
        "written: {written} records in {:.0} s, {} bytes a record in the log",
        begun.elapsed().as_secs_f64(),
        bytes / written
    );
}

/// User and system time of this process.
fn cpu() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit(") ").next().unwrap().split(' ').collect();
    let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
    Duration::from_millis(ticks * 10)
}

/// Memory of this process in MiB: its own, and with the files that it has mapped; now, and at most.
fn memory() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let mib = |name: &str| {
        let line = status.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1024
    };
    format!(
        "resident {} MiB ({} own, {} mapped files), peak {}",
        mib("VmRSS"),
        mib("RssAnon"),
        mib("RssFile"),
        mib("VmHWM")
    )
}

fn verified(folder: &Path) {
    let (begun, before) = (Instant::now(), cpu());
    let verdict = verify(folder, &mut |_, _| {}).unwrap();
    assert!(verdict.ok, "{verdict}");
    let (wall, cpu) = (begun.elapsed().as_secs_f64(), (cpu() - before).as_secs_f64());
    let rate = verdict.records as f64;
    println!("verify: {:.0} records a second, {:.0} a CPU second; {}", rate / wall, rate / cpu, memory());
}

fn rebuilt(folder: &Path) {
    let (begun, before) = (Instant::now(), cpu());
    let caught = rebuild(folder, Some(true), &mut |_, _| {}).unwrap().unwrap();
    let (wall, cpu) = (begun.elapsed().as_secs_f64(), (cpu() - before).as_secs_f64());
    let records = caught.indexed as f64;
    let status = Searcher::open(folder, Clock::system()).unwrap().status().unwrap();
    println!(
        "rebuild: {:.0} records a second, {:.0} a CPU second; {:.0} bytes a record, {} segments; {}",
        records / wall,
        records / cpu,
        status.bytes as f64 / records,
        status.segments,
        memory()
    );
}

fn timed(name: &str, mut ask: impl FnMut() -> u64) {
    let mut times = Vec::new();
    let mut found = 0;
    for _ in 0..RUNS {
        let begun = Instant::now();
        found = ask();
        times.push(begun.elapsed());
    }
    times.sort_unstable();
    let ms = |at: usize| times[at].as_secs_f64() * 1000.0;
    println!("| {name} | {found} | {:.2} | {:.2} |", ms(RUNS / 2), ms(RUNS * 99 / 100));
}

fn ask(folder: &Path) {
    let searcher = Searcher::open(folder, Clock::held_at(START + 31 * 86_400_000_000)).unwrap();
    println!(
        "| search: newest 50, exact total, each hit hashed again | records | p50 ms | p99 ms |\n|---|--:|--:|--:|"
    );
    for q in [
        "",
        "actor:user-17",
        "decision:deny",
        "actor:user-17 tool:crm_*",
        "refund",
        "refund escalate",
        "\"drop table\"",
        "decision:deny server:crm refund",
        "decision:deny created:2026-11-25",
        "latency:>300ms status:timeout server:billing -actor:user-1*",
        "server:crm \"drop table\" redacted:>0",
    ] {
        timed(&format!("`{q}`"), || {
            let request = Request { q: q.to_owned(), ..Request::default() };
            searcher.search(&request, &Scope::default()).unwrap().total.value
        });
    }
    let facets = ["decision", "tool", "server", "status"].map(str::to_owned).to_vec();
    timed("`decision:deny` with four facets", || {
        let request = Request { q: "decision:deny".into(), facets: facets.clone(), ..Request::default() };
        searcher.search(&request, &Scope::default()).unwrap().total.value
    });
    println!("\n| count | records | p50 ms | p99 ms |\n|---|--:|--:|--:|");
    let hours = |by| Aggregation::DateHistogram { interval: Interval::Hour, by };
    for (name, q, aggregation) in [
        ("hourly histogram of all", "", hours(None)),
        ("hourly histogram of all by decision", "", hours(Some(Field::Decision))),
        ("hourly histogram of denials", "decision:deny", hours(None)),
        ("tools of all", "", Aggregation::Terms { field: Field::Tool, size: None }),
        ("distinct actors of all", "", Aggregation::Cardinality { field: Field::Actor }),
        (
            "percentiles of latency of all",
            "",
            Aggregation::Percentiles { field: Field::Latency, percents: vec![50.0, 99.0] },
        ),
    ] {
        timed(name, || {
            let aggregations = BTreeMap::from([("a".to_owned(), aggregation.clone())]);
            let request = AggregateRequest { q: q.to_owned(), aggregations, ..AggregateRequest::default() };
            searcher.aggregate(&request, &Scope::default()).unwrap().total.value
        });
    }
    println!("\nafter all questions: {}", memory());
    let begun = Instant::now();
    let request =
        Request { q: "decision:deny server:crm refund".into(), mode: Mode::Scan, ..Request::default() };
    let found = searcher.search(&request, &Scope::default()).unwrap().total.value;
    println!("without the index: {found} records in {:.1} s", begun.elapsed().as_secs_f64());
}

/// How far the index is behind while 1,000 calls a second (2,000 records) come in.
fn lag(folder: &Path) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let log = Log::open(folder, "bench/audit", &Config::default(), Clock::system()).unwrap();
    let indexer = Indexer::start(folder, sealgate::search::Config::default()).unwrap();
    let searcher = Searcher::open(folder, Clock::system()).unwrap();
    // The step before left records that it has not seen.
    while searcher.status().unwrap().lag.records > 0 {
        std::thread::sleep(Duration::from_millis(20));
    }
    let (begun, before) = (Instant::now(), cpu());
    let (mut calls, mut lags) = (0_u64, Vec::new());
    while begun.elapsed() < Duration::from_secs(20) {
        let due = u64::try_from(begun.elapsed().as_millis()).unwrap();
        while calls < due {
            calls += 1;
            let (log, n) = (log.clone(), 10_000_000 + calls);
            runtime.spawn(async move { call(&log, n).await });
        }
        std::thread::sleep(Duration::from_millis(5));
        if calls.is_multiple_of(10) {
            lags.push(searcher.status().unwrap().lag.ms);
        }
    }
    lags.sort_unstable();
    println!(
        "lag at {:.0} calls a second: p50 {} ms, p99 {} ms, most {} ms; {:.0} % of a core for log and index; {}",
        calls as f64 / begun.elapsed().as_secs_f64(),
        lags[lags.len() / 2],
        lags[lags.len() * 99 / 100],
        lags.last().unwrap(),
        (cpu() - before).as_secs_f64() / begun.elapsed().as_secs_f64() * 100.0,
        memory()
    );
    log.close().unwrap();
    indexer.stop();
}
