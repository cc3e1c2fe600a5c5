//! The stage's one entry: built once per configuration, shared by all calls.

use std::borrow::Cow;
use std::cell::LazyCell;
use std::fmt;

use aws_lc_rs::{digest, hmac};
use uuid::Uuid;

use super::engine::Engine;
use super::examined::{Examined, Shape, Spot};
use super::filtered::Filtered;
use super::found::{Around, Effort, Evidence};
use super::ledger::{Ledger, commitment, hex};
use super::notes::{Notes, Passed};
use super::operators::{Mint, Operators};
use super::pass::{Named, Pass, Sighting, apply};
use super::place::Place;
use super::pointer::Exempt;
use super::rules::{self, Rule};
use super::selection::Selection;
use super::settings::Settings;
use super::told::{Entity, Outside, Texts, Told};
use super::walk::{Above, holds_json, walk};
use super::{
    Blocked, Config, Direction, Error, Finding, Limits, Manner, Operator, Route, Scope, Subject, Whose,
    custom, selftest, settings,
};

/// Rounds of masking before a value is refused.
const ROUNDS: usize = 8;
/// A value passed unseen by the recogniser.
const UNRECOGNIZED: &str = "unrecognized";
/// Stands for a text that cannot be inspected.
const WITHHELD: &str = "[WITHHELD]";

/// Finds what must not pass and masks it.
pub struct Inspector {
    engine: Engine,
    selection: Selection,
    settings: Settings,
    keyed: bool,
    /// How far pseudonyms reach, and tokens.
    scopes: (Scope, Scope),
    limits: Limits,
    key: hmac::Key,
    digest: String,
}

impl Inspector {
    /// Builds the rules and sends planted values of every rule that is on through both directions.
    ///
    /// `commitment_key` keys the commitments of findings; it is random, at least 16 bytes, and stays for the life of
    /// the log, or equal values can no longer be found by their commitment.
    ///
    /// # Errors
    /// An unknown detector, nothing left on, a limit of zero, a short key, or a planted value that comes out.
    pub fn new(config: &Config, commitment_key: &[u8]) -> Result<Self, Error> {
        if commitment_key.len() < 16 {
            return Err(Error::ShortKey { bytes: commitment_key.len() });
        }
        if let Some(limit) = config.limits.zero() {
            return Err(Error::ZeroLimit { limit });
        }
        if let Some(tokens) = &config.vault {
            tokens.check()?;
        }
        let own = custom::load(&config.rules)?;
        let mut rules = rules::load()?;
        custom::check_names(&rules, &own.rules)?;
        rules.extend(own.rules);
        let engine = Engine::new(rules, &rules::neutral()?)?;
        let selection = Selection::new(config, engine.rules())?;
        if let Some(recognizer) = &config.recognizer {
            recognizer.check()?;
            selection.counts(recognizer, engine.rules())?;
        }
        let mut inspector = Self {
            digest: ruleset_digest(&engine, &selection, &own.digest),
            keyed: selection.any(&engine, |rule| matches!(rule.how, rules::How::Keyed(_))),
            settings: Settings::new(config, engine.rules())?,
            scopes: (
                config.pseudonyms.scope,
                config.vault.as_ref().map_or(Scope::Message, |vault| vault.scope.into()),
            ),
            limits: config.limits.clone(),
            key: hmac::Key::new(hmac::HMAC_SHA256, commitment_key),
            engine,
            selection,
        };
        selftest::run(&inspector)?;
        // The self-test has needed every pattern; the traffic needs a few.
        inspector.engine.rest();
        Ok(inspector)
    }

    /// `sha256:…` over the rule files and which rules are on: equal digests find the same.
    pub fn ruleset_digest(&self) -> &str {
        &self.digest
    }

