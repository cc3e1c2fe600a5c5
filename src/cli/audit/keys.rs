//! `sealgate audit keys` and `anchor`

use super::order::{self, give};
use super::{Done, Format, Place, say, time};
use crate::audit::Order;
use crate::audit::tree::{Prover, keys};
use serde_json::json;

/// The verbs of `audit keys`.
#[derive(Debug, clap::Subcommand)]
pub(in crate::cli) enum Verb {
    /// List the verification keys, with those that sign now.
    List(List),
    /// Add a key: it and the old ones sign together, until the old ones are retired. Publish it before that.
    Rotate(List),
    /// Take all signing keys but the newest away.
    Retire(List),
}

/// Options of listings and simple orders.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct List {
    #[command(flatten)]
    place: Place,
    /// The form of the result.
    #[arg(long, short, value_enum, default_value = "text")]
    output: Format,
}

pub(super) fn run(verb: &Verb) -> Done {
    match verb {
        Verb::List(options) => list(options),
        Verb::Rotate(options) => give(&options.place, &Order::Rotate { by: "cli".into() }, options.output),
        Verb::Retire(options) => give(&options.place, &Order::Retire { by: "cli".into() }, options.output),
    }
}

fn list(options: &List) -> Done {
    let folder = options.place.data_dir()?;
    let published: Vec<String> = keys::published(&folder)?.iter().map(ToString::to_string).collect();
    let signing: Vec<String> = match keys::read(&folder.join(keys::SECRET)) {
        Ok(signers) => signers.iter().map(|signer| signer.verifier().to_string()).collect(),
        Err(_) => Vec::new(),
    };
    let line =
        |key: &String| format!("{} {key}\n", if signing.contains(key) { "signs  " } else { "retired" });
    let text: String = published.iter().map(line).collect();
    say(options.output, &json!({"published": published, "signing": signing}), &text)
}

/// The verbs of `audit anchor`.
#[derive(Debug, clap::Subcommand)]
pub(in crate::cli) enum Anchor {
    /// List what each anchor has taken last.
    List(List),
    /// Add the newest checkpoint to the anchor file now.
    Now(List),
}

pub(super) fn anchor(verb: &Anchor) -> Done {
    match verb {
        Anchor::List(options) => {
            let anchored = Prover::open(&options.place.data_dir()?)?.anchors()?;
            let line =
                |a: &crate::audit::tree::Anchored| format!("{:>10}  {}  {}\n", a.size, time(a.t), a.target);
            let text: String = anchored.iter().map(line).collect();
            say(options.output, &json!({"anchors": anchored}), &text)
        }
        Anchor::Now(options) => order::give(&options.place, &Order::Anchor, options.output),
    }
}
