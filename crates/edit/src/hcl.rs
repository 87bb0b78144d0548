//! The places of values in HCL.

use std::ops::Range;

use hcl_edit::Span as _;
use hcl_edit::expr::Expression;
use hcl_edit::structure::{BlockLabel, Body, Structure};

/// The place of the string at a pointer, with its quotes. The parts of a pointer are names of blocks, their labels, names
/// of attributes, keys of objects and indices of lists: `/variable/ami_id/default`.
pub(crate) fn place(text: &str, parts: &[String]) -> Result<Option<Range<usize>>, String> {
    let body = hcl_edit::parser::parse_body(text).map_err(|error| error.message().replace('\n', ", "))?;
    let Some(expression) = in_body(&body, parts) else { return Ok(None) };
    match expression {
        Expression::String(_) => Ok(expression.span()),
        Expression::StringTemplate(_) => Err("the value there is a template".to_owned()),
        _ => Err("the value there is not a string".to_owned()),
    }
}

fn in_body<'b>(body: &'b Body, parts: &[String]) -> Option<&'b Expression> {
    let (first, rest) = parts.split_first()?;
    body.iter().find_map(|structure| match structure {
        Structure::Attribute(attribute) if attribute.key.as_str() == first => in_value(&attribute.value, rest),
        Structure::Block(block) if block.ident.as_str() == first => {
            let labels: Vec<&str> = block.labels.iter().map(BlockLabel::as_str).collect();
            let named = rest.iter().take(labels.len()).map(String::as_str).eq(labels.iter().copied());
            if named { in_body(&block.body, &rest[labels.len()..]) } else { None }
        }
        _ => None,
    })
}

fn in_value<'b>(value: &'b Expression, parts: &[String]) -> Option<&'b Expression> {
    let Some((first, rest)) = parts.split_first() else { return Some(value) };
    match value {
        Expression::Object(object) => object.iter().find_map(|(key, value)| {
            let is_key = match key {
                hcl_edit::expr::ObjectKey::Ident(ident) => ident.as_str() == first,
                hcl_edit::expr::ObjectKey::Expression(Expression::String(text)) => text.value() == first,
                hcl_edit::expr::ObjectKey::Expression(_) => false,
            };
            if is_key { in_value(value.expr(), rest) } else { None }
        }),
        Expression::Array(items) => in_value(items.iter().nth(first.parse().ok()?)?, rest),
        Expression::Parenthesis(inner) => in_value(inner.inner(), parts),
        _ => None,
    }
}