    /// Names of all detectors there are, each once, in the order of the rule files.
    pub fn detectors(&self) -> impl Iterator<Item = &'static str> {
        self.engine.rules().iter().map(|rule| rule.kind)
    }

    /// What whoever runs the gateway should know: directions, servers and tools for which everything passes.
    pub fn warnings(&self) -> Vec<String> {
        self.settings.warnings(&self.selection)
    }

    /// What is done with a rule's findings where nothing is said of a server or tool.
    pub(super) fn operator(&self, direction: Direction, kind: &str) -> Operator {
        let operators = self.settings.of(direction, Route::default());
        let at = self.engine.rules().iter().position(|rule| rule.kind == kind);
        at.and_then(|at| operators.get(at)).copied().unwrap_or_default()
    }

    /// Names of the detectors that are off in a direction; whoever runs the gateway should see them.
    pub fn disabled(&self, direction: Direction) -> impl Iterator<Item = &'static str> {
        self.detectors().zip(self.selection.on(direction)).filter(|(_, on)| !**on).map(|(kind, _)| kind)
    }

    pub(super) fn rules_on(&self, direction: Direction) -> impl Iterator<Item = &Rule> {
        self.engine
            .rules()
            .iter()
            .zip(self.selection.on(direction))
            .filter(|(_, on)| **on)
            .map(|(rule, _)| rule)
    }

    /// Masks what is found in one JSON value and stamps it. Without a finding the same bytes come back.
    ///
    /// # Errors
    /// [`Blocked`] if the text is not one JSON value or cannot be inspected within the limits.
    pub fn filter(&self, json: String, subject: &Subject<'_>) -> Result<Filtered<String>, Blocked> {
        self.filter_as(json, subject, &Manner::default())
    }

    /// The same for a value of which more is known: where it comes from, whose it is, what policy asks for.
    ///
    /// # Errors
    /// As [`filter`](Self::filter).
    pub fn filter_as(
        &self,
        json: String,
        subject: &Subject<'_>,
        manner: &Manner<'_>,
    ) -> Result<Filtered<String>, Blocked> {
        if json.len() > self.limits.bytes {
            return Err(Blocked::TooLarge { bytes: json.len(), limit: self.limits.bytes });
        }
        let exempt = Exempt::new(subject.exempt);
        let operators = self.operators(subject.direction, manner);
        let scope = self.scopes.0.of(&manner.whose, subject.call);
        let mint = manner.tokens.then(|| Mint::new(self.scopes.1.of(&manner.whose, subject.call)));
        let mut pass = self.pass(subject.direction, &operators, json.len());
        (pass.operators.scope, pass.operators.mint) = (&scope, mint.as_ref());
        if let Some(Told::Says(said)) = manner.told {
            pass.outside = Outside::Told(said);
        }
        let mut value = json;
        for _round in 0..ROUNDS {
            let edits = walk(&mut pass, &value, &exempt, &Above::default())?;
            // Later rounds look at a text that nobody was asked about.
            pass.outside = Outside::Nothing;
            if !edits.is_empty() {
                value = apply(&value, &edits);
            }
            // Masking can bring words closer to a value or make a long value short enough for a rule, so it goes on
            // until nothing is found: inspecting twice is inspecting once.
            if edits.is_empty() || !std::mem::take(&mut pass.unsettled) {
                let mut findings = pass.ledger.into_findings();
                match manner.told {
                    Some(Told::Failed(why)) => return Err(Blocked::Unrecognized { why }),
                    Some(Told::Silent) => findings.push(self.unrecognized()),
                    Some(Told::NotAsked | Told::Says(_)) | None => {}
                }
                let minted = mint.map(Mint::into_minted).unwrap_or_default();
                return Ok(Filtered::new(value, (findings, minted), subject.call));
            }
        }
        Err(Blocked::NotSettled { rounds: ROUNDS })
    }

    /// The texts of one value that a recogniser is to be asked about, with what is found masked: all strings that may be
    /// prose, but those below the pointers in `aside`, where `*` stands for any one segment.
    ///
    /// # Errors
    /// As [`filter`](Self::filter).
    pub fn texts(&self, json: &str, subject: &Subject<'_>, aside: &[&str]) -> Result<Texts, Blocked> {
        if json.len() > self.limits.bytes {
            return Err(Blocked::TooLarge { bytes: json.len(), limit: self.limits.bytes });
        }
        let masks = vec![Operator::Mask; self.engine.rules().len()];
        let mut pass = self.pass(subject.direction, &masks, json.len());
        pass.outside = Outside::Asks(Texts::new(aside));
        walk(&mut pass, json, &Exempt::new(subject.exempt), &Above::default())?;
        match pass.outside {
            Outside::Asks(texts) => Ok(texts),
            Outside::Nothing | Outside::Told(_) => Ok(Texts::default()),
        }
    }

    /// What was answered, for [`filter_as`](Self::filter_as) of the same value. None if it does not fit the texts.
    pub fn told(&self, texts: Texts, direction: Direction, answers: &[Vec<Entity>]) -> Option<Told> {
        let rule = |kind: &str| {
            let at = self.engine.rules().iter().position(|rule| rule.kind == kind)?;
            (!self.selection.is_off(direction, kind)).then_some(at)
        };
        texts.answered(answers, rule).map(Told::Says)
    }

    /// What the record says of a value that passes although nobody could say what is in it.
    fn unrecognized(&self) -> Finding {
        Finding {
            commitment: commitment(&self.key, UNRECOGNIZED, ""),
            count: 1,
            decoded: Vec::new(),
            evidence: Evidence::Recognizer.name(),
            operator: Operator::Allow.name(),
            pointer: String::new(),
            kind: UNRECOGNIZED,
        }
    }

    /// The operators of the settings, or stricter ones where policy asks for them.
    fn operators(&self, direction: Direction, manner: &Manner<'_>) -> Cow<'_, [Operator]> {
        let mut operators = self.settings.of(direction, manner.route);
        if !manner.at_least.is_empty() {
            for (rule, operator) in self.engine.rules().iter().zip(operators.to_mut()) {
                let wanted = manner.at_least.iter().filter(|(kind, _)| *kind == rule.kind);
                *operator = wanted.map(|(_, wanted)| *wanted).fold(*operator, Operator::max);
            }
        }
        operators
    }

    /// The scope of tokens: within it equal values have equal tokens, and outside of it none is opened.
    pub fn token_scope(&self, whose: &Whose<'_>, call: Uuid) -> String {
        self.scopes.1.of(whose, call)
    }

    /// Types, and operators that cannot be honoured for them: where they are named for them, that is an error.
    pub fn unfit(&self) -> impl Iterator<Item = (&'static str, Operator)> {
        let each = |rule: &'static str, of: &Rule| {
            let unfit = Operator::ALL.into_iter().filter(|operator| settings::unfit(of, *operator));
            unfit.map(|operator| (rule, operator)).collect::<Vec<_>>()
        };
        self.engine.rules().iter().flat_map(move |rule| each(rule.kind, rule))
    }

    /// Masks what is found in a text that is not an MCP value: a log line, a line of a process's output, an error
    /// text. What cannot be inspected is withheld as a whole.
    pub fn redact_text<'t>(&self, text: &'t str) -> Cow<'t, str> {
        self.redacted(text).unwrap_or(Cow::Borrowed(WITHHELD))
    }

    fn redacted<'t>(&self, text: &'t str) -> Result<Cow<'t, str>, Blocked> {
        let operators = self.settings.of(Direction::Response, Route::default());
        let mut pass = self.pass(Direction::Response, &operators, text.len());
        self.redact(text, &mut pass, Shape::Unknown)
    }

    /// What a text or JSON value holds and what becomes of it, for whoever owns it: the answer of
    /// `sealgate inspect`, not of the gateway.
    ///
    /// # Errors
    /// [`Blocked`] if it cannot be inspected within the limits, or `Shape::Json` is not JSON.
    pub fn examine(
        &self,
        text: &str,
        shape: Shape,
        (direction, route): (Direction, Route<'_>),
    ) -> Result<Examined, Blocked> {
        self.explain(text, shape, (direction, route), false).map(|(examined, _)| examined)
    }

    /// The same, and with `near` what looked like a value and was let pass.
    ///
    /// # Errors
    /// As [`examine`](Self::examine).
    pub fn explain(
        &self,
        text: &str,
        shape: Shape,
        (direction, route): (Direction, Route<'_>),
        near: bool,
    ) -> Result<(Examined, Vec<Passed>), Blocked> {
        let of = self.settings.of(direction, route);
        let mut pass = self.pass(direction, &of, text.len());
        pass.spots = Some(Vec::new());
        pass.notes = near.then(Notes::default);
        let output = self.redact(text, &mut pass, shape)?.into_owned();
        let operators = pass.operators;
        let spots = pass.spots.unwrap_or_default().into_iter().filter_map(|sighting| {
            let rule = self.engine.rule(sighting.rule)?;
            let confidence = confidence(&sighting);
            Some(Spot {
                source: sighting.source,
                pointer: sighting.pointer,
                local: sighting.local,
                key: sighting.key,
                kind: rule.kind,
                operator: operators.of(sighting.rule).name(),
                evidence: sighting.evidence.name(),
                confidence,
                decoded: sighting.decoded,
            })
        });
        let passed = pass.notes.map(|notes| notes.into_passed(&self.engine)).unwrap_or_default();
        Ok((Examined { spots: spots.collect(), output }, passed))
    }

    fn redact<'t>(
        &self,
        text: &'t str,
        pass: &mut Pass<'_, '_>,
        shape: Shape,
    ) -> Result<Cow<'t, str>, Blocked> {
        if text.len() > self.limits.bytes {
            return Err(Blocked::TooLarge { bytes: text.len(), limit: self.limits.bytes });
        }
        let mut text = Cow::Borrowed(text);
        let mut seen = None;
        for _round in 0..ROUNDS {
            let (edits, unsettled) = if shape == Shape::Json || holds_json(&text, &self.limits)? {
                let edits = walk(pass, &text, &Exempt::default(), &Above::default())?;
                (edits, std::mem::take(&mut pass.unsettled))
            } else {
                let around: Around<'_> = LazyCell::new(Box::new(Place::default));
                let scanned = pass.scan(&text, &self.engine.leads(&text), &around, Named::No)?;
                pass.sight_plain(&scanned);
                (scanned.edits(), scanned.unsettled)
            };
            // Later rounds look at a text that its owner does not have.
            seen = seen.or_else(|| pass.spots.clone());
            if !edits.is_empty() {
                text = Cow::Owned(apply(&text, &edits));
            }
            if edits.is_empty() || !unsettled {
                pass.spots = seen;
                return Ok(text);
            }
        }
        Err(Blocked::NotSettled { rounds: ROUNDS })
    }

    /// The commitments that findings of this value carry: one for each detector, canonical as it writes values, and
    /// those of [`sanitize`](super::sanitize), which commit to the text as it stands.
    pub fn commitments(&self, value: &str) -> Vec<String> {
        let detectors = self.engine.rules().iter().map(|rule| (rule.kind, rule.canonical.of(value)));
        let signs = super::sanitize::KINDS.iter().map(|kind| (*kind, value.to_owned()));
        let mut all: Vec<String> =
            detectors.chain(signs).map(|(kind, canonical)| commitment(&self.key, kind, &canonical)).collect();
        all.sort_unstable();
        all.dedup();
        all
    }

    fn pass<'p>(&'p self, direction: Direction, of: &'p [Operator], bytes: usize) -> Pass<'p, 'p> {
        Pass {
            engine: &self.engine,
            limits: &self.limits,
            on: self.selection.on(direction),
            effort: Effort::for_bytes(bytes),
            operators: Operators { of, key: &self.key, scope: "", mint: None },
            ledger: Ledger::new(&self.key, self.limits.findings),
            keyed: self.keyed,
            unsettled: false,
            outside: Outside::Nothing,
            spots: None,
            notes: None,
        }
    }
}

/// Hundredths of certainty: what speaks for a finding, and how much around it.
fn confidence(sighting: &Sighting) -> u32 {
    let base = match sighting.evidence {
        Evidence::Recognizer => return 50,
        Evidence::Key => 70,
        Evidence::Context => 75,
        Evidence::Prefix => 92,
        Evidence::Validator => 85,
    };
    (base + sighting.score.saturating_sub(450) / 20).min(99)
}

/// Shows which rules, not the key.
impl fmt::Debug for Inspector {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Inspector").field("ruleset", &self.digest).finish_non_exhaustive()
    }
}

fn ruleset_digest(engine: &Engine, selection: &Selection, own: &str) -> String {
    let mut context = digest::Context::new(&digest::SHA256);
    for source in rules::sources() {
        context.update(source.as_bytes());
        context.update(&[0]);
    }
    context.update(own.as_bytes());
    for direction in Direction::ALL {
        for (rule, on) in engine.rules().iter().zip(selection.on(direction)) {
            context.update(if *on { b"+" } else { b"-" });
            context.update(rule.kind.as_bytes());
        }
    }
    format!("sha256:{}", hex(context.finish().as_ref()))
}
