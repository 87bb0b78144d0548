//! The syntax tree of an expression.

use std::ops::Range;

use super::function::Function;

/// An expression and its range in the text.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Expr {
    pub(crate) range: Range<usize>,
    pub(crate) kind: ExprKind,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum ExprKind {
    Null,
    Boolean(bool),
    Number(f64),
    Text(String),
    /// An access, such as `vars.name`, `matrix['arch']` or `split(x, ',')[0]`.
    Access {
        head: Box<Head>,
        path: Vec<Access>,
    },
    Call(Function, Vec<Expr>),
    Not(Box<Expr>),
    Binary(Operator, Box<Expr>, Box<Expr>),
    /// A chain `a || b || c` of any length, which does not count as nesting.
    Any(Vec<Expr>),
    /// A chain `a && b && c` of any length.
    All(Vec<Expr>),
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Head {
    /// A named context.
    Name(String, Range<usize>),
    /// The value of another expression.
    Value(Expr),
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Access {
    /// `.name`.
    Member(String, Range<usize>),
    /// `[expression]`.
    Index(Expr),
    /// `.*` or `[*]`.
    All,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operator {
    Or,
    And,
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Operator {
    /// The precedence; higher binds tighter.
    pub(super) fn power(self) -> u8 {
        match self {
            Self::Or => 1,
            Self::And => 2,
            Self::Equal | Self::NotEqual => 3,
            Self::Less | Self::LessOrEqual | Self::Greater | Self::GreaterOrEqual => 4,
        }
    }
}

impl Expr {
    /// The first member that is accessed: `x` in `vars.x` and `vars['x']`.
    pub(crate) fn member(&self) -> Option<(&str, &str)> {
        let (name, member) = self.context()?;
        Some((name, member?))
    }

    /// The context that is accessed, with the first member if it is known.
    pub(crate) fn context(&self) -> Option<(&str, Option<&str>)> {
        let ExprKind::Access { head, path } = &self.kind else {
            return None;
        };
        let Head::Name(name, _) = head.as_ref() else {
            return None;
        };
        let member = match path.first() {
            Some(Access::Member(member, _) | Access::Index(Expr { kind: ExprKind::Text(member), .. })) => Some(member),
            _ => None,
        };
        Some((name, member.map(String::as_str)))
    }

    /// Whether the expression reads a context.
    pub(crate) fn reads(&self, context: &str) -> bool {
        let mut reads = false;
        self.accesses(&mut |access| {
            reads |= access.context().is_some_and(|(own, _)| own.eq_ignore_ascii_case(context));
        });
        reads
    }

    /// The secret that the expression refers to, and whether it must be set: `secrets.NAME`, or `secrets.NAME || ''`
    /// for one that may be unset.
    pub(crate) fn secret(&self) -> Option<(&str, bool)> {
        let (expr, required) = match &self.kind {
            ExprKind::Any(parts) => match parts.as_slice() {
                [secret, Expr { kind: ExprKind::Text(text), .. }] if text.is_empty() => (secret, false),
                _ => return None,
            },
            _ => (self, true),
        };
        let (_, name) = expr.member().filter(|(context, _)| context.eq_ignore_ascii_case("secrets"))?;
        Some((name, required))
    }

    /// Calls `visit` with every context access in the expression.
    pub(crate) fn accesses<'a>(&'a self, visit: &mut dyn FnMut(&'a Expr)) {
        match &self.kind {
            ExprKind::Access { head, path } => {
                match head.as_ref() {
                    Head::Name(..) => visit(self),
                    Head::Value(inner) => inner.accesses(visit),
                }
                for access in path {
                    if let Access::Index(inner) = access {
                        inner.accesses(visit);
                    }
                }
            }
            ExprKind::Call(_, parts) | ExprKind::Any(parts) | ExprKind::All(parts) => {
                for part in parts {
                    part.accesses(visit);
                }
            }
            ExprKind::Not(inner) => inner.accesses(visit),
            ExprKind::Binary(_, left, right) => {
                left.accesses(visit);
                right.accesses(visit);
            }
            _ => {}
        }
    }
}

impl Expr {
    /// Name of a value in the expression that changes with every run, such as `timestamp`.
    pub(crate) fn moving(&self) -> Option<String> {
        match self.member() {
            Some(("git", member @ ("sha" | "short-sha"))) => Some(format!("git.{member}")),
            Some(("github", "run-id")) => Some("github.run-id".to_owned()),
            Some(_) => None,
            None => match &self.kind {
                ExprKind::Access { head, .. } => match head.as_ref() {
                    Head::Name(name, _) if name == "timestamp" => Some(name.clone()),
                    _ => None,
                },
                _ => None,
            },
        }
    }
}
