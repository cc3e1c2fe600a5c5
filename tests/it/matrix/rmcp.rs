//! The cells of rmcp's client.
#![allow(deprecated, reason = "sampling and sessions are deprecated, and in use")]

use super::SERVERS;
use rmcp::model::{
    CallToolRequestParams, CallToolResult, ClientCapabilities, ClientConfig, ClientRequest,
    CreateMessageRequestParams, CreateMessageResult, ElicitRequestParams, ElicitResult, ElicitationAction,
    GetPromptRequestParams, Implementation, ProgressNotificationParam, ProtocolVersion,
    ReadResourceRequestParams, Request, ResourceUpdatedNotificationParam, SamplingMessage,
    ServerNotification, SubscribeRequestParams, SubscriptionFilter,
};
use rmcp::service::{NotificationContext, PeerRequestOptions, RequestContext, RunningService, Subscription};
use rmcp::transport::StreamableHttpClientTransport;
use rmcp::transport::streamable_http_client::StreamableHttpClientTransportConfig;
use rmcp::{ClientHandler, ClientLifecycleMode, ClientServiceExt as _, ErrorData, RoleClient};
use serde_json::{Map, Value, json};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::timeout;

const WAIT: Duration = Duration::from_secs(8);

enum Heard {
    Progress(f64),
    Updated(String),
    Tools,
}

struct Listener {
    heard: mpsc::UnboundedSender<Heard>,
}

impl ClientHandler for Listener {
    fn get_info(&self) -> ClientConfig {
        let capabilities = ClientCapabilities::builder().enable_elicitation().enable_sampling().build();
        ClientConfig::new(capabilities, Implementation::new("matrix-rmcp", "1"))
    }

    async fn create_elicitation(
        &self,
        _asked: ElicitRequestParams,
        _context: RequestContext<RoleClient>,
    ) -> Result<ElicitResult, ErrorData> {
        let content = json!({"username": "ann", "email": "none"});
        Ok(ElicitResult::new(ElicitationAction::Accept).with_content(content))
    }

    async fn create_message(
        &self,
        _asked: CreateMessageRequestParams,
        _context: RequestContext<RoleClient>,
    ) -> Result<CreateMessageResult, ErrorData> {
        Ok(CreateMessageResult::new(SamplingMessage::assistant_text("sampled words"), "m".into()))
    }

    async fn on_progress(&self, told: ProgressNotificationParam, _context: NotificationContext<RoleClient>) {
        drop(self.heard.send(Heard::Progress(told.progress)));
    }

    async fn on_resource_updated(
        &self,
        told: ResourceUpdatedNotificationParam,
        _context: NotificationContext<RoleClient>,
    ) {
        drop(self.heard.send(Heard::Updated(told.uri)));
    }

    async fn on_tool_list_changed(&self, _context: NotificationContext<RoleClient>) {
        drop(self.heard.send(Heard::Tools));
    }
}

type Session = RunningService<RoleClient, Listener>;

pub fn run(url: &str, token: &str, era: &str) -> Value {
    drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let (heard, told) = mpsc::unbounded_channel();
        let lifecycle = match era {
            "legacy" => ClientLifecycleMode::Initialize,
            _ => ClientLifecycleMode::Discover { preferred_versions: vec![ProtocolVersion::V_2026_07_28] },
        };
        let config = StreamableHttpClientTransportConfig::with_uri(url).auth_header(token);
        let link = StreamableHttpClientTransport::from_config(config);
        let session = Listener { heard }.serve_with_lifecycle(link, lifecycle).await.unwrap();
        let mut client = Client { session, told, modern: era == "modern", server: "" };
        let mut cells = Map::new();
        for server in SERVERS {
            client.server = server;
            cells.insert(server.into(), client.cells().await);
        }
        Value::Object(cells)
    })
}

struct Client {
    session: Session,
    told: mpsc::UnboundedReceiver<Heard>,
    modern: bool,
    server: &'static str,
}

type Attempt = Result<(), String>;

fn has(value: &impl serde::Serialize, text: &str) -> Attempt {
    let found = serde_json::to_string(value).unwrap();
    if found.contains(text) { Ok(()) } else { Err(format!("`{text}` is not in {found}")) }
}

impl Client {
    async fn cells(&mut self) -> Value {
        let mut row = Map::new();
        let mut put = |feature: &str, outcome: Result<Attempt, tokio::time::error::Elapsed>| {
            let cell = match outcome {
                Ok(Ok(())) => "ok".to_owned(),
                Ok(Err(why)) => why,
                Err(_) => "no end".to_owned(),
            };
            row.insert(feature.into(), json!(cell));
        };
        put("progress", timeout(WAIT, self.progress()).await);
        put(
            "elicitation",
            timeout(WAIT, self.call_has("test_elicitation", json!({"message": "who?"}), "action=accept"))
                .await,
        );
        put(
            "sampling",
            timeout(WAIT, self.call_has("test_sampling", json!({"prompt": "say"}), "sampled words")).await,
        );
        put("read", timeout(WAIT, self.read()).await);
        put("subscription", timeout(WAIT, self.subscription()).await);
        put("prompt", timeout(WAIT, self.prompt()).await);
        put("completion", timeout(WAIT, self.completion()).await);
        put("cancellation", timeout(WAIT, self.cancellation()).await);
        put("changes", timeout(WAIT, self.changes()).await);
        Value::Object(row)
    }

