//! What an agent follows: changes of its own view of the lists, of resources, and of its tasks.

use super::reply::Frame;
use super::{Call, Gateway, Rules, Views, tasks};
use crate::identity::{Caller, SharedCaller};
use crate::inspect::{Direction, Filtered, Subject};
use crate::mcp::{Method, Object, array_items, meta, quote, string_value};
use crate::policy::{Asked, Circumstances, Permit, Question};
use crate::route::{Front, Resolved, exposed_uri};
use crate::upstream::{Follower, News};
use futures_util::future::join_all;
use std::collections::VecDeque;
use std::fmt::Write as _;
use std::sync::Arc;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{broadcast, watch};
use uuid::Uuid;

/// Most resources and tasks of one subscription.
const MOST: usize = 256;

/// A resource that an agent follows.
#[derive(Debug)]
pub struct Followed {
    /// As the agent names it.
    pub shown: String,
    server: String,
    own: String,
    _follower: Follower,
}

impl Followed {
    pub(super) fn new(shown: String, (server, own): (String, String), follower: Follower) -> Self {
        Self { shown, server, own, _follower: follower }
    }

    /// The server, and its own URI.
    pub fn about(&self) -> (&str, &str) {
        (&self.server, &self.own)
    }
}

/// A task that an agent follows.
#[derive(Debug)]
struct FollowedTask {
    handle: String,
    server: String,
    own: String,
    _follower: Follower,
}

/// The lists that an agent wants to hear of.
#[derive(Debug, Clone, Copy, Default)]
#[allow(clippy::struct_excessive_bools, reason = "as the protocol names them, one by one")]
struct Lists {
    tools: bool,
    prompts: bool,
    resources: bool,
}

/// One `subscriptions/listen` under way (MCP 2026-07-28, Subscriptions).
#[derive(Debug)]
pub(super) struct Listening {
    gateway: Arc<Gateway>,
    caller: SharedCaller,
    call: Uuid,
    front: Front,
    /// The JSON-RPC id of the request, raw: it names the subscription.
    id: String,
    circumstances: Circumstances,
    lists: Lists,
    resources: Vec<Followed>,
    tasks: Vec<FollowedTask>,
    views: Views,
    adopted: watch::Receiver<u64>,
    notices: broadcast::Receiver<News>,
    queue: VecDeque<Frame>,
    over: bool,
}

impl Listening {
    /// Begins: what policy keeps from the agent is left out, and the acknowledgement says what is honoured.
    pub(super) async fn begin(gateway: &Arc<Gateway>, caller: &SharedCaller, call: &Call) -> Self {
        // News from now on: nothing that happens while the backends are told may be missed.
        let (adopted, notices) = (gateway.adoptions(), gateway.notices.subscribe());
        let rules = gateway.rules();
        let views = super::lists::views(&rules, caller, &call.front);
        let mut listening = Self {
            gateway: gateway.clone(),
            caller: caller.clone(),
            call: call.id,
            front: call.front.clone(),
            id: call.rpc_id.clone(),
            circumstances: super::judge::circumstances(call),
            lists: Lists::default(),
            resources: Vec::new(),
            tasks: Vec::new(),
            views,
            adopted,
            notices,
            queue: VecDeque::new(),
            over: false,
        };
        listening.read(&rules, call).await;
        let acknowledged = listening.acknowledgement();
        listening.tell("notifications/subscriptions/acknowledged", &acknowledged);
        listening
    }

    async fn read(&mut self, rules: &Rules, call: &Call) {
        let params = Object::parse(&call.params);
        let Some(wanted) = params.and_then(|p| p.object("notifications")) else { return };
        let yes = |key: &str| wanted.get(key) == Some("true");
        self.lists = Lists {
            tools: yes("toolsListChanged"),
            prompts: yes("promptsListChanged"),
            resources: yes("resourcesListChanged"),
        };
        let strings = |key: &str| -> Vec<String> {
            let items = wanted.get(key).and_then(array_items).unwrap_or_default();
            let values =
                items.into_iter().filter_map(|raw| string_value(raw).map(std::borrow::Cow::into_owned));
            values.take(MOST).collect()
        };
        let uris = strings("resourceSubscriptions");
        let resources = uris.into_iter().map(|shown| follow(self.asking(rules), shown));
        let resources = join_all(resources).await;
        let ids = strings("taskIds");
        let followed = ids.into_iter().map(|handle| follow_task(self.asking(rules), call, handle));
        let followed = join_all(followed).await;
        self.resources = resources.into_iter().flatten().collect();
        self.tasks = followed.into_iter().flatten().collect();
    }

    fn asking<'a>(&'a self, rules: &'a Rules) -> Asking<'a> {
        Asking {
            gateway: &self.gateway,
            rules,
            caller: &self.caller,
            front: &self.front,
            call: self.call,
            circumstances: &self.circumstances,
        }
    }

