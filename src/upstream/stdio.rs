//! The stdio transport (MCP, Transports, "stdio"): one JSON-RPC message a line.

use super::link::{Surroundings, Unasked};
use super::outgoing::Outgoing;
use super::{Endpoint, Error, Inbound, Target};
use crate::mcp::{JsonLimits, Message, Object, Outcome, check, codes};
use process_wrap::tokio::{ChildWrapper, CommandWrap, KillOnDrop, ProcessGroup};
use std::collections::HashMap;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWriteExt, BufReader};
use tokio::process::ChildStdin;
use tokio::sync::mpsc;
use tokio_util::sync::{CancellationToken, DropGuard};

/// Frames of one call that wait for a slow agent; progress beyond this is dropped, a response never.
const FRAMES_WAITING: usize = 1024;
/// Messages that wait for a process to read its input.
const WRITES_WAITING: usize = 256;
/// Longest line of standard error that is logged.
const STDERR_LINE: usize = 2048;
/// Most lines of standard error that are logged from one process.
const STDERR_LINES: usize = 1000;

type Frame = Result<Inbound, Error>;

#[derive(Debug)]
struct Waiting {
    frames: mpsc::UnboundedSender<Frame>,
    queued: Arc<AtomicU64>,
    /// Whether it is a subscription, which stays open and owns no log lines.
    listens: bool,
}

#[derive(Debug)]
struct Shared {
    server: String,
    waiting: Mutex<HashMap<u64, Waiting>>,
    writes: mpsc::Sender<String>,
    next: AtomicU64,
    closed: AtomicBool,
    limit: usize,
}

/// A running process. Dropping the last handle ends its whole process group.
#[derive(Debug)]
pub(super) struct StdioLink {
    shared: Arc<Shared>,
    _stop: DropGuard,
}

impl StdioLink {
    pub(super) fn spawn(target: &Target, around: &Surroundings) -> Result<Self, Error> {
        let mut child = start(target)?;
        let (writes, outbox) = mpsc::channel(WRITES_WAITING);
        let shared = Arc::new(Shared {
            server: target.id.clone(),
            waiting: Mutex::default(),
            writes,
            next: AtomicU64::new(1),
            closed: AtomicBool::new(false),
            limit: target.response_bytes,
        });
        let stop = CancellationToken::new();
        let (Some(stdin), Some(stdout)) = (child.stdin().take(), child.stdout().take()) else {
            return Err(Error::Closed);
        };
        if let Some(stderr) = child.stderr().take() {
            around.tracker.spawn(log_stderr(target.id.clone(), stderr));
        }
        around.tracker.spawn(write_lines(stdin, outbox, stop.clone()));
        let reading = read_lines(shared.clone(), stdout, around.unasked.clone());
        let unasked = around.unasked.clone();
        let stopped = stop.clone();
        around.tracker.spawn(async move {
            tokio::select! {
                () = reading => {}
                () = stopped.cancelled() => {}
            }
            // Ends the group even if a grandchild still holds the pipes.
            let _ = child.start_kill();
            let _ = child.wait().await;
            let _ = unasked.try_send(Unasked::Closed);
        });
        Ok(Self { shared, _stop: stop.drop_guard() })
    }

    pub(super) fn next_id(&self) -> u64 {
        self.shared.next.fetch_add(1, Ordering::Relaxed)
    }

    pub(super) fn is_closed(&self) -> bool {
        self.shared.closed.load(Ordering::Acquire)
    }

    pub(super) async fn request(&self, out: &Outgoing) -> Result<StdioInbox, Error> {
        self.send(self.next_id(), out).await
    }

    pub(super) async fn send(&self, id: u64, out: &Outgoing) -> Result<StdioInbox, Error> {
        let (sender, frames) = mpsc::unbounded_channel();
        let queued = Arc::new(AtomicU64::new(0));
        let listens = out.method == "subscriptions/listen";
        self.shared.lock().insert(id, Waiting { frames: sender, queued: queued.clone(), listens });
        let inbox = StdioInbox { id, shared: self.shared.clone(), frames, queued, done: false };
        // Checked after the insertion: the reader empties the map when it ends, and sets this first.
        if self.is_closed() {
            return Err(Error::Closed);
        }
        self.write(out.request(id)).await?;
        Ok(inbox)
    }

