//! Packs: controls, and the queries that show something for them.

use super::Error;
use serde::Deserialize;
use std::path::Path;

/// The packs that ship, by name.
pub(super) const SHIPPED: [(&str, &str); 5] = [
    ("pci", include_str!("../../packs/pci.yaml")),
    ("hipaa", include_str!("../../packs/hipaa.yaml")),
    ("soc2", include_str!("../../packs/soc2.yaml")),
    ("iso27001", include_str!("../../packs/iso27001.yaml")),
    ("eu_ai_act", include_str!("../../packs/eu_ai_act.yaml")),
];

/// A pack.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pack {
    /// Its title.
    pub title: String,
    /// Its controls.
    pub controls: Vec<Control>,
}

/// A control.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Control {
    /// Its number in the standard.
    pub id: String,
    /// What it asks for, in our words.
    pub asks: String,
    /// What shows something for it.
    pub evidence: Vec<Saved>,
}

/// A saved query.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Saved {
    /// What it finds.
    pub name: String,
    /// The query.
    pub q: String,
}

impl Pack {
    /// One that ships, by its name, or a file.
    ///
    /// # Errors
    /// There is none, or it cannot be read.
    pub fn open(name: &str) -> Result<Self, Error> {
        if let Some((_, text)) = SHIPPED.iter().find(|(shipped, _)| *shipped == name) {
            return Self::parse(text);
        }
        let path = Path::new(name);
        if !path.is_file() {
            return Err(Error::NoPack(name.to_owned()));
        }
        let text = std::fs::read_to_string(path);
        Self::parse(&text.map_err(|source| Error::File { path: path.to_owned(), source })?)
    }

    /// The names of those that ship.
    pub fn shipped() -> impl Iterator<Item = &'static str> {
        SHIPPED.iter().map(|(name, _)| *name)
    }

    fn parse(text: &str) -> Result<Self, Error> {
        serde_saphyr::from_str(text).map_err(|why| Error::Pack(why.to_string()))
    }
}
