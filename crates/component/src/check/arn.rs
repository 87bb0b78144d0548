//! ARNs of Image Builder's components (API reference, GetComponent).

use std::sync::LazyLock;

use ami_bake_manifest::diagnostic::{Diagnostic, Span};
use regex::Regex;

/// What Image Builder takes: a build version, a version, or a pattern whose `x` stand at its end.
const FORM: &str = r"^arn:aws[a-z-]*:imagebuilder:[a-z0-9-]+:(?:[0-9]{12}|aws(?:-[a-z-]+)?|third-party):component/[a-z0-9_-]+/(?:[0-9]+\.[0-9]+\.[0-9]+/[0-9]+|(?<open>[0-9]+\.[0-9]+\.[0-9]+|[0-9]+\.[0-9]+\.x|[0-9]+\.x\.x|x\.x\.x))$";
#[expect(clippy::expect_used, reason = "a constant")]
static ARN: LazyLock<Regex> = LazyLock::new(|| Regex::new(FORM).expect("a regular expression"));

/// Tells of an ARN that can't be one, and of one whose document may be another tomorrow.
pub(super) fn judge(arn: &str, span: Span) -> Option<Diagnostic> {
    // Only the machine knows what stands for a reference.
    if arn.contains("{{") {
        return None;
    }
    let Some(found) = ARN.captures(arn) else {
        let message = format!("`{arn}` is no ARN of a component");
        return Some(Diagnostic::error("no-component", span, message).help(
            "Write `arn:aws:imagebuilder:REGION:ACCOUNT:component/NAME/1.0.0/1`, without `/1` for the newest build, or with \
             `1.0.x`, `1.x.x` or `x.x.x` for the newest version.",
        ));
    };
    let open = found.name("open")?.as_str();
    let message = format!("which build `{open}` is, Image Builder decides when it is baked");
    Some(Diagnostic::note("moving-component", span, message).help(
        "A newer one alone bakes no new image: name a build (`1.0.0/1`), or give the manifest's step `cache-for`.",
    ))
}
