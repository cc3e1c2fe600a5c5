//! A witness's client: submits a checkpoint with a consistency proof, and keeps the cosignature (C2SP
//! tlog-witness).

use super::{Error, config};
use crate::audit::tree::note::{self, Note, Use, Verifier, print_hash};
use crate::audit::tree::{Prover, Signed};
use std::path::Path;
use std::time::Duration;

/// Largest answer that is read, in bytes.
const LARGEST: usize = 64 << 10;

/// A witness.
#[derive(Debug, Clone)]
pub(super) struct Client {
    url: String,
    verifier: Verifier,
    http: reqwest::Client,
}

/// What a witness said.
enum Answer {
    Cosigned(String),
    /// It has cosigned another size last.
    At(u64),
}

impl Client {
    pub(super) fn new(config: &config::Witness) -> Result<Self, Error> {
        let bad =
            |why: &str| Error::Setting { name: format!("witnesses ({})", config.url), why: why.to_owned() };
        let verifier = Verifier::parse(&config.vkey).map_err(|e| bad(&e.to_string()))?;
        if verifier.purpose() != Use::Witness {
            return Err(bad("its key is not one for cosignatures (signature type 4)"));
        }
        url::Url::parse(&config.url).map_err(|_| bad("its `url` is not one"))?;
        let http = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(Duration::from_secs(10))
            .build()
            .map_err(|_| bad("the HTTP client cannot be built"))?;
        Ok(Self { url: config.url.trim_end_matches('/').to_owned(), verifier, http })
    }

    pub(super) fn name(&self) -> String {
        format!("witness:{}", self.verifier.name())
    }

    /// Submits a checkpoint; `old` is what the witness cosigned last, as far as is known here. Returns the
    /// cosignature lines.
    pub(super) async fn submit(&self, folder: &Path, old: u64, signed: &Signed) -> Result<String, Error> {
        match self.add(folder, old, signed).await? {
            Answer::Cosigned(lines) => Ok(lines),
            // It knows more of this log than the log itself: the log was rolled back, or there are two of it.
            Answer::At(size) if size > signed.size => {
                Err(Error::Rollback { target: self.name(), size, here: signed.size })
            }
            Answer::At(size) if size == signed.size && old == size => {
                Err(Error::Forked { target: self.name(), size })
            }
            Answer::At(size) => match self.add(folder, size, signed).await? {
                Answer::Cosigned(lines) => Ok(lines),
                Answer::At(_) => Err(Error::Forked { target: self.name(), size }),
            },
        }
    }

    async fn add(&self, folder: &Path, old: u64, signed: &Signed) -> Result<Answer, Error> {
        let unreachable = |why: String| Error::Unreachable { target: self.name(), why };
        let proof = Prover::open(folder)?.consistency(old, signed.size)?;
        let proof: String = proof.iter().map(|hash| print_hash(hash) + "\n").collect();
        let body = format!("old {old}\n{proof}\n{}", signed.note);
        let sent = self.http.post(format!("{}/add-checkpoint", self.url)).body(body).send().await;
        let answer = sent.map_err(|e| unreachable(e.without_url().to_string()))?;
        let status = answer.status().as_u16();
        if answer.content_length().is_some_and(|length| length > LARGEST as u64) {
            return Err(unreachable("its answer is too long".into()));
        }
        let text = answer.text().await.map_err(|e| unreachable(e.without_url().to_string()))?;
        match status {
            200 => {
                let text_signed = Note::parse(&signed.note)?;
                let known = [self.verifier.clone()];
                note::cosignatures(text_signed.text(), &text, &known)
                    .map(Answer::Cosigned)
                    .map_err(Into::into)
            }
            409 => note::decimal(text.trim_end_matches('\n'))
                .map(Answer::At)
                .ok_or_else(|| Error::Forked { target: self.name(), size: signed.size }),
            404 => Err(unreachable("it does not know this log (404): tell it origin and key".into())),
            403 => Err(unreachable("it does not trust this log's key (403)".into())),
            422 => Err(Error::Forked { target: self.name(), size: signed.size }),
            other => Err(unreachable(format!("it answered {other}"))),
        }
    }
}
