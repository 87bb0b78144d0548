//! The text of the comment.

use ami_bake_core::report::Report;

use crate::context::Context;
use crate::markdown::{Block, Limit, fit};
use crate::runner::Environment;
use crate::sections;

/// Maximum length of a comment. GitHub accepts 65,536 characters ("Body is too long"), but does not say how it counts
/// them.
const LIMIT: Limit = Limit::Units(64_000);

/// The report as a comment, with its marker.
pub fn render(report: &Report, context: &Context<'_>, key: &str) -> String {
    let marker = marker(key);
    let end = format!("\n{marker}\n");
    let blocks = sections::all(report, context);
    let text = fit(&blocks, LIMIT.less(&end), |missing| {
        let summary = match context.run_link() {
            Some(url) => format!("[job summary]({url})"),
            None => "job summary".to_owned(),
        };
        format!("\n> [!NOTE]\n> Too long for a comment. Left out: {}. See the {summary}.\n", missing.join(", "))
    });
    text + &end
}

/// Markdown other than a report as a comment, with its marker.
pub fn page(markdown: &str, key: &str) -> String {
    let end = format!("\n{}\n", marker(key));
    let block = Block {
        about: "the text".to_owned(),
        open: String::new(),
        lines: markdown.split_inclusive('\n').map(str::to_owned).collect(),
        close: String::new(),
        keep_end: false,
        // Ends a code block that was cut; otherwise it is plain text.
        more: Some("\n… {} more lines in the log\n".to_owned()),
    };
    fit(&[block], LIMIT.less(&end), |_| String::new()) + &end
}

/// The hidden last line that identifies the comment. Each key has its own.
pub(super) fn marker(key: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._/:,=+@ ".contains(c);
    let key: String = key.trim().chars().map(|c| if plain(c) || c == '-' { c } else { '_' }).collect();
    // Some parsers read two hyphens as the end of an HTML comment.
    format!("<!-- ami-bake: {} -->", key.replace("--", "-_"))
}

/// Inputs that select what is baked. They distinguish the jobs of a matrix, and stay the same from push to push, unlike
/// a version or a commit.
const CHOICES: [&str; 4] = ["images", "platform", "environment", "region"];

/// The default key: workflow, job, namespace, and the inputs that select what is baked.
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
