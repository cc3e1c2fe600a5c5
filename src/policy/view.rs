//! The view of a policy that lists are made with.
//!
//! A list is made before there are arguments, findings or a moment. So each policy is weakened until it no
//! longer asks for them: a `permit` to *could be satisfied*, a `forbid` to *is satisfied whatever comes*. What
//! the real policies could allow, the views allow; a list never hides what could be called.

use std::sync::Arc;

use cedar_policy::Policy;
use cedar_policy::pst::{
    self, BinaryOp, Clause, Effect, EntityOrSlot, Expr, Literal, PstConstructionError, ResourceConstraint,
    StaticPolicy, Template, UnaryOp, Var,
};

use super::reads::{Use, each_path, negated};

/// What is not known yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unknown {
    /// Arguments, findings, time, address, session.
    Call,
    /// These, and which resource of a template it will be.
    CallAndResource,
}

/// The view of one policy, or nothing if the view could not matter: a `forbid` that depends on the unknown.
pub(super) fn view(policy: &Template, unknown: Unknown) -> Result<Option<Policy>, PstConstructionError> {
    let mut view = policy.clone();
    if unknown == Unknown::CallAndResource && names_one_resource(&view.resource) {
        match view.effect {
            Effect::Forbid => return Ok(None),
            Effect::Permit => view.resource = ResourceConstraint::Any,
        }
    }
    let bound = match view.effect {
        Effect::Permit => Bound::Upper,
        Effect::Forbid => Bound::Lower,
    };
    let clauses: Vec<Clause> = policy
        .clauses()
        .iter()
        .map(|clause| match clause {
            Clause::When(expr) => Clause::When(bounded(expr, bound, unknown)),
            Clause::Unless(expr) => Clause::Unless(bounded(expr, bound.other(), unknown)),
        })
        .collect();
    let view = StaticPolicy::try_from(view.try_with_clauses(clauses)?)?;
    Policy::from_pst(pst::Policy::Static(view)).map(Some)
}

fn names_one_resource(scope: &ResourceConstraint) -> bool {
    match scope {
        ResourceConstraint::Any | ResourceConstraint::Is(_) => false,
        ResourceConstraint::Eq(entity)
        | ResourceConstraint::In(entity)
        | ResourceConstraint::IsIn(_, entity) => match entity {
            EntityOrSlot::Entity(uid) => uid.ty.to_string() == "Resource",
            EntityOrSlot::Slot(_) => true,
        },
    }
}

/// Which side of the truth a weakened expression is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Bound {
    /// True wherever the expression could be true.
    Upper,
    /// True only where the expression must be true.
    Lower,
}

impl Bound {
    fn other(self) -> Self {
        match self {
            Self::Upper => Self::Lower,
            Self::Lower => Self::Upper,
        }
    }
}

fn bounded(expr: &Arc<Expr>, bound: Bound, unknown: Unknown) -> Arc<Expr> {
    if !depends(expr, unknown) {
        return Arc::clone(expr);
    }
    if let Some(inner) = negated(expr) {
        let expr = bounded(inner, bound.other(), unknown);
        return Arc::new(Expr::UnaryOp { op: UnaryOp::Not, expr });
    }
    match expr.as_ref() {
        Expr::BinaryOp { op: op @ (BinaryOp::And | BinaryOp::Or), left, right } => Arc::new(Expr::BinaryOp {
            op: *op,
            left: bounded(left, bound, unknown),
            right: bounded(right, bound, unknown),
        }),
        Expr::IfThenElse { cond, then_expr, else_expr } => {
            let then_expr = bounded(then_expr, bound, unknown);
            let else_expr = bounded(else_expr, bound, unknown);
            if !depends(cond, unknown) {
                return Arc::new(Expr::IfThenElse { cond: Arc::clone(cond), then_expr, else_expr });
            }
            let op = match bound {
                Bound::Upper => BinaryOp::Or,
                Bound::Lower => BinaryOp::And,
            };
            Arc::new(Expr::BinaryOp { op, left: then_expr, right: else_expr })
        }
        _ => Arc::new(Expr::Literal(Literal::Bool(bound == Bound::Upper))),
    }
}

/// Whether the value of an expression depends on what is not known yet.
fn depends(expr: &Expr, unknown: Unknown) -> bool {
    let mut found = false;
    each_path(expr, &mut |var, path, used| {
        found |= match var {
            Var::Principal | Var::Action => false,
            Var::Context => !matches!(path, ["request", "agent" | "client" | "protocol" | "transport", ..]),
            Var::Resource => {
                let fixed = used == Use::Membership || matches!(path, ["server" | "scheme", ..]);
                unknown == Unknown::CallAndResource && !fixed
            }
        };
    });
    found
}
