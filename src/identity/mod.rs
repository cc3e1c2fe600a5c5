//! Who is calling?
//!
//! Bearer tokens, kept as hashes in a small SQLite file that the gateway and the command line share. What
//! comes out is a [`Caller`]; the credential itself goes no further than this stage.

mod caller;
mod challenge;
mod claims;
mod store;
mod token;
mod tokens;
mod ttl;

use std::sync::Arc;

pub use self::caller::{Caller, PrincipalKind, SharedCaller};
pub use self::challenge::{Challenge, bearer};
pub use self::claims::{Claim, Claims};
pub use self::store::{State, TokenRecord};
pub use self::token::PREFIX;
pub use self::tokens::{Authenticated, NewToken, Tokens};
pub use self::ttl::{BadTtl, Ttl};

/// Why a request is not authenticated. Holds no part of the credential, only its public id where it is known.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// No bearer token.
    #[error("no bearer token")]
    Missing,
    /// It has not the form of a token.
    #[error("not a token of this gateway")]
    Malformed,
    /// Its checksum is wrong: mistyped, cut off or made up.
    #[error("the token is damaged")]
    BadChecksum,
    /// No such token was ever made here.
    #[error("the token is not known")]
    Unknown,
    /// Its life is over.
    #[error("the token has expired")]
    Expired {
        /// Public id of the credential.
        credential: Arc<str>,
    },
    /// It was taken back.
    #[error("the token was revoked")]
    Revoked {
        /// Public id of the credential.
        credential: Arc<str>,
    },
    /// The store cannot be read, so nobody is let in.
    #[error("tokens cannot be checked at the moment")]
    Unavailable,
}

impl Refused {
    /// One word for records and metrics.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Malformed => "malformed",
            Self::BadChecksum => "bad_checksum",
            Self::Unknown => "unknown",
            Self::Expired { .. } => "expired",
            Self::Revoked { .. } => "revoked",
            Self::Unavailable => "unavailable",
        }
    }

    /// What the client is told.
    pub fn description(&self) -> &'static str {
        match self {
            Self::Missing => "no bearer token",
            Self::Malformed => "not a token of this gateway",
            Self::BadChecksum => "the token is damaged",
            Self::Unknown => "the token is not known",
            Self::Expired { .. } => "the token has expired",
            Self::Revoked { .. } => "the token was revoked",
            Self::Unavailable => "tokens cannot be checked at the moment",
        }
    }

    /// Public id of the credential, where it is known.
    pub fn credential(&self) -> Option<&str> {
        match self {
            Self::Expired { credential } | Self::Revoked { credential } => Some(credential),
            Self::Missing | Self::Malformed | Self::BadChecksum | Self::Unknown | Self::Unavailable => None,
        }
    }
}

/// Why tokens cannot be made, listed or revoked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The folder or file cannot be used.
    #[error("token store `{path}`: {source}")]
    File {
        /// Which one.
        path: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// SQLite failed.
    #[error("token store: {0}")]
    Store(#[from] rusqlite::Error),
    /// A newer Sealgate made the file.
    #[error("the token store has format {found}, this version reads {known}: use the newer version")]
    Newer {
        /// The file's format.
        found: i64,
        /// Ours.
        known: i64,
    },
    /// A row does not read back.
    #[error("token `{0}` in the store is damaged: revoke it and make a new one")]
    Damaged(String),
    /// The machine has no randomness.
    #[error("the system gives no random numbers: no token was made")]
    NoRandomness,
    /// A field of a new token cannot be taken.
    #[error("`{field}` {why}")]
    Field {
        /// Which one.
        field: &'static str,
        /// What is wrong with it.
        why: &'static str,
    },
    /// No token has this id.
    #[error("no such token: `sealgate token list` shows their ids")]
    NoSuchToken,
    /// Several tokens begin with this.
    #[error("{count} tokens begin with `{prefix}`: write more of the id")]
    Ambiguous {
        /// What was written.
        prefix: String,
        /// How many there are.
        count: usize,
    },
}
