//! Text with `${ }` and `%{ }`.

use hcl_edit::Span;
use hcl_edit::expr::Expression;
use hcl_edit::template::{Directive, Element, Strip};

use super::evaluate::Scope;
use super::fault::{Fault, Outcome};
use super::operate;
use super::value::{Text, Value};

/// The value of a template; one that is nothing but an interpolation is that value.
pub(super) fn value(scope: &Scope, elements: &[&Element]) -> Outcome<Value> {
    if let [Element::Interpolation(only)] = elements {
        return scope.eval(&only.expr);
    }
    render(scope, elements, false, false).map(Value::Text)
}

/// The text of a template; `start` and `end`: white space there is taken off.
fn render(scope: &Scope, elements: &[&Element], start: bool, end: bool) -> Outcome<Text> {
    let mut out = Text::default();
    for (at, element) in elements.iter().enumerate() {
        match element {
            Element::Literal(literal) => {
                let mut text = literal.value().as_str();
                if at.checked_sub(1).map_or(start, |before| strips_behind(elements[before])) {
                    text = text.trim_start();
                }
                if elements.get(at + 1).map_or(end, |next| strips_before(next)) {
                    text = text.trim_end();
                }
                out.extend(Text::plain(text));
            }
            Element::Interpolation(inner) => out.extend(interpolated(scope, &inner.expr)?),
            Element::Directive(directive) => out.extend(self::directive(scope, directive)?),
        }
        scope.module.spend(out.size() / 64 + 1)?;
    }
    scope.module.spend(out.size())?;
    Ok(out)
}

fn interpolated(scope: &Scope, expr: &Expression) -> Outcome<Text> {
    let value = scope.eval(expr)?;
    value.to_text().ok_or_else(|| match value {
        Value::Null => Fault::trouble("it is made of a value that is null"),
        other => scope.wrong(expr.span(), format!("this is {}, which can't be part of a text", other.kind())),
    })
}

fn directive(scope: &Scope, directive: &Directive) -> Outcome<Text> {
    match directive {
        Directive::If(all) => {
            let condition = scope.eval(&all.if_expr.cond_expr)?;
            let behind = all.if_expr.strip.strip_end();
            let last = all.endif_expr.strip.strip_start();
            if operate::truth(scope, &condition, all.if_expr.cond_expr.span())? {
                let end = all.else_expr.as_ref().map_or(last, |other| other.strip.strip_start());
                return render(scope, &all.if_expr.template.iter().collect::<Vec<_>>(), behind, end);
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

/// Whether an element takes white space off before itself.
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

/// Whether an element takes white space off behind itself.
fn strips_behind(element: &Element) -> bool {
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
