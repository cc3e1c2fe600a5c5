//! The client of rmcp, doing what the scripts of tests/interop do.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use rmcp::model::{
    CallToolRequestParams, ClientRequest, GetPromptRequestParams, ProgressNotificationParam, ProtocolVersion,
    ReadResourceRequestParams, Request,
};
use rmcp::service::{NotificationContext, PeerRequestOptions, RunningService};
use rmcp::transport::StreamableHttpClientTransport;
use rmcp::transport::streamable_http_client::StreamableHttpClientTransportConfig;
use rmcp::{ClientHandler, ClientLifecycleMode, ClientServiceExt as _, RoleClient};
use serde_json::Value;
use tokio::sync::mpsc;

use super::script::{Era, Target};

/// Longer than anything here takes on a busy machine.
const TIME_LIMIT: Duration = Duration::from_mins(1);

type Session = RunningService<RoleClient, Listener>;

/// Passes on the progress that the server tells.
struct Listener {
    progress: mpsc::UnboundedSender<f64>,
}

impl ClientHandler for Listener {
    async fn on_progress(&self, told: ProgressNotificationParam, _context: NotificationContext<RoleClient>) {
        self.progress.send(told.progress).expect("the test still listens");
    }
}

/// Connects and does all that the profile asks for.
pub fn run(era: Era, target: &Target, expect: &Path) {
    let expect: Value = serde_json::from_slice(&std::fs::read(expect).unwrap()).unwrap();
    // Each test is a process of its own with nextest, but not with `cargo test`: the second time is fine too.
    drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let done =
        runtime.block_on(async { tokio::time::timeout(TIME_LIMIT, drive(era, target, &expect)).await });
    done.expect("rmcp is done in time");
}

async fn drive(era: Era, target: &Target, expect: &Value) {
    let (progress, mut told) = mpsc::unbounded_channel();
    let session = connect(era, target, Listener { progress }).await;
    let version = session.peer_info().unwrap().protocol_version.clone();
    assert_eq!(version == ProtocolVersion::V_2026_07_28, era != Era::Legacy, "agreed on {version}");
    check_lists(&session, expect).await;
    for one in each(expect, "calls") {
        let result = call(&session, one).await;
        let text = serde_json::to_string(&result).unwrap();
        assert_ne!(result.is_error, Some(true), "{}: {text}", one["name"]);
        assert!(text.contains(one["contains"].as_str().unwrap_or_default()), "{}: {text}", one["name"]);
        for secret in each(one, "lacks") {
            assert!(!text.contains(secret.as_str().unwrap()), "{}: a secret came through", one["name"]);
        }
    }
    if let Some(one) = expect.get("progress") {
        check_progress(&session, one, &mut told).await;
    }
    if let Some(one) = expect.get("cancel") {
        check_cancel(&session, one, &expect["calls"][0], &mut told).await;
    }
    if let Some(one) = expect.get("failing") {
        assert_eq!(call(&session, one).await.is_error, Some(true));
    }
    if let Some(one) = expect.get("denied") {
        let answer = session.call_tool(call_params(one)).await;
        assert!(
            answer.is_err() || answer.is_ok_and(|result| result.is_error == Some(true)),
            "{} ran",
            one["name"]
        );
    }
    check_reads(&session, expect).await;
    session.cancel().await.unwrap();
}

async fn connect(era: Era, target: &Target, listener: Listener) -> Session {
    let newest = vec![ProtocolVersion::V_2026_07_28];
    let lifecycle = match era {
        Era::Legacy => ClientLifecycleMode::Initialize,
        Era::Auto => ClientLifecycleMode::Auto { preferred_versions: newest, legacy_version: None },
        Era::Modern => ClientLifecycleMode::Discover { preferred_versions: newest },
    };
    match target {
        Target::Http { url, token } => {
            let mut config = StreamableHttpClientTransportConfig::with_uri(url.as_str());
            if !token.is_empty() {
                config = config.auth_header(token);
            }
            let link = StreamableHttpClientTransport::from_config(config);
            listener.serve_with_lifecycle(link, lifecycle).await.unwrap()
        }
        Target::Stdio(command) => {
            let mut server = tokio::process::Command::new(&command[0])
                .args(&command[1..])
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()
                .unwrap();
            // It ends by itself at the end of its input.
            let link = (server.stdout.take().unwrap(), server.stdin.take().unwrap());
            listener.serve_with_lifecycle(link, lifecycle).await.unwrap()
        }
    }
}

