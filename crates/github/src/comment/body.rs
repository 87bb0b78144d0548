//! What the comment says.

use ami_bake_core::report::Report;

use crate::context::Context;
use crate::markdown::{Limit, fit};
use crate::runner::Environment;
use crate::sections;

/// GitHub takes 65,536 characters ("Body is too long") and does not say how it counts them.
const LIMIT: Limit = Limit::Units(64_000);

/// The report as a comment, with its marker.
pub fn render(report: &Report, context: &Context<'_>, key: &str) -> String {
    let marker = marker(key);
    let end = format!("\n{marker}\n");
    let blocks = sections::all(report, context);
    let text = fit(&blocks, LIMIT.less(&end), |missing| {
        let place = match context.run_link() {
            Some(url) => format!("[the run's summary]({url})"),
            None => "the run's summary".to_owned(),
        };
        format!(
            "\n> [!NOTE]\n> A comment has no room for all of it. Left out: {}. It is in {place}.\n",
            missing.join(", ")
        )
    });
    text + &end
}

/// The hidden last line, by which the comment is found again. Other keys' comments have other ones.
pub(super) fn marker(key: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._/:,=+@ ".contains(c);
    let key: String = key.trim().chars().map(|c| if plain(c) || c == '-' { c } else { '_' }).collect();
    // Two hyphens end a comment of HTML, in the eyes of some.
    format!("<!-- ami-bake: {} -->", key.replace("--", "-_"))
}

/// The inputs that choose what of a manifest is baked: they tell the variants of a job matrix apart, and stay the same from push
/// to push, which a version or a commit among the matrix's values does not.
const CHOICES: [&str; 4] = ["images", "platform", "environment", "region"];

/// A key that differs where two comments have to: workflow, job, namespace, and what the inputs choose.
pub fn default_key(environment: &Environment, namespace: &str) -> String {
    let job = [environment.get("GITHUB_WORKFLOW"), environment.get("GITHUB_JOB"), Some(namespace)];
    let chosen = CHOICES.map(|name| environment.input(name));
    let parts = job.into_iter().chain(chosen).flatten().filter(|part| !part.is_empty());
    parts.collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_can_not_end_its_marker() {
        assert_eq!(marker("ci/bake/web 2"), "<!-- ami-bake: ci/bake/web 2 -->");
        assert_eq!(marker("a-->b\n<!--"), "<!-- ami-bake: a-__b___-_ -->");
        assert_ne!(marker("web"), marker("base"));
    }

    #[test]
    fn the_variants_of_a_matrix_have_comments_of_their_own_whatever_their_versions() {
        let variant = |image: &'static str, version: &'static str| {
            let all = [
                ("GITHUB_WORKFLOW", "ci"),
                ("GITHUB_JOB", "bake"),
                ("INPUT_IMAGES", image),
                ("INPUT_VERSION", version),
            ];
            default_key(&Environment::of(all), "shop")
        };
        assert_eq!(variant("", ""), "ci/bake/shop");
        assert_eq!(variant("web", "1.2.0-pr.7.abc"), "ci/bake/shop/web");
        assert_eq!(variant("web", "1.2.0-pr.7.def"), variant("web", "1.2.0-pr.7.abc"));
        assert_ne!(variant("web", ""), variant("base", ""));
    }
}
