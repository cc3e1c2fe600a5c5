//! What can go wrong on the way to a backend and back.

/// Why a backend gave no usable answer. Texts name the cause, never content.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The process could not be started.
    #[error("cannot start `{command}`: {cause}")]
    Spawn {
        /// The program.
        command: String,
        /// The operating system's reason.
        cause: String,
    },
    /// The endpoint could not be reached.
    #[error("cannot reach the backend: {0}")]
    Unreachable(String),
    /// The connection or process ended before the answer.
    #[error("the backend closed the connection before it answered")]
    Closed,
    /// Not up, and being retried.
    #[error("the backend is down: {0}")]
    Down(String),
    /// What came back is not MCP.
    #[error("the backend answered with something that is not MCP: {0}")]
    Garbage(String),
    /// What came back is larger than allowed.
    #[error("the backend's message exceeds {0} bytes")]
    TooLarge(usize),
    /// No answer in time.
    #[error("the backend did not answer in time")]
    Timeout,
    /// An HTTP status that says no.
    #[error("the backend answered with HTTP status {0}")]
    Status(u16),
    /// The session is unknown there, so that nothing ran.
    #[error("the backend has forgotten the session")]
    SessionExpired,
    /// The handshake failed.
    #[error("the handshake failed: {0}")]
    Handshake(String),
    /// Too many calls at once.
    #[error("too many calls to this backend at once")]
    Busy,
    /// The configured URL or a header is unusable.
    #[error("the configuration of this backend is unusable: {0}")]
    Unusable(String),
}