    pub(super) async fn write(&self, text: String) -> Result<(), Error> {
        self.shared.writes.send(text).await.map_err(|_| Error::Closed)
    }
}

impl Shared {
    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<u64, Waiting>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn close(&self, why: &Error) {
        self.closed.store(true, Ordering::Release);
        for (_, waiting) in self.lock().drain() {
            let _ = waiting.frames.send(Err(why.clone()));
        }
    }

    fn respond(&self, id: u64, frame: Inbound) {
        let waiting = self.lock().remove(&id);
        if let Some(waiting) = waiting {
            drop(waiting.frames.send(Ok(frame)));
        } else {
            tracing::warn!(server = self.server, "an answer to no open request was dropped");
        }
    }

    /// Hands a notification to the call that it belongs to, if that can be known.
    fn tell(&self, method: String, params: &str) {
        let waiting = self.lock();
        let target = match method.as_str() {
            "notifications/progress" => Object::parse(params)
                .and_then(|p| p.get("progressToken"))
                .and_then(|raw| raw.parse::<u64>().ok())
                .and_then(|id| waiting.get(&id)),
            // On one pipe a log line names no request: only a lone call can own it.
            "notifications/message" => {
                let mut calls = waiting.values().filter(|waiting| !waiting.listens);
                calls.next().filter(|_| calls.next().is_none())
            }
            _ => None,
        };
        let Some(target) = target else { return };
        if target.queued.fetch_add(1, Ordering::Relaxed) >= FRAMES_WAITING as u64 {
            target.queued.fetch_sub(1, Ordering::Relaxed);
            return;
        }
        let _ = target.frames.send(Ok(Inbound::Notification { method, params: params.to_owned() }));
    }
}

/// The frames of one request to a process.
#[derive(Debug)]
pub(super) struct StdioInbox {
    id: u64,
    shared: Arc<Shared>,
    frames: mpsc::UnboundedReceiver<Frame>,
    queued: Arc<AtomicU64>,
    done: bool,
}

impl StdioInbox {
    pub(super) async fn next(&mut self) -> Result<Inbound, Error> {
        let frame = self.frames.recv().await.unwrap_or(Err(Error::Closed));
        match &frame {
            Ok(Inbound::Notification { .. }) => drop(self.queued.fetch_sub(1, Ordering::Relaxed)),
            _ => self.done = true,
        }
        frame
    }
}

impl Drop for StdioInbox {
    fn drop(&mut self) {
        if self.done {
            return;
        }
        self.shared.lock().remove(&self.id);
        let text = format!(
            "{{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{{\"requestId\":{}}}}}",
            self.id
        );
        let _ = self.shared.writes.try_send(text);
    }
}

fn start(target: &Target) -> Result<Box<dyn ChildWrapper>, Error> {
    let Endpoint::Stdio { command, args, env, cwd } = &target.endpoint else {
        return Err(Error::Unusable("not a stdio backend".into()));
    };
    let mut wrap = CommandWrap::with_new(command, |process| {
        process.args(args).env_clear().envs(env);
        if let Some(cwd) = cwd {
            process.current_dir(cwd);
        }
        process.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    });
    wrap.wrap(ProcessGroup::leader()).wrap(KillOnDrop);
    wrap.spawn().map_err(|e| Error::Spawn { command: command.clone(), cause: e.kind().to_string() })
}

