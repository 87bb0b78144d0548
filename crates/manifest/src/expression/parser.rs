//! Parses expressions with GitHub's grammar.
//!
//! The crate `github-actions-expressions` parses the same grammar, but it only knows a fixed set of functions, and an
//! unknown one is an error: `replace`, `lower` and `split` would be invalid. So the parser is our own, with the
//! location of every part. The crate is the reference for its tests, and implements the coercions (see `value`).

use std::ops::Range;

use super::error::SyntaxError;
use super::function::Function;
use super::lexer::{Token, tokens};
use super::tree::{Access, Expr, ExprKind, Head, Operator};
use crate::words;

/// Maximum nesting; GitHub has the same limit.
const MAX_DEPTH: usize = 50;

/// Parses a whole expression, without `${{ }}`.
pub(crate) fn parse(text: &str) -> Result<Expr, SyntaxError> {
    let mut parser = Parser { tokens: tokens(text)?, at: 0, end: text.len(), depth: 0 };
    if parser.tokens.is_empty() {
        return Err(SyntaxError::new(0..text.len(), "the expression is empty"));
    }
    let expr = parser.expression(0)?;
    match parser.tokens.get(parser.at) {
        None => Ok(expr),
        Some((Token::Symbol("="), range)) => {
            Err(SyntaxError::new(range.clone(), "unexpected `=` in the expression").help("Compare with `==`."))
        }
        Some((_, range)) => Err(SyntaxError::new(range.start..text.len(), "expected the end of the expression")
            .help("Combine values with an operator, or strings with `format('{0}-{1}', a, b)`.")),
    }
}

struct Parser {
    tokens: Vec<(Token, Range<usize>)>,
    at: usize,
    end: usize,
    depth: usize,
}

type Parsed = Result<Expr, SyntaxError>;

