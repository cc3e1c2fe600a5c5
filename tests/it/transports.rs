//! The transports on both sides, over real sockets.

mod backend;
mod batches;
mod front;
mod pipe;
mod tls;
mod upstream;
