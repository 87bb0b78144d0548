//! The environment variables that a manifest or a template may read.

use std::collections::{BTreeMap, BTreeSet};

use super::credential;

/// Prefix of environment variables that set variables of the manifest.
pub(crate) const PREFIX: &str = "AMI_BAKE_VAR_";
/// Prefix of environment variables that set variables of a Packer template.
const PACKER_PREFIX: &str = "PKR_VAR_";

/// The environment variables that a manifest or a template can read. Credentials are never among them. In a workflow
/// that anyone can start, only `AMI_BAKE_VAR_NAME` and variables that the workflow allows are.
#[derive(Debug, Clone, Default)]
pub struct VisibleEnv {
    values: BTreeMap<String, String>,
    limit: Option<EnvLimit>,
}

/// Why a run can't read the whole environment, and which variables the workflow allows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EnvLimit {
    /// The reason: a sentence without its full stop, such as "This pull request comes from the fork eve/images".
    pub why: String,
    /// The variables that the workflow allows.
    pub allowed: BTreeSet<String>,
}

/// Why a variable can't be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HiddenVariable {
    /// The problem: a sentence fragment.
    pub message: String,
    /// What to do: full sentences.
    pub help: String,
}

impl VisibleEnv {
    /// The environment of the process; with `limit`, restricted for files that may come from a stranger.
    pub fn new(values: BTreeMap<String, String>, limit: Option<EnvLimit>) -> Self {
        Self { values, limit }
    }

    /// Why the run can't read the whole environment: that of [`EnvLimit`].
    pub fn strangers(&self) -> Option<&str> {
        self.limit.as_ref().map(|limit| limit.why.as_str())
    }

    /// The value of a variable, if it is set and readable.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name).filter(|_| self.hidden(name).is_none()).map(String::as_str)
    }

    /// All readable variables with their values.
    pub fn visible(&self) -> impl Iterator<Item = (&str, &str)> {
        let all = self.values.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        all.filter(|(name, _)| self.hidden(name).is_none())
    }

    /// Names of variables that are set but not readable.
    pub fn unreadable(&self) -> impl Iterator<Item = &str> {
        self.values.keys().map(String::as_str).filter(|name| self.hidden(name).is_some())
    }

    /// Why a variable is not readable, whether or not it is set. Names are compared without case, as in expressions.
    pub fn hidden(&self, name: &str) -> Option<HiddenVariable> {
        let upper = name.to_ascii_uppercase();
        if upper.starts_with(PREFIX) {
            return None;
        }
        // A variable with this prefix is meant for the template, whatever its name.
        let sets = upper.starts_with(PACKER_PREFIX);
        if !sets && (credential::signs_in(name) || credential::named(name)) {
            return Some(HiddenVariable {
                message: format!("`{name}` is a credential: its value is never read here"),
                help: if credential::signs_in(name) {
                    "The bake signs in with it by itself.".to_owned()
                } else {
                    format!("List `{name}` in `secrets` and use `secrets.{name}` in the `env` of a step.")
                },
            });
        }
        self.limited(name)
    }

    /// Why a declared secret is not usable, whether or not it is set.
    pub fn hidden_secret(&self, name: &str) -> Option<HiddenVariable> {
        if credential::signs_in(name) {
            return Some(HiddenVariable {
                message: format!("`{name}` can't be a secret: ami-bake or the runner signs in with it"),
                help: "Pass the value under another name, which the workflow or your shell sets.".to_owned(),
            });
        }
        self.limited(name)
    }

    /// The value of a declared secret, if it is set and usable.
    pub fn secret(&self, name: &str) -> Option<&str> {
        self.values.get(name).filter(|_| self.hidden_secret(name).is_none()).map(String::as_str)
    }

    /// Why a declared secret is not usable although it has a value.
    pub fn withheld_secret(&self, name: &str) -> Option<HiddenVariable> {
        self.values.get(name).filter(|value| !value.is_empty()).and_then(|_| self.hidden_secret(name))
    }

    fn limited(&self, name: &str) -> Option<HiddenVariable> {
        let limit = self.limit.as_ref()?;
        let allowed = limit.allowed.iter().any(|allowed| allowed.eq_ignore_ascii_case(name));
        (!allowed).then(|| HiddenVariable {
            message: format!("the environment variable `{name}` can't be read in this workflow run"),
            help: format!("{}. Allow it in the workflow: `allow-env: {name}`.", limit.why),
        })
    }
}

impl From<BTreeMap<String, String>> for VisibleEnv {
    fn from(values: BTreeMap<String, String>) -> Self {
        Self::new(values, None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [&str; 12] = [
        "AWS_SECRET_ACCESS_KEY",
        "ACTIONS_RUNTIME_TOKEN",
        "GITHUB_TOKEN",
        "INPUT_TOKEN",
        "NPM_TOKEN",
        "DB_PASSWORD",
        "AWS_REGION",
        "AWS_PROFILE",
        "HOME",
        "MIRROR",
        "AMI_BAKE_VAR_token",
        "PKR_VAR_token",
    ];

    fn seen(limit: Option<EnvLimit>) -> Vec<String> {
        let values = ALL.iter().map(|name| ((*name).to_owned(), "x".to_owned())).collect();
        VisibleEnv::new(values, limit).visible().map(|(name, _)| name.to_owned()).collect()
    }

    #[test]
    fn credentials_are_never_seen_and_strangers_see_what_the_workflow_allows() {
        assert_eq!(seen(None), ["AMI_BAKE_VAR_token", "AWS_PROFILE", "AWS_REGION", "HOME", "MIRROR", "PKR_VAR_token"]);
        let allowing = |names: &[&str]| EnvLimit {
            why: "Anyone can start this".to_owned(),
            allowed: names.iter().map(|name| (*name).to_owned()).collect(),
        };
        assert_eq!(seen(Some(allowing(&[]))), ["AMI_BAKE_VAR_token"]);
        // Credentials stay hidden even if the workflow allows them by mistake.
        assert_eq!(seen(Some(allowing(&["MIRROR", "GITHUB_TOKEN", "NPM_TOKEN"]))), ["AMI_BAKE_VAR_token", "MIRROR"]);
    }

    #[test]
    fn a_secret_is_what_the_workflow_sets_for_it() {
        let values = || ALL.iter().map(|name| ((*name).to_owned(), "x".to_owned())).collect::<BTreeMap<_, _>>();
        let own = VisibleEnv::from(values());
        assert_eq!(
            (own.secret("NPM_TOKEN"), own.secret("GITHUB_TOKEN"), own.secret("INPUT_TOKEN")),
            (Some("x"), None, None)
        );
        let limit = EnvLimit { why: "Anyone can start this".to_owned(), allowed: ["NPM_TOKEN".to_owned()].into() };
        let limited = VisibleEnv::new(values(), Some(limit));
        assert_eq!((limited.secret("NPM_TOKEN"), limited.secret("DB_PASSWORD")), (Some("x"), None));
        assert!(limited.withheld_secret("DB_PASSWORD").is_some() && limited.withheld_secret("NPM_TOKEN").is_none());
        // An unset secret is not withheld.
        assert_eq!(limited.withheld_secret("UNSET"), None);
        assert!(limited.hidden("mirror").unwrap().help.contains("`allow-env: mirror`"));
    }
}
