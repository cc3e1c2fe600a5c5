//! The transports on both sides, over real sockets.

mod backend;
mod tls;
mod upstream;