async fn check_lists(session: &Session, expect: &Value) {
    if expect.get("tools").is_some() {
        let tools = session.list_all_tools().await.unwrap();
        let names: Vec<&str> = tools.iter().map(|tool| &*tool.name).collect();
        includes(&names, expect, "tools");
        for hidden in each(expect, "hidden_tools") {
            assert!(!names.contains(&hidden.as_str().unwrap()), "tools show {hidden}");
        }
    }
    if expect.get("prompts").is_some() {
        let prompts = session.list_all_prompts().await.unwrap();
        includes(&prompts.iter().map(|prompt| &*prompt.name).collect::<Vec<_>>(), expect, "prompts");
    }
    if expect.get("resources").is_some() {
        let resources = session.list_all_resources().await.unwrap();
        includes(&resources.iter().map(|resource| &*resource.uri).collect::<Vec<_>>(), expect, "resources");
    }
    if expect.get("templates").is_some() {
        let templates = session.list_all_resource_templates().await.unwrap();
        let uris: Vec<&str> = templates.iter().map(|template| &*template.uri_template).collect();
        includes(&uris, expect, "templates");
    }
}

/// rmcp handles each notification in a task of its own, so their order is not kept on this side: what counts is
/// that each one arrives once.
async fn check_progress(session: &Session, one: &Value, told: &mut mpsc::UnboundedReceiver<f64>) {
    assert_ne!(call(session, one).await.is_error, Some(true));
    let steps = u32::try_from(one["steps"].as_u64().unwrap()).unwrap();
    let mut seen = Vec::new();
    for _ in 0..steps {
        seen.push(told.recv().await.unwrap());
    }
    seen.sort_by(f64::total_cmp);
    assert_eq!(seen, (1..=steps).map(f64::from).collect::<Vec<_>>());
    assert!(told.try_recv().is_err(), "there was more progress than steps");
}

async fn check_cancel(session: &Session, one: &Value, next: &Value, told: &mut mpsc::UnboundedReceiver<f64>) {
    let request = ClientRequest::CallToolRequest(Request::new(call_params(one)));
    let options = PeerRequestOptions::no_options();
    let running = session.send_cancellable_request(request, options).await.unwrap();
    told.recv().await.expect("the call makes progress");
    running.cancel(Some("enough".to_owned())).await.unwrap();
    assert_ne!(call(session, next).await.is_error, Some(true), "the next call goes through");
}

async fn check_reads(session: &Session, expect: &Value) {
    for one in each(expect, "reads") {
        let uri = one["uri"].as_str().unwrap();
        let result = session.read_resource(ReadResourceRequestParams::new(uri)).await.unwrap();
        let text = serde_json::to_string(&result.contents).unwrap();
        assert!(text.contains(one["contains"].as_str().unwrap_or_default()), "{uri}: {text}");
        assert!(text.contains(uri), "{uri}: {text}");
    }
    if let Some(one) = expect.get("prompt") {
        let params = GetPromptRequestParams::new(one["name"].as_str().unwrap());
        let params = params.with_arguments(one["arguments"].as_object().unwrap().clone());
        let text = serde_json::to_string(&session.get_prompt(params).await.unwrap().messages).unwrap();
        assert!(text.contains(one["contains"].as_str().unwrap()), "{text}");
    }
    for one in each(expect, "completions") {
        let text = |pointer: &str| one.pointer(pointer).and_then(Value::as_str).unwrap().to_owned();
        let (name, value) = (text("/argument/name"), text("/argument/value"));
        let values = match text("/ref/type").as_str() {
            "ref/prompt" => session.complete_prompt_simple(text("/ref/name"), name, value).await.unwrap(),
            _ => session.complete_resource_simple(text("/ref/uri"), name, value).await.unwrap(),
        };
        assert!(values.contains(&text("/includes")), "{values:?}");
    }
}

fn call_params(one: &Value) -> CallToolRequestParams {
    let params = CallToolRequestParams::new(one["name"].as_str().unwrap().to_owned());
    params.with_arguments(one["arguments"].as_object().unwrap().clone())
}

async fn call(session: &Session, one: &Value) -> rmcp::model::CallToolResult {
    let result = session.call_tool(call_params(one)).await;
    result.unwrap_or_else(|cause| panic!("{}: {cause}", one["name"]))
}

fn each<'a>(of: &'a Value, member: &str) -> impl Iterator<Item = &'a Value> {
    of.get(member).and_then(Value::as_array).into_iter().flatten()
}

fn includes(names: &[&str], expect: &Value, member: &str) {
    for wanted in each(expect, member) {
        assert!(names.contains(&wanted.as_str().unwrap()), "{member} lack {wanted}: {names:?}");
    }
}
