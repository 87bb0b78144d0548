//! Evaluates strings with `${ }` and `%{ }`.

use ami_bake_manifest::budget::STEP;
use hcl_edit::Span;
use hcl_edit::expr::Expression;
use hcl_edit::template::{Directive, Element, Strip};

use super::error::{EvalError, EvalResult};
use super::scope::Scope;
use super::value::{HclValue, Text};

/// Evaluates a template; a single interpolation keeps its type.
pub(super) fn value(scope: &Scope, elements: &[&Element]) -> EvalResult<HclValue> {
    if let [Element::Interpolation(only)] = elements {
        return scope.eval(&only.expr);
    }
    render(scope, elements, false, false).map(HclValue::Text)
}

/// Evaluates a template as text. `start` and `end`: whether white space there is removed.
fn render(scope: &Scope, elements: &[&Element], start: bool, end: bool) -> EvalResult<Text> {
    let mut out = Text::default();
    let mut origin = None;
    for (at, element) in elements.iter().enumerate() {
        match element {
            Element::Literal(literal) => {
                let mut text = literal.value().as_str();
                if at.checked_sub(1).map_or(start, |before| strips_after(elements[before])) {
                    text = text.trim_start();
                }
                if elements.get(at + 1).map_or(end, |next| strips_before(next)) {
                    text = text.trim_end();
                }
                add(scope, &mut out, &mut origin, Text::plain(text))?;
            }
            Element::Interpolation(inner) => add(scope, &mut out, &mut origin, interpolated(scope, &inner.expr)?)?,
            Element::Directive(directive) => add(scope, &mut out, &mut origin, self::directive(scope, directive)?)?,
        }
    }
    // A text that contains a private value is private, too.
    if let Some(origin) = origin {
        HclValue::Text(out.clone()).texts(&mut |text| scope.module.private.add(text, &origin));
    }
    Ok(out)
}

/// Adds a piece to a text; `origin` becomes the origin of a private piece: a file or the environment.
fn add(scope: &Scope, out: &mut Text, origin: &mut Option<String>, text: Text) -> EvalResult<()> {
    scope.module.spend(STEP + text.size())?;
    if origin.is_none() {
        *origin = HclValue::Text(text.clone()).origin(&scope.module.private);
    }
    out.extend(text);
    Ok(())
}

fn interpolated(scope: &Scope, expr: &Expression) -> EvalResult<Text> {
    let value = scope.eval(expr)?;
    value.to_text().ok_or_else(|| match value {
        HclValue::Null => EvalError::unsupported("it contains a value that is null"),
        other => scope.invalid(expr.span(), format!("{} can't be part of a string", other.describe())),
    })
}

fn directive(scope: &Scope, directive: &Directive) -> EvalResult<Text> {
    match directive {
        Directive::If(all) => {
            let condition = scope.eval(&all.if_expr.cond_expr)?;
            let after = all.if_expr.strip.strip_end();
            let last = all.endif_expr.strip.strip_start();
            if scope.truth(&condition, all.if_expr.cond_expr.span())? {
                let end = all.else_expr.as_ref().map_or(last, |other| other.strip.strip_start());
                return render(scope, &all.if_expr.template.iter().collect::<Vec<_>>(), after, end);
            }
            match &all.else_expr {
                Some(other) => render(scope, &other.template.iter().collect::<Vec<_>>(), other.strip.strip_end(), last),
                None => Ok(Text::default()),
            }
        }
        Directive::For(all) => {
            let intro = &all.for_expr;
            let collection = scope.eval(&intro.collection_expr)?;
            let elements: Vec<_> = intro.template.iter().collect();
            let mut out = Text::default();
            for (key, value) in scope.pairs(&collection, intro.collection_expr.span())? {
                let mut names = vec![(intro.value_var.as_str().to_owned(), value)];
                names.extend(intro.key_var.as_ref().map(|name| (name.as_str().to_owned(), key)));
                let inner = scope.with(names);
                let end = all.endfor_expr.strip.strip_start();
                out.extend(render(&inner, &elements, intro.strip.strip_end(), end)?);
                scope.note(inner.take_notes());
            }
            Ok(out)
        }
    }
}

/// Whether an element removes white space before itself.
fn strips_before(element: &Element) -> bool {
    let strip = match element {
        Element::Literal(_) => Strip::None,
        Element::Interpolation(inner) => inner.strip,
        Element::Directive(directive) => match &**directive {
            Directive::If(all) => all.if_expr.strip,
            Directive::For(all) => all.for_expr.strip,
        },
    };
    strip.strip_start()
}

/// Whether an element removes white space after itself.
fn strips_after(element: &Element) -> bool {
    let strip = match element {
        Element::Literal(_) => Strip::None,
        Element::Interpolation(inner) => inner.strip,
        Element::Directive(directive) => match &**directive {
            Directive::If(all) => all.endif_expr.strip,
            Directive::For(all) => all.endfor_expr.strip,
        },
    };
    strip.strip_end()
}
