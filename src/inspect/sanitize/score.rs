//! From single phrases to a judgement: one that is enough, or two odd ones close to each other.

use super::phrases::{Class, Phrases, Sign};

/// Odd phrases belong together within so many bytes.
const NEAR: usize = 700;

/// What a text is after: the three of which two together are an attack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Aims {
    pub commands: bool,
    pub secrets: bool,
    pub sends: bool,
}

impl Aims {
    pub fn join(&mut self, other: Self) {
        self.commands |= other.commands;
        self.secrets |= other.secrets;
        self.sends |= other.sends;
    }

    pub fn two_of_three(self) -> bool {
        u8::from(self.commands) + u8::from(self.secrets) + u8::from(self.sends) >= 2
    }
}

/// What phrases of one text come to.
#[derive(Debug, Default)]
pub(super) struct Score {
    /// The classes that speak against it; empty if it is fine.
    pub classes: Vec<Class>,
    pub aims: Aims,
}

/// Scores a plain text.
pub(super) fn score(phrases: &Phrases, plain: &str) -> Score {
    let signs = phrases.signs(plain);
    if signs.is_empty() {
        return Score::default();
    }
    let telling = |sign: &Sign| {
        sign.weight >= 2
            || signs.iter().any(|other| other.class != sign.class && other.at.abs_diff(sign.at) <= NEAR)
    };
    let mut classes: Vec<Class> = signs.iter().filter(|sign| telling(sign)).map(|sign| sign.class).collect();
    classes.sort_unstable();
    classes.dedup();
    let has = |wanted: &[Class]| signs.iter().any(|sign| wanted.contains(&sign.class));
    let aims = Aims {
        commands: has(&[
            Class::Override,
            Class::Conceal,
            Class::Order,
            Class::Model,
            Class::Pressure,
            Class::Confirm,
            Class::Redirect,
            Class::Smuggle,
            Class::Markup,
        ]),
        secrets: has(&[Class::Sensitive, Class::Conversation]),
        sends: has(&[Class::Exfil, Class::Exec]),
    };
    Score { classes, aims }
}
