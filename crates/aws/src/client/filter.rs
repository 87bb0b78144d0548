//! Filters for EC2's Describe calls.

use aws_sdk_ec2::types::Filter;

/// A filter with one value, taken literally: EC2 reads `*`, `?` and `\` in a filter as wildcards and escapes.
pub(crate) fn filter(name: &str, value: &str) -> Filter {
    let mut literal = String::with_capacity(value.len());
    for character in value.chars() {
        if matches!(character, '*' | '?' | '\\') {
            literal.push('\\');
        }
        literal.push(character);
    }
    Filter::builder().name(name).values(literal).build()
}

/// A filter for a tag with this value, taken literally.
pub(crate) fn tag_filter(key: &str, value: &str) -> Filter {
    filter(&format!("tag:{key}"), value)
}

/// A filter with several values, one of which must match; `*` and `?` are wildcards.
pub(crate) fn one_of(name: &str, values: impl IntoIterator<Item = impl Into<String>>) -> Filter {
    Filter::builder().name(name).set_values(Some(values.into_iter().map(Into::into).collect())).build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_taken_literally() {
        assert_eq!(filter("name", r"a*b?c\d").values(), [r"a\*b\?c\\d"]);
        assert_eq!(filter("name", "shop/web-1.2.3").values(), ["shop/web-1.2.3"]);
        assert_eq!(one_of("name", ["ubuntu-*"]).values(), ["ubuntu-*"]);
    }
}