    fn params(&self, tool: &str, arguments: &Value) -> CallToolRequestParams {
        let params = CallToolRequestParams::new(format!("{}_{tool}", self.server));
        params.with_arguments(arguments.as_object().unwrap().clone())
    }

    async fn call(&self, tool: &str, arguments: Value) -> Result<CallToolResult, String> {
        self.session.call_tool(self.params(tool, &arguments)).await.map_err(|why| why.to_string())
    }

    async fn call_has(&self, tool: &str, arguments: Value, text: &str) -> Attempt {
        has(&self.call(tool, arguments).await?, text)
    }

    fn forget(&mut self) {
        while self.told.try_recv().is_ok() {}
    }

    /// rmcp handles each notification in a task of its own, so their order is not kept on this side.
    async fn progress(&mut self) -> Attempt {
        self.forget();
        self.call_has("count", json!({"steps": 3}), "counted to 3").await?;
        let mut seen = Vec::new();
        while seen.len() < 3 {
            if let Heard::Progress(step) = self.told.recv().await.ok_or("nothing more")? {
                seen.push(step);
            }
        }
        seen.sort_by(f64::total_cmp);
        if seen == [1.0, 2.0, 3.0] { Ok(()) } else { Err(format!("progress was {seen:?}")) }
    }

    async fn read(&self) -> Attempt {
        let params = ReadResourceRequestParams::new(format!("{}+test://static-text", self.server));
        has(&self.session.read_resource(params).await.map_err(|why| why.to_string())?, "static text resource")
    }

    async fn prompt(&self) -> Attempt {
        let name = format!("{}_test_prompt_with_arguments", self.server);
        let arguments = json!({"arg1": "one", "arg2": "two"});
        let params = GetPromptRequestParams::new(name).with_arguments(arguments.as_object().unwrap().clone());
        let result = self.session.get_prompt(params).await.map_err(|why| why.to_string())?;
        has(&result, "arg1='one', arg2='two'")
    }

    async fn completion(&self) -> Attempt {
        let name = format!("{}_test_prompt_with_arguments", self.server);
        let found = self.session.complete_prompt_simple(name, "arg1", "par").await;
        has(&found.map_err(|why| why.to_string())?, "paris")
    }

    fn uri(&self) -> String {
        format!("{}+test://watched-resource", self.server)
    }

    /// A subscription of the era; in the modern one its notices come through what is returned.
    async fn watch(&mut self) -> Result<Option<Subscription>, String> {
        self.forget();
        let uri = self.uri();
        if self.modern {
            let filter =
                SubscriptionFilter::builder().tools_list_changed().resource_subscription(uri).build();
            return self.session.listen(filter).await.map(Some).map_err(|why| why.to_string());
        }
        let subscribed = self.session.subscribe(SubscribeRequestParams::new(uri)).await;
        subscribed.map(|()| None).map_err(|why| why.to_string())
    }

    async fn wait(&mut self, listening: Option<Subscription>, wanted: impl Fn(&Heard) -> bool) -> Attempt {
        let Some(mut listening) = listening else {
            loop {
                let heard = self.told.recv().await.ok_or("nothing more")?;
                if wanted(&heard) {
                    return Ok(());
                }
            }
        };
        while let Some(notice) = listening.next().await.map_err(|why| why.to_string())? {
            let heard = match notice {
                ServerNotification::ResourceUpdatedNotification(told) => Heard::Updated(told.params.uri),
                ServerNotification::ToolListChangedNotification(_) => Heard::Tools,
                _ => continue,
            };
            if wanted(&heard) {
                return Ok(());
            }
        }
        Err("the subscription ended".into())
    }

    async fn subscription(&mut self) -> Attempt {
        let listening = self.watch().await?;
        self.call("touch", json!({"uri": "test://watched-resource"})).await?;
        let uri = self.uri();
        self.wait(listening, |heard| matches!(heard, Heard::Updated(found) if *found == uri)).await
    }

    async fn changes(&mut self) -> Attempt {
        let listening = self.watch().await?;
        self.call("test_trigger_tool_change", json!({})).await?;
        self.wait(listening, |heard| matches!(heard, Heard::Tools)).await
    }

    async fn cancelled(&self) -> Result<u64, String> {
        let result = serde_json::to_value(self.call("cancelled", json!({})).await?).unwrap();
        result["content"][0]["text"]
            .as_str()
            .and_then(|n| n.parse().ok())
            .ok_or(format!("no number: {result}"))
    }

    async fn cancellation(&mut self) -> Attempt {
        let before = self.cancelled().await?;
        self.forget();
        let request = ClientRequest::CallToolRequest(Request::new(self.params("slow", &json!({}))));
        let options = PeerRequestOptions::no_options();
        let running =
            self.session.send_cancellable_request(request, options).await.map_err(|why| why.to_string())?;
        self.wait(None, |heard| matches!(heard, Heard::Progress(_))).await?;
        running.cancel(Some("enough".to_owned())).await.map_err(|why| why.to_string())?;
        while self.cancelled().await? == before {
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        Ok(())
    }
}
