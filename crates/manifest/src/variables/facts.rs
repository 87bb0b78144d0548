//! Contexts with facts about the run, such as `git` and `github`.

use jiff::tz::TimeZone;
use serde_json::json;

use crate::expression::Scope;
use crate::options::Options;

/// The contexts of the whole manifest, except `vars`.
pub(crate) fn file_scope(options: &Options, platform: &str) -> Scope {
    let mut scope = Scope::default();
    let utc = options.now.to_zoned(TimeZone::UTC);
    scope.set_env(&options.env);
    scope.set("environment", options.environment.clone().unwrap_or_default());
    scope.set("platform", platform);
    scope.set("timestamp", utc.strftime("%Y%m%d%H%M%S").to_string());
    scope.set("date", utc.strftime("%Y-%m-%d").to_string());
    let git = &options.git;
    scope.set(
        "git",
        json!({
            "sha": git.sha,
            "short-sha": git.sha.get(..7).unwrap_or(&git.sha),
            "ref": git.r#ref,
            "branch": git.branch,
            "tag": git.tag,
        }),
    );
    let github = &options.github;
    scope.set(
        "github",
        json!({ "run-id": github.run_id, "actor": github.actor, "repository": github.repository, "pr": github.pr }),
    );
    scope
}
