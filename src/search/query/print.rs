//! Printing a query as it was understood: reading that again gives the same tree.

use super::value;
use super::{Node, Said, Test};
use crate::search::field::{Field, Type};
use std::fmt::{Display, Formatter, Result};

/// A node to print.
pub(super) struct Printed<'n> {
    pub node: &'n Node,
    /// Whether words are shown.
    pub words: bool,
}

impl Display for Printed<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self.node {
            Node::All(nodes) => self.join(f, nodes, " "),
            node => self.inner(f, node),
        }
    }
}

impl Printed<'_> {
    fn inner(&self, f: &mut Formatter<'_>, node: &Node) -> Result {
        match node {
            Node::All(nodes) => {
                f.write_str("(")?;
                self.join(f, nodes, " ")?;
                f.write_str(")")
            }
            Node::Any(nodes) => {
                f.write_str("(")?;
                self.join(f, nodes, " OR ")?;
                f.write_str(")")
            }
            Node::Not(node) => {
                f.write_str("-")?;
                self.inner(f, node)
            }
            Node::Is(field, test) => is(f, *field, test),
            Node::Said(_) if !self.words => f.write_str("\"…\""),
            Node::Said(Said::Phrase(words)) => write!(f, "\"{}\"", words.join(" ")),
            Node::Said(Said::Prefix(prefix)) => write!(f, "{prefix}*"),
        }
    }

    fn join(&self, f: &mut Formatter<'_>, nodes: &[Node], between: &str) -> Result {
        for (n, node) in nodes.iter().enumerate() {
            if n > 0 {
                f.write_str(between)?;
            }
            self.inner(f, node)?;
        }
        Ok(())
    }
}

fn is(f: &mut Formatter<'_>, field: Field, test: &Test) -> Result {
    write!(f, "{}:", field.name())?;
    let show = |value| value::print(field.values(), value);
    match test {
        Test::Equals(value) => literal(f, value),
        Test::Like(pattern) => f.write_str(pattern),
        Test::Exists | Test::Within { from: None, to: None } => f.write_str("*"),
        Test::Within { from: Some(from), to: None } => write!(f, ">={}", show(*from)),
        Test::Within { from: None, to: Some(to) } if field.values() == Type::Time || *to <= 0 => {
            write!(f, "<{}", show(*to))
        }
        Test::Within { from: None, to: Some(to) } => write!(f, "<={}", show(to.saturating_sub(1))),
        Test::Within { from: Some(from), to: Some(to) } if from.checked_add(1) == Some(*to) => {
            f.write_str(&show(*from))
        }
        Test::Within { from: Some(from), to: Some(to) } => {
            write!(f, "{}..{}", show(*from), show(to.saturating_sub(1)))
        }
    }
}

fn literal(f: &mut Formatter<'_>, value: &str) -> Result {
    let plain = |c: char| c.is_alphanumeric() || "_.:/@-".contains(c);
    if !value.is_empty() && value.chars().all(plain) {
        return f.write_str(value);
    }
    write!(f, "\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\""))
}
