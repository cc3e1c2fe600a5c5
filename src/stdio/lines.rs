//! One JSON-RPC message a line (MCP, Transports, "stdio"), in both directions.

use std::io;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader};
use tokio::sync::mpsc;

/// What stands on the input.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// A line that is not blank.
    Text(Vec<u8>),
    /// A line longer than allowed. The rest of it is skipped.
    TooLong,
}

/// Reads lines of bounded length.
pub(super) struct Lines<R> {
    input: BufReader<R>,
    line: Vec<u8>,
    skips: bool,
    limit: usize,
}

impl<R: AsyncRead + Unpin> Lines<R> {
    pub(super) fn new(input: R, limit: usize) -> Self {
        Self { input: BufReader::with_capacity(64 << 10, input), line: Vec::new(), skips: false, limit }
    }

    /// The next line, or `None` at the end. Can be cancelled without losing anything.
    pub(super) async fn next(&mut self) -> io::Result<Option<Line>> {
        loop {
            let available = self.input.fill_buf().await?;
            if available.is_empty() {
                // A line without an end is none: its writer has died over it.
                return Ok(None);
            }
            let end = memchr::memchr(b'\n', available);
            let taken = end.map_or(available.len(), |at| at + 1);
            if !self.skips {
                self.line.extend_from_slice(available.get(..taken).unwrap_or_default());
            }
            self.input.consume(taken);
            let (skipped, ends) = (self.skips, end.is_some());
            self.skips = (skipped || self.line.len() > self.limit) && !ends;
            if self.line.len() > self.limit {
                self.line = Vec::new();
                return Ok(Some(Line::TooLong));
            }
            if ends && !skipped {
                let line = std::mem::take(&mut self.line);
                if !line.iter().all(u8::is_ascii_whitespace) {
                    return Ok(Some(Line::Text(line)));
                }
            }
        }
    }
}

/// Writes messages, in order, until nobody sends or reads them any more.
pub(super) async fn write<W: AsyncWrite + Unpin>(output: &mut W, messages: &mut mpsc::Receiver<String>) {
    while let Some(message) = messages.recv().await {
        if write_one(output, message).await.is_err() {
            return;
        }
    }
}

/// Writes one message.
pub(super) async fn write_one<W: AsyncWrite + Unpin>(output: &mut W, message: String) -> io::Result<()> {
    let mut line = one_line(message);
    line.push('\n');
    output.write_all(line.as_bytes()).await?;
    output.flush().await
}

/// JSON has no raw line breaks inside strings, but may have them between tokens.
fn one_line(message: String) -> String {
    if message.contains(['\n', '\r']) { message.replace(['\n', '\r'], " ") } else { message }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn lines_are_found_and_long_ones_skipped() {
        let long = "x".repeat(200_000);
        let text = format!("one\n\n{long}\n  \r\ntwo\r\n{long}\nthree\nunfinished");
        let mut lines = Lines::new(text.as_bytes(), 100);
        let mut found = Vec::new();
        while let Some(line) = lines.next().await.unwrap() {
            found.push(match line {
                Line::Text(line) => String::from_utf8(line).unwrap().trim().to_owned(),
                Line::TooLong => "too long".into(),
            });
        }
        assert_eq!(found, ["one", "too long", "two", "too long", "three"]);
    }
}
