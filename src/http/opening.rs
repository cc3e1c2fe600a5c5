//! The first bytes of a connection: they must come in time, whatever protocol they begin.
//!
//! The server tells HTTP/1.1 from HTTP/2 by them and waits without a limit of its own, so that silent
//! connections would pile up.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

/// Length of the HTTP/2 preface (RFC 9113 §3.4); no request head of HTTP/1.1 with a `Host` is shorter.
const PREFACE: usize = 24;

/// A connection that fails unless its first bytes come within a time.
#[derive(Debug)]
pub(super) struct Opening<S> {
    stream: S,
    seen: usize,
    patience: Option<Pin<Box<Sleep>>>,
}

impl<S> Opening<S> {
    pub(super) fn new(stream: S, patience: Duration) -> Self {
        Self { stream, seen: 0, patience: Some(Box::pin(sleep(patience))) }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Opening<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buf);
        let Some(patience) = &mut self.patience else { return read };
        match read {
            Poll::Pending => patience.as_mut().poll(cx).map(|()| Err(io::ErrorKind::TimedOut.into())),
            Poll::Ready(done) => {
                self.seen += buf.filled().len() - before;
                if self.seen >= PREFACE {
                    self.patience = None;
                }
                Poll::Ready(done)
            }
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Opening<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    #[tokio::test]
    async fn the_first_bytes_must_come_in_time_and_the_others_need_not() {
        let patience = Duration::from_millis(20);
        for sent in ["", "PRI * HTTP/2.0\r\n"] {
            let (mut agent, ours) = tokio::io::duplex(1024);
            let mut opening = Opening::new(ours, patience);
            agent.write_all(sent.as_bytes()).await.unwrap();
            let mut got = vec![0; sent.len()];
            opening.read_exact(&mut got).await.unwrap();
            assert_eq!(opening.read_u8().await.unwrap_err().kind(), io::ErrorKind::TimedOut, "{sent}");
        }
        let (mut agent, ours) = tokio::io::duplex(1024);
        let mut opening = Opening::new(ours, patience);
        agent.write_all(b"POST /mcp HTTP/1.1\r\nHost: x").await.unwrap();
        opening.read_exact(&mut [0; 27]).await.unwrap();
        sleep(patience * 2).await;
        agent.write_all(b"!").await.unwrap();
        assert_eq!(opening.read_u8().await.unwrap(), b'!');
    }
}