impl Parser {
    fn symbol(&self) -> Option<&'static str> {
        match self.tokens.get(self.at) {
            Some((Token::Symbol(symbol), _)) => Some(symbol),
            _ => None,
        }
    }

    fn eat(&mut self, symbol: &str) -> Option<Range<usize>> {
        (self.symbol() == Some(symbol)).then(|| {
            self.at += 1;
            self.tokens[self.at - 1].1.clone()
        })
    }

    fn expect(&mut self, symbol: &str) -> Result<Range<usize>, SyntaxError> {
        self.eat(symbol).ok_or_else(|| SyntaxError::new(self.here(), format!("expected `{symbol}`")))
    }

    fn here(&self) -> Range<usize> {
        self.tokens.get(self.at).map_or(self.end..self.end, |(_, range)| range.clone())
    }

    fn deeper<T>(&mut self, parse: impl FnOnce(&mut Self) -> Result<T, SyntaxError>) -> Result<T, SyntaxError> {
        self.depth += 1;
        if self.depth >= MAX_DEPTH {
            return Err(SyntaxError::new(self.here(), "the expression is nested too deeply"));
        }
        let result = parse(self);
        self.depth -= 1;
        result
    }

    fn expression(&mut self, least: u8) -> Parsed {
        let mut left = self.deeper(Self::unary)?;
        let mut chained = 0;
        while let Some(operator) = self.symbol().and_then(operator).filter(|operator| operator.power() >= least) {
            self.at += 1;
            let right = self.deeper(|parser| parser.expression(operator.power() + 1))?;
            let range = left.range.start..right.range.end;
            let kind = match (operator, left.kind) {
                (Operator::Or, ExprKind::Any(mut parts)) | (Operator::And, ExprKind::All(mut parts)) if chained > 0 => {
                    parts.push(right);
                    if operator == Operator::Or { ExprKind::Any(parts) } else { ExprKind::All(parts) }
                }
                (operator, kind) => {
                    let left = Expr { range: left.range, kind };
                    match operator {
                        Operator::Or => ExprKind::Any(vec![left, right]),
                        Operator::And => ExprKind::All(vec![left, right]),
                        // `1 == 1 == 1` nests on the left.
                        _ if chained >= MAX_DEPTH => {
                            return Err(SyntaxError::new(self.here(), "the expression is nested too deeply"));
                        }
                        _ => ExprKind::Binary(operator, Box::new(left), Box::new(right)),
                    }
                }
            };
            left = Expr { range, kind };
            chained += 1;
        }
        Ok(left)
    }

    fn unary(&mut self) -> Parsed {
        let Some(bang) = self.eat("!") else {
            return self.postfix();
        };
        let inner = self.deeper(Self::unary)?;
        Ok(Expr { range: bang.start..inner.range.end, kind: ExprKind::Not(Box::new(inner)) })
    }

    fn postfix(&mut self) -> Parsed {
        let (head, accessible) = self.primary()?;
        if !accessible {
            let Head::Value(value) = head else {
                return Err(SyntaxError::new(self.here(), "expected a value"));
            };
            return Ok(value);
        }
        let start = match &head {
            Head::Name(_, range) => range.clone(),
            Head::Value(value) => value.range.clone(),
        };
        let mut end = start.end;
        let mut path = Vec::new();
        loop {
            if self.eat(".").is_some() {
                end = self.here().end;
                if self.eat("*").is_some() {
                    path.push(Access::All);
                } else if let Some((Token::Name(name), range)) = self.tokens.get(self.at).cloned() {
                    self.at += 1;
                    path.push(Access::Member(name, range));
                } else {
                    return Err(SyntaxError::new(self.here(), "expected a name after the `.`"));
                }
            } else if self.eat("[").is_some() {
                path.push(if self.eat("*").is_some() {
                    Access::All
                } else {
                    Access::Index(self.deeper(|parser| parser.expression(0))?)
                });
                end = self.expect("]")?.end;
            } else {
                break;
            }
        }
        if path.is_empty()
            && let Head::Value(value) = head
        {
            return Ok(value);
        }
        Ok(Expr { range: start.start..end, kind: ExprKind::Access { head: Box::new(head), path } })
    }

    fn primary(&mut self) -> Result<(Head, bool), SyntaxError> {
        let Some((token, range)) = self.tokens.get(self.at).cloned() else {
            return Err(SyntaxError::new(self.here(), "the expression ends where a value is expected"));
        };
        let literal = |kind| (Head::Value(Expr { range: range.clone(), kind }), false);
        let result = match token {
            Token::Number(number) => literal(ExprKind::Number(number)),
            Token::Text(text) => literal(ExprKind::Text(text)),
            Token::Name(name) if name == "true" => literal(ExprKind::Boolean(true)),
            Token::Name(name) if name == "false" => literal(ExprKind::Boolean(false)),
            Token::Name(name) if name == "null" => literal(ExprKind::Null),
            Token::Name(name) => {
                self.at += 1;
                if self.eat("(").is_some() {
                    return Ok((Head::Value(self.call(&name, range)?), true));
                }
                return Ok((Head::Name(name, range), true));
            }
            Token::Symbol("(") => {
                self.at += 1;
                let inner = self.deeper(|parser| parser.expression(0))?;
                let close = self.expect(")")?;
                return Ok((Head::Value(Expr { range: range.start..close.end, kind: inner.kind }), true));
            }
            Token::Symbol(symbol) => {
                return Err(SyntaxError::new(range, format!("expected a value, not `{symbol}`")));
            }
        };
        self.at += 1;
        Ok(result)
    }

    fn call(&mut self, name: &str, range: Range<usize>) -> Parsed {
        let function = Function::named(name).ok_or_else(|| {
            let help = match words::near(name, Function::NAMES.into_iter()) {
                Some(near) => format!("Did you mean `{near}`?"),
                None => format!("Functions: {}.", words::list(&Function::NAMES, "and")),
            };
            SyntaxError {
                code: "unknown-function",
                ..SyntaxError::new(range.clone(), format!("unknown function `{name}`")).help(help)
            }
        })?;
        let mut arguments = Vec::new();
        let close = loop {
            if let Some(close) = self.eat(")") {
                break close;
            }
            arguments.push(self.deeper(|parser| parser.expression(0))?);
            if self.eat(",").is_none() {
                break self.expect(")")?;
            }
        };
        let range = range.start..close.end;
        let (least, most) = function.arity();
        if arguments.len() < least || arguments.len() > most {
            let help = format!("Usage: {}.", function.usage());
            return Err(SyntaxError::new(range, format!("wrong arguments for `{}`", function.name())).help(help));
        }
        Ok(Expr { range, kind: ExprKind::Call(function, arguments) })
    }
}