async fn write_lines(mut stdin: ChildStdin, mut outbox: mpsc::Receiver<String>, stop: CancellationToken) {
    let writing = async {
        while let Some(mut text) = outbox.recv().await {
            text.push('\n');
            // Take what else waits: one system call for many small requests.
            while text.len() < 64 << 10
                && let Ok(more) = outbox.try_recv()
            {
                text.push_str(&more);
                text.push('\n');
            }
            if stdin.write_all(text.as_bytes()).await.is_err() || stdin.flush().await.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        () = writing => {}
        () = stop.cancelled() => {}
    }
}

async fn read_lines(shared: Arc<Shared>, stdout: impl AsyncRead + Unpin, unasked: mpsc::Sender<Unasked>) {
    let mut reader = BufReader::with_capacity(64 << 10, stdout);
    let mut line = Vec::new();
    let why = loop {
        line.clear();
        match read_line(&mut reader, &mut line, shared.limit).await {
            Ok(false) => break Error::Closed,
            Ok(true) => {}
            Err(e) => break e,
        }
        if line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        if let Err(e) = dispatch(&shared, &line, &unasked) {
            // One bad line says nothing about the next: servers print banners to standard output.
            tracing::warn!(server = shared.server, "{e}");
        }
    };
    shared.close(&why);
}

/// Reads up to and with a newline into `line`; false at the end of the stream.
async fn read_line<R: AsyncRead + Unpin>(
    reader: &mut BufReader<R>,
    line: &mut Vec<u8>,
    limit: usize,
) -> Result<bool, Error> {
    loop {
        let available = reader.fill_buf().await.map_err(|_| Error::Closed)?;
        if available.is_empty() {
            return Ok(!line.is_empty());
        }
        let end = memchr::memchr(b'\n', available);
        let take = end.map_or(available.len(), |at| at + 1);
        line.extend_from_slice(available.get(..take).unwrap_or_default());
        reader.consume(take);
        if line.len() > limit {
            return Err(Error::TooLarge(limit));
        }
        if end.is_some() {
            return Ok(true);
        }
    }
}

fn dispatch(shared: &Arc<Shared>, line: &[u8], unasked: &mpsc::Sender<Unasked>) -> Result<(), Error> {
    let limits = JsonLimits { bytes: shared.limit, ..JsonLimits::default() };
    let text = check(line, &limits).map_err(|e| Error::Garbage(e.to_string()))?.trim();
    match Message::parse(text).map_err(|e| Error::Garbage(e.to_string()))? {
        Message::Response { id, outcome } => {
            let Some(id) = id.as_ref().and_then(crate::mcp::Id::as_u64) else {
                return Err(Error::Garbage("an answer without a known id".into()));
            };
            shared.respond(
                id,
                match outcome {
                    Outcome::Result(raw) => Inbound::Result(raw.to_owned()),
                    Outcome::Error(raw) => Inbound::Error(raw.to_owned()),
                },
            );
        }
        Message::Notification { method, params } => {
            if method.ends_with("/list_changed") {
                let _ = unasked.try_send(Unasked::ListChanged);
            } else {
                shared.tell(method, params.unwrap_or("{}"));
            }
        }
        Message::Request { id, method, .. } => {
            // We declared no client capability, so only `ping` can be asked of us.
            let answer = if method == "ping" {
                format!("{{\"jsonrpc\":\"2.0\",\"id\":{},\"result\":{{}}}}", id.raw())
            } else {
                format!(
                    "{{\"jsonrpc\":\"2.0\",\"id\":{},\"error\":{{\"code\":{},\"message\":\"not supported by this client\"}}}}",
                    id.raw(),
                    codes::METHOD_NOT_FOUND
                )
            };
            let _ = shared.writes.try_send(answer);
        }
    }
    Ok(())
}

/// Standard error is bounded in line length and count, and logged only after redaction by the log layer.
async fn log_stderr(server: String, stderr: impl AsyncRead + Unpin) {
    let mut reader = BufReader::new(stderr);
    let mut line = Vec::new();
    let mut lines = 0usize;
    loop {
        line.clear();
        match read_line(&mut reader, &mut line, 1 << 20).await {
            Ok(true) => {}
            Ok(false) | Err(Error::Closed) => return,
            Err(_) => continue,
        }
        lines += 1;
        // Content never reaches our own log: only that something was written, and how much.
        if lines <= STDERR_LINES {
            tracing::debug!(
                server,
                bytes = line.len().min(STDERR_LINE),
                "the backend wrote to standard error"
            );
        }
    }
}