    fn acknowledgement(&self) -> String {
        let mut members = Vec::new();
        for (key, on) in [
            ("toolsListChanged", self.lists.tools),
            ("promptsListChanged", self.lists.prompts),
            ("resourcesListChanged", self.lists.resources),
        ] {
            if on {
                members.push(format!("\"{key}\":true"));
            }
        }
        let uris: Vec<String> = self.resources.iter().map(|r| quote(&r.shown)).collect();
        let ids: Vec<String> = self.tasks.iter().map(|t| quote(&t.handle)).collect();
        for (key, values) in [("resourceSubscriptions", uris), ("taskIds", ids)] {
            if !values.is_empty() {
                members.push(format!("\"{key}\":[{}]", values.join(",")));
            }
        }
        format!("\"notifications\":{{{}}}", members.join(","))
    }

    /// The next frame; the last one comes when the gateway stops.
    pub(super) async fn next(&mut self) -> Option<Frame> {
        loop {
            if let Some(frame) = self.queue.pop_front() {
                return Some(frame);
            }
            if self.over {
                return None;
            }
            tokio::select! {
                changed = self.adopted.changed() => match changed {
                    Ok(()) => self.compare(),
                    Err(_) => self.finish(),
                },
                notice = self.notices.recv() => self.noticed(notice),
                () = self.gateway.closing.cancelled() => self.finish(),
            }
        }
    }

    /// Only what changed for this very caller is told: a change of hidden tools must not show.
    fn compare(&mut self) {
        let views = self.gateway.views(&self.caller, &self.front);
        let before = std::mem::replace(&mut self.views, views.clone());
        for (wanted, changed, method) in [
            (self.lists.tools, views.tools != before.tools, "notifications/tools/list_changed"),
            (self.lists.prompts, views.prompts != before.prompts, "notifications/prompts/list_changed"),
            (
                self.lists.resources,
                views.resources != before.resources,
                "notifications/resources/list_changed",
            ),
        ] {
            if wanted && changed {
                self.tell(method, "");
            }
        }
    }

    fn noticed(&mut self, notice: Result<News, RecvError>) {
        let rules = self.gateway.rules();
        match notice {
            Ok(News::Updated { server, uri }) => {
                let shown = updated(&self.asking(&rules), &self.resources, (&server, &uri));
                if let Some(shown) = shown {
                    self.tell("notifications/resources/updated", &format!("\"uri\":{}", quote(&shown)));
                }
            }
            Ok(News::Task { server, params }) => self.task(&server, params),
            // It fell behind: rather one notice too many than one too few, of what it may still read.
            Err(RecvError::Lagged(_)) => {
                let asking = self.asking(&rules);
                let all = self.resources.iter().filter_map(|f| updated(&asking, &self.resources, f.about()));
                for shown in all.collect::<Vec<_>>() {
                    self.tell("notifications/resources/updated", &format!("\"uri\":{}", quote(&shown)));
                }
            }
            Err(RecvError::Closed) => self.finish(),
        }
    }

    fn task(&mut self, server: &str, params: String) {
        let own = Object::parse(&params).and_then(|p| p.str("taskId").map(std::borrow::Cow::into_owned));
        let found = self.tasks.iter().find(|t| t.server == *server && Some(&t.own) == own.as_ref());
        let Some(handle) = found.map(|t| t.handle.clone()) else { return };
        let exposed = tasks::expose(params, &handle);
        let members: Vec<String> = Object::parse(&exposed)
            .iter()
            .flat_map(Object::iter)
            .filter(|(key, _)| *key != "_meta")
            .map(|(key, raw)| format!("{}:{raw}", quote(key)))
            .collect();
        self.tell("notifications/tasks", &members.join(","));
    }

    fn tell(&mut self, method: &'static str, members: &str) {
        let Some(members) = self.cleaned(members) else { return };
        let comma = if members.is_empty() { "" } else { "," };
        let params = format!("{{{members}{comma}\"_meta\":{{\"{}\":{}}}}}", meta::SUBSCRIPTION_ID, self.id);
        if let Some(params) = self.filtered(params) {
            self.queue.push_back(Frame::Notification { method, params });
        }
    }

    /// Members of a notice without what a model must not be told; the agent's own id is added later, as it is.
    fn cleaned(&self, members: &str) -> Option<String> {
        let rules = self.gateway.rules();
        let cleaned =
            rules.sanitizer.result(format!("{{{members}}}"), &rules.checks.default.rules.results).ok()?;
        cleaned.json.strip_prefix('{')?.strip_suffix('}').map(str::to_owned)
    }

    fn finish(&mut self) {
        self.over = true;
        let mut text = "{\"resultType\":\"complete\",".to_owned();
        let _ = write!(text, "\"_meta\":{{\"{}\":{}}}}}", meta::SUBSCRIPTION_ID, self.id);
        if let Some(result) = self.filtered(text) {
            self.queue.push_back(Frame::Result(Arc::new(result), None));
        }
    }

