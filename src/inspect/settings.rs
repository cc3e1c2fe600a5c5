//! Which operator holds for which rule, direction, server and tool, and what the settings leave open.

use std::borrow::Cow;
use std::collections::BTreeSet;

use super::config::Override;
use super::rules::{How, Rank, Rule};
use super::selection::{Selection, known};
use super::{Config, Direction, Error, Operator, Route};

/// The operators of a configuration.
#[derive(Debug)]
pub(super) struct Settings {
    request: Vec<Operator>,
    response: Vec<Operator>,
    overrides: Vec<Override>,
    /// Those of them that hold for all servers, tools and principals.
    everywhere: Vec<Override>,
    kinds: Vec<&'static str>,
}

impl Settings {
    pub fn new(config: &Config, rules: &[Rule]) -> Result<Self, Error> {
        for one in &config.operators {
            for name in one.types.iter().flatten() {
                known(name, rules)?;
                if let Some(rule) = rules.iter().find(|rule| rule.kind == *name && unfit(rule, one.operator))
                {
                    return Err(Error::Unfit { kind: rule.kind.into(), operator: one.operator.name() });
                }
            }
        }
        let flows = [config.request.operator, config.response.operator];
        let all = config.operators.iter().map(|one| one.operator).chain(flows);
        if config.vault.is_none() && all.into_iter().any(|operator| operator == Operator::Tokenise) {
            return Err(Error::NoVault);
        }
        let all = |operator: Operator| rules.iter().map(|_| operator).collect();
        let mut settings = Self {
            request: all(config.request.operator),
            response: all(config.response.operator),
            overrides: Vec::new(),
            everywhere: Vec::new(),
            kinds: rules.iter().map(|rule| rule.kind).collect(),
        };
        // What holds everywhere is settled once; what holds for some servers or tools, for each call.
        let (everywhere, some): (Vec<Override>, Vec<Override>) = config
            .operators
            .iter()
            .cloned()
            .partition(|one| one.servers.is_none() && one.tools.is_none() && one.principals.is_none());
        settings.overrides = everywhere;
        settings.request = settings.of(Direction::Request, Route::default()).into_owned();
        settings.response = settings.of(Direction::Response, Route::default()).into_owned();
        settings.everywhere = std::mem::replace(&mut settings.overrides, some);
        Ok(settings)
    }

    /// The operators of all rules, by index.
    pub fn of(&self, direction: Direction, route: Route<'_>) -> Cow<'_, [Operator]> {
        let base = match direction {
            Direction::Request => &self.request,
            Direction::Response => &self.response,
        };
        let fit: Vec<&Override> = self.overrides.iter().filter(|one| fits(one, direction, route)).collect();
        if fit.is_empty() {
            return Cow::Borrowed(base);
        }
        let operator = |(kind, base): (&&'static str, &Operator)| {
            let all =
                fit.iter().copied().chain(self.everywhere.iter().filter(|one| fits(one, direction, route)));
            let strictest = all.filter(|one| speaks_of(one, kind)).map(|one| one.operator).max();
            strictest.unwrap_or(*base)
        };
        self.kinds.iter().zip(base).map(operator).collect::<Vec<_>>().into()
    }

    /// What whoever runs the gateway should know: places where everything passes.
    pub fn warnings(&self, selection: &Selection) -> Vec<String> {
        let mut warnings = Vec::new();
        for direction in Direction::ALL {
            let name = direction.name();
            if selection.on(direction).iter().all(|on| !on) {
                warnings
                    .push(format!("NOTHING IS LOOKED FOR in {name}s: all detectors are off in `inspect`"));
                continue;
            }
            if self.passes(selection, direction, Route::default()) {
                warnings.push(format!("FINDINGS PASS in {name}s: `inspect` allows all of them"));
                continue;
            }
            let routes: BTreeSet<Route<'_>> = self.overrides.iter().flat_map(routes).collect();
            for route in routes.into_iter().filter(|route| self.passes(selection, direction, *route)) {
                let part = |what: &str, name: Option<&str>| name.map(|name| format!("{what} `{name}`"));
                let parts = [
                    part("server", route.server),
                    part("tool", route.tool),
                    part("principal", route.principal),
                ];
                let whom: Vec<String> = parts.into_iter().flatten().collect();
                warnings.push(format!(
                    "FINDINGS PASS in {name}s of {}: `inspect.operators` allows all of them",
                    whom.join(", ")
                ));
            }
        }
        warnings
    }

    /// Whether every type that is looked for stays as it is, whatever the settings look like that make it so.
    fn passes(&self, selection: &Selection, direction: Direction, route: Route<'_>) -> bool {
        let operators = self.of(direction, route);
        let mut on = selection.on(direction).iter().zip(operators.iter()).filter(|(on, _)| **on);
        on.all(|(_, operator)| *operator == Operator::Allow)
    }
}

fn names(names: Option<&Vec<String>>) -> Vec<Option<&str>> {
    names.map_or_else(|| vec![None], |names| names.iter().map(|name| Some(name.as_str())).collect())
}

/// Every server, tool and principal that an entry names, in all their combinations.
fn routes(one: &Override) -> Vec<Route<'_>> {
    let mut all = Vec::new();
    for server in names(one.servers.as_ref()) {
        for tool in names(one.tools.as_ref()) {
            all.extend(names(one.principals.as_ref()).into_iter().map(|principal| Route {
                server,
                tool,
                principal,
            }));
        }
    }
    all
}

fn fits(one: &Override, direction: Direction, route: Route<'_>) -> bool {
    let named = |names: &Option<Vec<String>>, name: Option<&str>| {
        names.as_ref().is_none_or(|names| name.is_some_and(|name| names.iter().any(|known| known == name)))
    };
    one.direction.is_none_or(|only| only == direction)
        && named(&one.servers, route.server)
        && named(&one.tools, route.tool)
        && named(&one.principals, route.principal)
}

/// Types that words around say: another value of their shape would be found again.
const SHAPELESS: [&str; 8] = [
    "drivers_license",
    "health_member_id",
    "ip_address",
    "mac_address",
    "medical_record_number",
    "passport",
    "phone",
    "vin",
];

/// Whether an operator cannot be honoured for findings of a rule: nothing of a secret may stay, and not every type has
/// another value of its shape. Where no types are named, these are masked or get a pseudonym.
pub(super) fn unfit(rule: &Rule, operator: Operator) -> bool {
    match operator {
        Operator::Partial => rule.rank >= Rank::NamedSecret,
        Operator::Surrogate => {
            rule.rank >= Rank::NamedSecret
                || matches!(rule.how, How::Keyed(_))
                || SHAPELESS.contains(&rule.kind)
        }
        _ => false,
    }
}

fn speaks_of(one: &Override, kind: &str) -> bool {
    one.types.as_ref().is_none_or(|types| types.iter().any(|known| known == kind))
}
