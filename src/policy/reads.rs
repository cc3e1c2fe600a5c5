//! What a policy's conditions look at.
//!
//! The walk is conservative: an expression that it does not know counts as looking at everything.

use std::collections::BTreeSet;

use cedar_policy::pst::{self, BinaryOp, Clause, Expr, Literal, Template, UnaryOp, Var};

/// How an attribute path is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    /// Its value matters.
    Value,
    /// Only its type, or which groups it is in.
    Membership,
}

/// Tells `visit` each attribute path that an expression looks at, as far as it goes from a variable.
pub(super) fn each_path<'e>(expr: &'e Expr, visit: &mut dyn FnMut(&Var, &[&'e str], Use)) {
    match expr {
        Expr::Literal(_) => {}
        Expr::Var(_) | Expr::GetAttr { .. } => path_or_walk(expr, Use::Value, visit),
        Expr::HasAttr { expr, attrs } => match path_of(expr) {
            Some((var, mut path)) => {
                path.extend(attrs.iter().map(pst::SmolStr::as_str));
                visit(var, &path, Use::Value);
            }
            None => each_path(expr, visit),
        },
        Expr::Is { expr, entity_type: _, in_expr } => {
            let within = in_expr.as_deref().map_or(Use::Membership, membership);
            path_or_walk(expr, within, visit);
            if let Some(within) = in_expr {
                each_path(within, visit);
            }
        }
        Expr::BinaryOp { op: BinaryOp::In, left, right } => {
            path_or_walk(left, membership(right), visit);
            each_path(right, visit);
        }
        Expr::BinaryOp { left, right, .. } => {
            each_path(left, visit);
            each_path(right, visit);
        }
        Expr::UnaryOp { expr, .. } | Expr::Like { expr, .. } => each_path(expr, visit),
        Expr::IfThenElse { cond, then_expr, else_expr } => {
            for part in [cond, then_expr, else_expr] {
                each_path(part, visit);
            }
        }
        Expr::Set(items) => items.iter().for_each(|item| each_path(item, visit)),
        Expr::Record(fields) => fields.values().for_each(|field| each_path(field, visit)),
        // `Expr` may grow: what is not known here looks at everything.
        _ => {
            for var in [Var::Principal, Var::Action, Var::Resource, Var::Context] {
                visit(&var, &[], Use::Value);
            }
        }
    }
}

/// Tells `visit` each entity that an expression names.
pub(super) fn each_entity(expr: &Expr, visit: &mut dyn FnMut(&pst::EntityUID)) {
    match expr {
        Expr::Literal(Literal::EntityUID(uid)) => visit(uid),
        Expr::GetAttr { expr, .. }
        | Expr::HasAttr { expr, .. }
        | Expr::UnaryOp { expr, .. }
        | Expr::Like { expr, .. } => each_entity(expr, visit),
        Expr::Is { expr, in_expr, .. } => {
            each_entity(expr, visit);
            if let Some(within) = in_expr {
                each_entity(within, visit);
            }
        }
        Expr::BinaryOp { left, right, .. } => {
            each_entity(left, visit);
            each_entity(right, visit);
        }
        Expr::IfThenElse { cond, then_expr, else_expr } => {
            for part in [cond, then_expr, else_expr] {
                each_entity(part, visit);
            }
        }
        Expr::Set(items) => items.iter().for_each(|item| each_entity(item, visit)),
        Expr::Record(fields) => fields.values().for_each(|field| each_entity(field, visit)),
        // What `each_path` does not know either looks at everything there.
        _ => {}
    }
}

fn path_or_walk<'e>(expr: &'e Expr, used: Use, visit: &mut dyn FnMut(&Var, &[&'e str], Use)) {
    match (path_of(expr), expr) {
        (Some((var, path)), _) => visit(var, &path, used),
        (None, Expr::GetAttr { expr, .. }) => each_path(expr, visit),
        (None, other) => each_path(other, visit),
    }
}

/// `context.request.agent` as `context` and its attributes.
fn path_of(expr: &Expr) -> Option<(&Var, Vec<&str>)> {
    match expr {
        Expr::Var(var) => Some((var, Vec::new())),
        Expr::GetAttr { expr, attr } => {
            let (var, mut path) = path_of(expr)?;
            path.push(attr.as_str());
            Some((var, path))
        }
        _ => None,
    }
}

/// `x in Resource::"…"` asks for one thing, `x in Server::"…"` for a group of things.
fn membership(within: &Expr) -> Use {
    let one_resource = |entity: &Expr| match entity {
        Expr::Literal(Literal::EntityUID(uid)) => uid.ty.to_string() == "Resource",
        Expr::Var(Var::Principal | Var::Action | Var::Context) | Expr::GetAttr { .. } => false,
        _ => true,
    };
    let any = match within {
        Expr::Set(items) => items.iter().any(|item| one_resource(item)),
        other => one_resource(other),
    };
    if any { Use::Value } else { Use::Membership }
}

/// What the policies of one slice look at in the context.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Reads {
    /// The context as a whole.
    pub(super) whole: bool,
    /// Anything of the request.
    pub(super) request: bool,
    /// `request.now`, `request.hour` or `request.weekday`.
    pub(super) time: bool,
    /// `request.sourceIp`
    pub(super) source_ip: bool,
    /// `session.startedAt`
    pub(super) session_start: bool,
    /// `session.taint`
    pub(super) taint: bool,
    /// `session.toolsCalled`
    pub(super) tools_called: bool,
    /// Anything of the session.
    pub(super) session: bool,
    /// `findings`
    pub(super) findings: bool,
    /// `argsJson`
    pub(super) args_json: bool,
    /// The arguments as a whole.
    pub(super) all_args: bool,
    /// Single arguments, by path.
    pub(super) args: Vec<Vec<String>>,
    /// Names of what else the context has.
    pub(super) others: BTreeSet<String>,
}

impl Reads {
    /// What one policy looks at.
    pub(super) fn of(policy: &Template) -> Self {
        let mut reads = Self::default();
        for Clause::When(expr) | Clause::Unless(expr) in policy.clauses() {
            each_path(expr, &mut |var, path, _| {
                if *var == Var::Context {
                    reads.note(path);
                }
            });
        }
        reads
    }

    fn note(&mut self, path: &[&str]) {
        let whole = path.is_empty();
        match path {
            [] | ["request"] => {
                self.request = true;
                self.time = true;
                self.source_ip = true;
                if whole {
                    self.whole = true;
                    self.all_args = true;
                    self.findings = true;
                    self.args_json = true;
                    self.whole_session();
                }
            }
            ["request", fact, ..] => {
                self.request = true;
                self.time |= matches!(*fact, "now" | "hour" | "weekday");
                self.source_ip |= *fact == "sourceIp";
            }
            ["session"] => self.whole_session(),
            ["session", fact, ..] => {
                self.session = true;
                self.session_start |= *fact == "startedAt";
                self.taint |= *fact == "taint";
                self.tools_called |= *fact == "toolsCalled";
            }
            ["findings", ..] => self.findings = true,
            ["argsJson", ..] => self.args_json = true,
            ["args"] => self.all_args = true,
            ["args", rest @ ..] => self.args.push(rest.iter().map(|part| (*part).to_owned()).collect()),
            [other, ..] => {
                self.others.insert((*other).to_owned());
            }
        }
    }

    /// Whether any policy looks at this attribute of the context, or at something inside it.
    pub(super) fn wants(&self, attribute: &str) -> bool {
        self.whole
            || match attribute {
                "request" => self.request,
                "session" => self.session,
                "findings" => self.findings,
                "argsJson" => self.args_json,
                "args" => self.all_args || !self.args.is_empty(),
                other => self.others.contains(other),
            }
    }

    fn whole_session(&mut self) {
        self.session = true;
        self.session_start = true;
        self.taint = true;
        self.tools_called = true;
    }

    /// Takes in what another policy looks at.
    pub(super) fn add(&mut self, other: &Self) {
        self.whole |= other.whole;
        self.request |= other.request;
        self.others.extend(other.others.iter().cloned());
        self.time |= other.time;
        self.source_ip |= other.source_ip;
        self.session_start |= other.session_start;
        self.taint |= other.taint;
        self.tools_called |= other.tools_called;
        self.session |= other.session;
        self.findings |= other.findings;
        self.args_json |= other.args_json;
        self.all_args |= other.all_args;
        for path in &other.args {
            if !self.args.contains(path) {
                self.args.push(path.clone());
            }
        }
    }

    /// Whether some policy looks at an argument, at something inside it, or at what it is inside of.
    pub(super) fn touches(&self, path: &[String]) -> bool {
        self.all_args
            || self.args.iter().any(|read| read.iter().zip(path).all(|(mine, theirs)| mine == theirs))
    }
}

/// Whether an expression can only be a negation.
pub(super) fn negated(expr: &Expr) -> Option<&std::sync::Arc<Expr>> {
    match expr {
        Expr::UnaryOp { op: UnaryOp::Not, expr } => Some(expr),
        _ => None,
    }
}
