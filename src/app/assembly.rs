//! How rules are made from what is configured and listed.

use super::backends;
use super::definitions::{self, Compiled, HeldTool, Keeper, Kept, Settlement};
use super::problems::{from_policy, problem};
use crate::clock::Clock;
use crate::config::{Config, Problem};
use crate::gateway::{Parts, Rules, Vaulted};
use crate::inspect::Inspector;
use crate::inspect::sanitize::Sanitizer;
use crate::policy::Policies;
use crate::recognizer::Recognizer;
use crate::route::{Book, Catalog, PinStore, Source};
use crate::upstream::{Event, Listing, Upstream};
use serde::Serialize;
use std::collections::HashMap;
use std::sync::Arc;

/// What definitions, calls and results pass.
#[derive(Debug, Clone)]
pub(super) struct Filters {
    pub inspector: Arc<Inspector>,
    pub recognizer: Option<Recognizer>,
    pub sanitizer: Arc<Sanitizer>,
    pub pins: Arc<PinStore>,
    pub vaulted: Option<Vaulted>,
}

/// What rules are made from.
#[derive(Debug, Clone)]
pub(super) struct Makings {
    pub config: Config,
    pub filters: Filters,
    pub compiled: Compiled,
    pub upstreams: HashMap<String, Arc<Upstream>>,
    pub known: HashMap<String, Known>,
}

#[derive(Debug, Clone, Default)]
pub(super) struct Known {
    pub listing: Option<Arc<Listing>>,
    pub down: Option<String>,
}

/// Digests of what is in force, as records of changes name them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct InForce {
    /// Of the configuration's files.
    pub(super) config: String,
    entities: String,
    policy_set: String,
    ruleset: String,
    schema: String,
}

/// Rules that are ready, and what they were made from.
pub(super) struct Next {
    pub makings: Makings,
    pub rules: Rules,
    pub in_force: InForce,
    pub notes: Vec<String>,
    pub held: Vec<HeldTool>,
    pub settlement: Settlement,
}

impl Makings {
    pub fn note(&mut self, event: Event) {
        match event {
            Event::Listed(server, listing) => {
                self.known.insert(server, Known { listing: Some(listing), down: None });
            }
            Event::Down(server, why) => {
                self.known.entry(server).or_default().down = Some(why.to_string());
            }
        }
    }

    /// Stops the backends that are not among the others'.
    pub fn abandon(&self, others: &Self) {
        for (id, upstream) in &self.upstreams {
            if !others.upstreams.get(id).is_some_and(|other| Arc::ptr_eq(other, upstream)) {
                upstream.stop();
            }
        }
    }
}

/// Whether policies may name tools that are not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Names {
    /// A name that nobody lists is a mistake.
    MustExist,
    /// The policy waits until somebody lists it.
    MayWait,
}

/// Makes rules; takes tens of milliseconds, so never on an async thread.
pub(super) fn assemble(mut makings: Makings, generation: u64, names: Names) -> Result<Next, Vec<Problem>> {
    let config = &makings.config;
    let Filters { inspector, recognizer, sanitizer, pins, vaulted } = makings.filters.clone();
    let of_pins = |e: crate::route::PinError| vec![problem(&config.data_dir, e.to_string(), "see `pins.db`")];
    let book = Book::of(pins.pins().map_err(of_pins)?);
    let outside = pins.unrecorded().map_err(of_pins)?;
    let own = definitions::test(config, &sanitizer);
    let own =
        own.map_err(|e| vec![problem(&config.data_dir, e, "see the section `sanitize` of the server")])?;
    let keeper = Keeper::new(config, &inspector, &sanitizer, (book, Clock::system().now_us()));
    let enabled: Vec<_> = config.mcp_servers.iter().filter(|(_, server)| !server.disabled).collect();
    let sources = enabled.iter().map(|(id, server)| {
        let known = makings.known.get(id.as_str()).cloned().unwrap_or_default();
        let instructions = known.listing.as_ref().and_then(|listing| listing.instructions.as_deref());
        let silenced = keeper.silences(id.as_str(), instructions);
        Source {
            server: id.as_str().to_owned(),
            listing: known.listing,
            down: known.down,
            silenced,
            extensions: server.extension_methods.clone(),
        }
    });
    let catalog = Catalog::build(sources.collect(), &keeper);
    let Kept { book, notes: told, held } = keeper.kept();
    let mut models: Vec<_> =
        enabled.iter().map(|(id, server)| backends::model(id.as_str(), server, &catalog)).collect();
    if names == Names::MayWait {
        for model in &mut models {
            model.discovered = false;
        }
    }
    let policies = Policies::load(&config.policies, &models, Some(&backends::abilities(config, &inspector)))
        .map_err(|problems| problems.into_iter().map(from_policy).collect::<Vec<_>>())?;
    let mut notes: Vec<String> = policies.warnings().iter().map(ToString::to_string).collect();
    notes.extend(catalog.problems.iter().cloned());
    notes.extend(inspector.warnings());
    notes.extend(recognizer.as_ref().and_then(Recognizer::warning));
    if policies.observing() {
        notes.push("POLICY IS NOT ENFORCED: `policies.mode` is `observe`, denials are only recorded".into());
    }
    notes.extend(
        enabled.iter().flat_map(|(id, server)| backends::idle_settings(id.as_str(), server, &catalog)),
    );
    notes.extend(own.into_iter().chain(told));
    let checks = definitions::checks(config, &catalog, &mut makings.compiled, &mut notes);
    for note in &notes {
        tracing::warn!("{note}");
    }
    let digests = policies.digests();
    let in_force = InForce {
        config: config.digest().to_owned(),
        entities: digests.entities.clone(),
        policy_set: digests.policy_set.clone(),
        ruleset: inspector.ruleset_digest().to_owned(),
        schema: digests.schema.clone(),
    };
    let rules = Rules::new(
        generation,
        Parts {
            policies,
            inspector,
            recognizer,
            sanitizer,
            vaulted,
            checks,
            catalog,
            upstreams: makings.upstreams.clone(),
            page_size: config.limits.page_size,
            call_timeout: config.limits.call_timeout(),
            question_timeout: config.limits.question_timeout(),
        },
    );
    let settlement = Settlement { book, outside };
    Ok(Next { makings, rules, in_force, notes, held, settlement })
}