fn operator(symbol: &'static str) -> Option<Operator> {
    Some(match symbol {
        "||" => Operator::Or,
        "&&" => Operator::And,
        "==" => Operator::Equal,
        "!=" => Operator::NotEqual,
        "<" => Operator::Less,
        "<=" => Operator::LessOrEqual,
        ">" => Operator::Greater,
        ">=" => Operator::GreaterOrEqual,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::super::{Scope, evaluate, value};
    use super::*;

    /// Accepts and refuses the same expressions as the reference crate, with the same values.
    #[test]
    fn agrees_with_the_reference() {
        let table = [
            "1",
            "+1",
            "-1.5",
            ".5",
            "0xff",
            "0o17",
            "1e3",
            "'it''s'",
            "true",
            "null",
            "!true",
            "!!1",
            "1 == 1.0",
            "'A' == 'a'",
            "'' == 0",
            "null == 0",
            "1 < 2 && 2 < 3",
            "false || 'x'",
            "'x' && 'y'",
            "(1 == 1)",
            "((('a')))",
            "1 == 1 == true",
            "1 < 2 == true",
            "contains('Hello', 'ELL')",
            "startsWith('Abc', 'ab')",
            "endsWith('abc', 'BC')",
            "format('{0}-{1}', 'a', 2)",
            "format('{{{0}}}', 'x')",
            "join('a', ',')",
            "'a' > 'B'",
            "true && 0 || 'fallback'",
            "'1' == 1",
            "' 1 ' == 1",
            "'x' == 1",
            // Refused by both implementations.
            "",
            "1 +",
            "a b",
            "'open",
            "\"x\"",
            "(1",
            "1)",
            "foo.",
            "foo[",
            "foo[1",
            "== 1",
            "1 = 1",
            "&& 1",
            "1 @ 2",
            "f(1)",
            "foo..bar",
            "contains('a')",
            "startsWith('a', 'b', 'c')",
            "12foo",
            "a.1",
        ];
        let scope = Scope::default();
        for text in table {
            let reference = github_actions_expressions::Expr::parse(text);
            let own = parse(text);
            assert_eq!(own.is_ok(), reference.is_ok(), "{text}: {own:?} {reference:?}");
            if let (Ok(own), Ok(reference)) = (own, reference)
                && let Some(expected) = reference.consteval()
            {
                let value = evaluate(&own, &scope).unwrap();
                let expected: serde_json::Value = expected.try_into().unwrap();
                assert!(
                    value::equal(&value, &expected) && value::text(&value) == value::text(&expected),
                    "{text}: {value} {expected}"
                );
            }
        }
    }

    #[test]
    fn nesting_has_an_end() {
        let deep = format!("{}1{}", "(".repeat(60), ")".repeat(60));
        assert!(parse(&deep).is_err());
    }

    /// A chain of any length is parsed, evaluated and dropped without recursion.
    #[test]
    fn chains_do_not_nest() {
        for (operator, value) in [("||", "false"), ("&&", "true")] {
            let chain = vec![value; 100_000].join(operator);
            let expr = parse(&chain).unwrap();
            assert_eq!(evaluate(&expr, &Scope::default()).unwrap().to_string(), value);
            let mut count = 0;
            expr.accesses(&mut |_| count += 1);
            assert_eq!(count, 0);
        }
        let mixed = parse("(1 || 2) && 3 || 4").unwrap();
        assert!(matches!(&mixed.kind, ExprKind::Any(parts) if parts.len() == 2), "{mixed:?}");
        let grouped = parse("(1 || 2) || 3").unwrap();
        assert!(matches!(&grouped.kind, ExprKind::Any(parts) if parts.len() == 2), "{grouped:?}");
        assert!(parse(&["1"; 1000].join(" == ")).is_err());
        assert!(parse(&["1"; 1000].join(" < ")).is_err());
    }

    #[test]
    fn errors_name_their_place() {
        let error = parse("lowr(vars.x)").unwrap_err();
        assert_eq!(
            (error.code, error.range, error.help.as_deref()),
            ("unknown-function", 0..4, Some("Did you mean `lower`?"))
        );
        let error = parse("vars.x = 'a'").unwrap_err();
        assert_eq!(error.range, 7..8);
    }
}