    fn filtered(&self, text: String) -> Option<Filtered<String>> {
        // The agent's own id and our own handles come back as they are.
        let exempt = &["/_meta", "/taskId", "/notifications/taskIds"];
        let subject = Subject { call: self.call, direction: Direction::Response, exempt };
        self.gateway.rules().inspector.filter(text, &subject).ok()
    }
}

/// Who wants to follow something, and how it was asked.
#[derive(Debug, Clone, Copy)]
pub struct Asking<'a> {
    /// The gateway.
    pub gateway: &'a Gateway,
    /// The rules of the moment.
    pub rules: &'a Rules,
    /// Who.
    pub caller: &'a Caller,
    /// At which endpoint.
    pub front: &'a Front,
    /// The call.
    pub call: Uuid,
    /// How and when it was asked.
    pub circumstances: &'a Circumstances,
}

impl Asking<'_> {
    fn permit(&self, asked: Asked<'_>) -> Option<Permit> {
        let question = Question { call: self.call, asked, circumstances: self.circumstances, findings: &[] };
        self.rules.policies.authorize(self.caller, &question).ok()
    }
}

async fn follow(asking: Asking<'_>, shown: String) -> Option<Followed> {
    let (server, own) = asking.rules.catalog.owner_of(asking.front, &shown)?;
    let permit = asking.permit(Asked::SubscribeResource { server: &server, uri: &own })?;
    // A URI that holds personal data goes nowhere, here as in a call.
    if asking.rules.inspector.redact_text(&own) != own.as_str() {
        return None;
    }
    let upstream = asking.rules.upstreams.get(&server)?;
    let follower = upstream.follow_resource(&own, &permit).await.ok()?;
    Some(Followed::new(shown, (server, own), follower))
}

async fn follow_task(asking: Asking<'_>, call: &Call, handle: String) -> Option<FollowedTask> {
    let named = format!("{{\"taskId\":{}}}", quote(&handle));
    let params = Object::parse(&named)?;
    let caller = asking.caller;
    let Resolved::Found(found) = tasks::resolve(asking.rules, &asking.gateway.seals, caller, call, &params)
    else {
        return None;
    };
    let crate::route::Target::Tool(tool) = &found.target else { return None };
    let permit = asking.permit(Asked::FollowTask { tool })?;
    let upstream = asking.rules.upstreams.get(&found.server)?;
    let follower = upstream.follow_task(&found.own, &permit).await.ok()?;
    Some(FollowedTask { handle, server: found.server, own: found.own, _follower: follower })
}

/// The URI to tell of an update, as the agent sees it, if it follows that resource or one above it, and may still read it.
fn updated(asking: &Asking<'_>, followed: &[Followed], (server, uri): (&str, &str)) -> Option<String> {
    followed.iter().find(|f| f.server == *server && is_at_or_below(uri, &f.own))?;
    asking.permit(Asked::SubscribeResource { server, uri })?;
    Some(match asking.front {
        Front::All => exposed_uri(server, uri),
        Front::Server(_) => uri.to_owned(),
    })
}

/// An update may name a part of the resource that is followed (MCP, `ResourceUpdatedNotification`).
fn is_at_or_below(uri: &str, followed: &str) -> bool {
    uri.strip_prefix(followed)
        .is_some_and(|rest| rest.is_empty() || followed.ends_with('/') || rest.starts_with(['/', '?', '#']))
}

impl Gateway {
    /// The parameters of the update to tell an agent of the session era that follows `followed`, if any.
    pub fn update_for(
        &self,
        caller: &Caller,
        front: &Front,
        followed: &[Followed],
        (server, uri): (&str, &str),
    ) -> Option<Filtered<String>> {
        let rules = self.rules();
        let circumstances = Circumstances { now_us: self.clock().now_us(), ..Circumstances::default() };
        let asking = Asking {
            gateway: self,
            rules: &rules,
            caller,
            front,
            call: Uuid::nil(),
            circumstances: &circumstances,
        };
        let shown = updated(&asking, followed, (server, uri))?;
        let subject = Subject { call: Uuid::nil(), direction: Direction::Response, exempt: &[] };
        let text = format!("{{\"uri\":{}}}", quote(&shown));
        let cleaned = rules.sanitizer.result(text, &rules.checks.default.rules.results).ok()?;
        rules.inspector.filter(cleaned.json, &subject).ok()
    }

    /// News of resources and tasks, from now on.
    pub fn notices(&self) -> broadcast::Receiver<News> {
        self.notices.subscribe()
    }
}

/// Whether a call is a stream of its own.
pub(super) fn listens(call: &Call) -> bool {
    call.method == Method::Listen
}
