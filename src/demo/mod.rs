//! What can a newcomer call before they have connected a server of their own?
//!
//! Two small MCP servers that speak newline-delimited JSON-RPC over stdio and need nothing but this
//! binary: `crm` (customers with personal data) and `ops` (incidents, runbooks with credentials, a slow
//! report). Both speak the session revisions 2025-03-26 to 2025-11-25 and the stateless revision 2026-07-28.
//! They are backends *behind* the gateway: nothing here is filtered, authorized or recorded, on purpose.

mod card;
mod crm;
mod journal;
mod ops;
mod protocol;
mod server;
mod service;
#[cfg(test)]
mod tests;
mod tools;

use std::path::PathBuf;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader, BufWriter};
use tokio::sync::mpsc;

use server::Server;

/// Messages that may wait for a slow reader of our standard output before we stop reading requests.
const OUTGOING_LIMIT: usize = 256;

/// Which of the demo servers to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Profile {
    /// Customers of a fictional company: search, read, change, delete, export.
    Crm,
    /// Incidents, services, runbooks and a long-running report.
    Ops,
}

/// Which protocol revisions to speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Era {
    /// `initialize` and sessions only: 2025-03-26, 2025-06-18, 2025-11-25.
    Legacy,
    /// Stateless requests only: 2026-07-28.
    Modern,
    /// Both; each request shows which one it is by its `_meta`.
    Dual,
}

/// The command line of the hidden subcommand `demo-server`.
#[derive(Debug, Clone, clap::Args)]
pub struct Options {
    /// The server to be.
    pub profile: Profile,
    /// The protocol revisions to speak.
    #[arg(long, default_value = "dual")]
    pub era: Era,
    /// A file to which one JSON line is appended and synced for each tool call, before it runs.
    #[arg(long, value_name = "FILE")]
    pub journal: Option<PathBuf>,
}

/// Why a demo server could not start or go on.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The customers that ship with the binary are not the JSON that we expect.
    #[error("the built-in customer records do not parse; rebuild from a clean checkout")]
    Records(#[source] serde_json::Error),
    /// The journal cannot be opened for appending.
    #[error("cannot open the journal `{path}`; check that its folder exists and is writable")]
    Journal {
        /// The file that was asked for.
        path: PathBuf,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// Standard input or output failed.
    #[error("lost the connection to the client on standard input or output")]
    Connection(#[from] std::io::Error),
}

/// Serves one client until its end of `stdin`, then drops what still runs and returns.
pub async fn serve<R, W>(options: Options, stdin: R, stdout: W) -> Result<(), Error>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    let (outgoing, queue) = mpsc::channel(OUTGOING_LIMIT);
    let server = Server::new(&options, outgoing.clone())?;
    tokio::try_join!(read(server, stdin, outgoing), write(queue, stdout))?;
    Ok(())
}

async fn read<R>(mut server: Server, stdin: R, outgoing: mpsc::Sender<Value>) -> Result<(), Error>
where
    R: AsyncRead + Unpin,
{
    let mut lines = BufReader::new(stdin).split(b'\n');
    let mut running = FuturesUnordered::new();
    loop {
        let messages = tokio::select! {
            line = lines.next_segment() => match line? {
                None => return Ok(()),
                Some(line) if line.iter().all(u8::is_ascii_whitespace) => Vec::new(),
                Some(line) => {
                    let step = server.receive(&line);
                    running.extend(step.jobs);
                    step.messages
                }
            },
            Some(ended) = running.next() => server.ended(ended),
        };
        for message in messages {
            // The receiver lives as long as standard output; its error ends `serve` first.
            if outgoing.send(message).await.is_err() {
                return Ok(());
            }
        }
    }
}

async fn write<W>(mut queue: mpsc::Receiver<Value>, stdout: W) -> Result<(), Error>
where
    W: AsyncWrite + Unpin,
{
    let mut stdout = BufWriter::new(stdout);
    while let Some(message) = queue.recv().await {
        let mut line = message.to_string();
        line.push('\n');
        stdout.write_all(line.as_bytes()).await?;
        if queue.is_empty() {
            stdout.flush().await?;
        }
    }
    stdout.shutdown().await?;
    Ok(())
}
