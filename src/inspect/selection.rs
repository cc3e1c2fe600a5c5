//! Which detectors are on in which direction.

use super::engine::Engine;
use super::rules::Rule;
use super::{Config, Direction, Error, Recognizer};

/// For each direction, which rules are on, by index.
#[derive(Debug, Clone)]
pub(super) struct Selection {
    request: Vec<bool>,
    response: Vec<bool>,
    /// Types that are switched off by name, which holds for whoever finds them.
    off: (Vec<String>, Vec<String>),
}

impl Selection {
    pub fn new(config: &Config, rules: &[Rule]) -> Result<Self, Error> {
        let only = config.only.iter().flatten().chain(&config.enable);
        let off = config.disable.iter().chain(&config.request.disable).chain(&config.response.disable);
        for name in only.chain(off) {
            known(name, rules)?;
        }
        let on = |also_off: &[String]| -> Vec<bool> {
            let has = |names: &[String], kind: &str| names.iter().any(|name| name == kind);
            rules
                .iter()
                .map(|rule| {
                    config
                        .only
                        .as_ref()
                        .map_or(!rule.optional || has(&config.enable, rule.kind), |only| has(only, rule.kind))
                        && !has(&config.disable, rule.kind)
                        && !has(also_off, rule.kind)
                })
                .collect()
        };
        let (request, response) = (on(&config.request.disable), on(&config.response.disable));
        if !request.iter().chain(&response).any(|on| *on) {
            return Err(Error::NothingEnabled);
        }
        let named = |flow: &[String]| config.disable.iter().chain(flow).cloned().collect();
        let off = (named(&config.request.disable), named(&config.response.disable));
        Ok(Self { request, response, off })
    }

    /// Whether a type is switched off by name, not only for want of a detector that is on.
    pub fn is_off(&self, direction: Direction, kind: &str) -> bool {
        let off = match direction {
            Direction::Request => &self.off.0,
            Direction::Response => &self.off.1,
        };
        off.iter().any(|name| name == kind)
    }

    /// Whether what a recogniser finds counts anywhere.
    pub fn counts(&self, recognizer: &Recognizer, rules: &[Rule]) -> Result<(), Error> {
        for kind in recognizer.entities.values() {
            known(kind, rules)?;
        }
        let directions = recognizer.direction.map_or(Direction::ALL.to_vec(), |one| vec![one]);
        let counts = |kind: &String| directions.iter().any(|direction| !self.is_off(*direction, kind));
        if recognizer.entities.values().any(counts) {
            return Ok(());
        }
        let problem = "must name a type that is not in `disable`: nothing it finds would count".to_owned();
        Err(Error::Recognizer { name: "entities", problem })
    }

    /// Whether a rule of some kind is on.
    pub fn any(&self, engine: &Engine, is: impl Fn(&Rule) -> bool) -> bool {
        let on = self.request.iter().zip(&self.response).map(|(request, response)| *request || *response);
        engine.rules().iter().zip(on).any(|(rule, on)| on && is(rule))
    }

    pub fn on(&self, direction: Direction) -> &[bool] {
        match direction {
            Direction::Request => &self.request,
            Direction::Response => &self.response,
        }
    }
}

/// Whether there is a detector of that name.
pub(super) fn known(name: &str, rules: &[Rule]) -> Result<(), Error> {
    if rules.iter().any(|rule| rule.kind == name) {
        return Ok(());
    }
    let nearest = rules.iter().min_by_key(|rule| distance(rule.kind, name)).map_or("", |rule| rule.kind);
    Err(Error::UnknownDetector { name: name.to_owned(), suggestion: nearest.to_owned() })
}

/// Levenshtein distance in characters.
fn distance(one: &str, other: &str) -> usize {
    let mut row: Vec<usize> = (0..=other.chars().count()).collect();
    for (line, letter) in one.chars().enumerate() {
        let mut diagonal = line;
        let mut left = line + 1;
        for (cell, counterpart) in row.iter_mut().skip(1).zip(other.chars()) {
            let above = *cell;
            *cell = (above + 1).min(left + 1).min(diagonal + usize::from(letter != counterpart));
            (diagonal, left) = (above, *cell);
        }
        if let Some(first) = row.first_mut() {
            *first = line + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}
