//! A gateway in this very process: one connection, as over any other transport that carries messages.

use super::lines::{Line, Lines, write, write_one};
use crate::http::{Connection, Rejection};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;

/// How long what is under way may take after the agent has closed its end.
const DRAIN: Duration = Duration::from_secs(5);

/// Carries messages both ways until the input ends, or the connection does.
pub async fn serve(
    mut connection: Connection,
    input: impl AsyncRead + Unpin,
    mut output: impl AsyncWrite + Unpin,
) {
    let (limit, over) = (connection.limit(), connection.over().clone());
    let Some(mut messages) = connection.take_messages() else { return };
    let reading = async {
        let mut lines = Lines::new(input, limit);
        loop {
            match lines.next().await {
                Ok(Some(Line::Text(line))) => connection.take(&line).await,
                Ok(Some(Line::TooLong)) => connection.turn_away(&Rejection::TooLarge(limit)).await,
                Ok(None) | Err(_) => break,
            }
        }
        // Who closes its end has asked all it wanted, and may still read.
        let _ = timeout(DRAIN, connection.idle()).await;
    };
    tokio::select! {
        () = reading => {}
        () = write(&mut output, &mut messages) => {}
        () = over.cancelled() => {}
    }
    while let Ok(message) = messages.try_recv() {
        if write_one(&mut output, message).await.is_err() {
            return;
        }
    }
}
