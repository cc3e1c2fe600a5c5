//! How is it proven? The Merkle tree over the records' hashes: proofs, tiles, signed checkpoints.

pub(super) mod checkpointer;
pub mod keys;
pub mod note;
pub mod proof;
mod prover;
pub(super) mod store;
pub(super) mod tiles;

pub use prover::{Inclusion, Prover};
pub use store::{Anchored, Signed};
pub use tiles::WIDTH;
