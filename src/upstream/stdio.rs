//! The stdio transport (MCP, Transports, "stdio"): one JSON-RPC message a line.

use super::link::{Surroundings, Unasked};
use super::pipe::{Carrier, Ends, Pipe, Shared, Write, dispatch};
use super::{Endpoint, Error, Target};
use process_wrap::tokio::{ChildWrapper, CommandWrap, KillOnDrop, ProcessGroup};
use std::process::Stdio;
use std::sync::Arc;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWriteExt, BufReader};
use tokio::process::ChildStdin;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Longest line of standard error that is logged.
const STDERR_LINE: usize = 2048;
/// Most lines of standard error that are logged from one process.
const STDERR_LINES: usize = 1000;

/// Starts the process of a backend.
pub(super) fn spawn(target: &Target, around: &Surroundings) -> Result<Pipe, Error> {
    let mut child = start(target)?;
    let (Some(stdin), Some(stdout)) = (child.stdin().take(), child.stdout().take()) else {
        return Err(Error::Closed);
    };
    let (pipe, ends) = Pipe::new(target, around, Carrier::Process);
    let Ends { shared, outbox, unasked, stop } = ends;
    if let Some(stderr) = child.stderr().take() {
        around.tracker.spawn(log_stderr(target.id.clone(), stderr));
    }
    around.tracker.spawn(write_lines(stdin, outbox, stop.clone()));
    around.tracker.spawn(async move {
        tokio::select! {
            () = read_lines(shared, stdout) => {}
            () = stop.cancelled() => {}
        }
        // Ends the group even if a grandchild still holds the pipes.
        let _ = child.start_kill();
        let _ = child.wait().await;
        let _ = unasked.try_send(Unasked::Closed);
    });
    Ok(pipe)
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

async fn write_lines(mut stdin: ChildStdin, mut outbox: mpsc::Receiver<Write>, stop: CancellationToken) {
    let writing = async {
        while let Some(Write { mut text, .. }) = outbox.recv().await {
            text.push('\n');
            // Take what else waits: one system call for many small requests.
            while text.len() < 64 << 10
                && let Ok(more) = outbox.try_recv()
            {
                text.push_str(&more.text);
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

async fn read_lines(shared: Arc<Shared>, stdout: impl AsyncRead + Unpin) {
    let mut reader = BufReader::with_capacity(64 << 10, stdout);
    let mut line = Vec::new();
    let why = loop {
        line.clear();
        match read_line(&mut reader, &mut line, shared.limit()).await {
            Ok(false) => break Error::Closed,
            Ok(true) => {}
            Err(e) => break e,
        }
        if line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        if let Err(e) = dispatch(&shared, &line) {
            // One bad line says nothing about the next: servers print banners to standard output.
            tracing::warn!(server = shared.server(), "{e}");
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
