//! Values of a form, in the dictionary of a column: an automaton of our own, since the regular expressions of the library
//! have a bound on their states that a long value passes.

use std::sync::Arc;
use tantivy::query::{AutomatonWeight, EnableScoring, Query, Weight};
use tantivy::schema::Field;
use tantivy_fst::Automaton;

/// Documents with a value of a form.
#[derive(Debug, Clone)]
pub(super) struct LikeQuery {
    field: Field,
    form: Arc<Form>,
}

impl LikeQuery {
    /// `*` in the form stands for anything.
    pub(super) fn new(field: Field, form: &str) -> Self {
        let steps = form.bytes().map(|byte| if byte == b'*' { Step::Any } else { Step::Byte(byte) });
        Self { field, form: Arc::new(Form(steps.collect())) }
    }
}

impl Query for LikeQuery {
    fn weight(&self, _: EnableScoring<'_>) -> tantivy::Result<Box<dyn Weight>> {
        Ok(Box::new(AutomatonWeight::<Form>::new(self.field, self.form.clone())))
    }
}

/// One step of a form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Byte(u8),
    Any,
}

/// A form.
#[derive(Debug)]
pub(super) struct Form(Vec<Step>);

impl Form {
    /// Where one can stand, beginning with these. Whoever has come to a later `*` need not look back: from there
    /// everything is reached that an earlier place reaches.
    fn settle(&self, at: impl Iterator<Item = usize>) -> Vec<usize> {
        let mut places: Vec<usize> = Vec::new();
        for mut place in at {
            places.push(place);
            while self.0.get(place) == Some(&Step::Any) {
                place += 1;
                places.push(place);
            }
        }
        places.sort_unstable();
        places.dedup();
        let last = places.iter().rposition(|place| self.0.get(*place) == Some(&Step::Any));
        places.split_off(last.unwrap_or(0))
    }
}

impl Automaton for Form {
    type State = Vec<usize>;

    fn start(&self) -> Vec<usize> {
        self.settle(std::iter::once(0))
    }

    fn is_match(&self, places: &Vec<usize>) -> bool {
        places.last() == Some(&self.0.len())
    }

    fn can_match(&self, places: &Vec<usize>) -> bool {
        !places.is_empty()
    }

    fn will_always_match(&self, places: &Vec<usize>) -> bool {
        let ends = self.0.last() == Some(&Step::Any);
        ends && places.contains(&(self.0.len() - 1))
    }

    fn accept(&self, places: &Vec<usize>, byte: u8) -> Vec<usize> {
        self.settle(places.iter().filter_map(|place| match self.0.get(*place)? {
            Step::Any => Some(*place),
            Step::Byte(wanted) => (*wanted == byte).then_some(place + 1),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::LikeQuery;
    use tantivy_fst::Automaton as _;

    #[test]
    fn an_automaton_takes_what_the_form_says() {
        let takes = |form: &str, value: &str| {
            let form = LikeQuery::new(tantivy::schema::Field::from_field_id(0), form).form;
            let end = value.bytes().fold(form.start(), |places, byte| form.accept(&places, byte));
            form.is_match(&end)
        };
        for (form, value) in
            [("a*", "a"), ("*", ""), ("*b", "ab"), ("a*c*e", "abcde"), ("**x**", "x"), ("*é*", "né")]
        {
            assert!(takes(form, value), "{form} {value}");
        }
        for (form, value) in [("a*", "ba"), ("*b", "ba"), ("a*c*e", "aec"), ("x", "xx"), ("", "a")] {
            assert!(!takes(form, value), "{form} {value}");
        }
        let long = "ab".repeat(2000);
        assert!(takes(&format!("*{long}*{long}*"), &format!("x{long}{long}")));
    }
}
