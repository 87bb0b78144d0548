//! Checks ARNs of Image Builder's components (API reference, GetComponent).

use std::sync::LazyLock;

use ami_bake_manifest::diagnostic::{Diagnostic, Span};
use regex::Regex;

/// The ARNs that Image Builder accepts: a build version, a version, or a pattern with `x` in its last parts.
const FORM: &str = r"^arn:aws[a-z-]*:imagebuilder:[a-z0-9-]+:(?:[0-9]{12}|aws(?:-[a-z-]+)?|third-party):component/[a-z0-9_-]+/(?:[0-9]+\.[0-9]+\.[0-9]+/[0-9]+|(?<open>[0-9]+\.[0-9]+\.[0-9]+|[0-9]+\.[0-9]+\.x|[0-9]+\.x\.x|x\.x\.x))$";
#[expect(clippy::expect_used, reason = "a constant")]
static ARN: LazyLock<Regex> = LazyLock::new(|| Regex::new(FORM).expect("a regular expression"));

/// Reports an invalid ARN, and one that may resolve to another document later.
pub(super) fn validate(arn: &str, span: Span) -> Option<Diagnostic> {
    // References are resolved on the machine.
    if arn.contains("{{") {
        return None;
    }
    let Some(found) = ARN.captures(arn) else {
        let message = format!("`{arn}` is not a valid component ARN");
        return Some(Diagnostic::error("no-component", span, message).help(
            "Write `arn:aws:imagebuilder:REGION:ACCOUNT:component/NAME/1.0.0/1`, without `/1` for the newest build, or with \
             `1.0.x`, `1.x.x` or `x.x.x` for the newest version.",
        ));
    };
    let open = found.name("open")?.as_str();
    let message = format!("Image Builder resolves `{open}` to a build when the image is baked");
    Some(Diagnostic::note("moving-component", span, message).help(
        "A newer build alone does not cause a new bake: pin a build (`1.0.0/1`), or set `cache-for` on the manifest's step.",
    ))
}
