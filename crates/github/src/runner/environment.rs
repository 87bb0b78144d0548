//! The environment variables of a step: inputs, state of the main step, folders.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use ami_bake_core::{Error, Result};
use serde_json::Value;

/// The environment variables of a step that are valid UTF-8.
#[derive(Debug, Clone, Default)]
pub struct Environment(BTreeMap<String, String>);

impl Environment {
    /// The environment of this process.
    pub fn of_process() -> Self {
        let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        Self(std::env::vars_os().filter_map(text).collect())
    }

    /// An environment with these variables.
    pub fn of<K: Into<String>, V: Into<String>>(variables: impl IntoIterator<Item = (K, V)>) -> Self {
        Self(variables.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
    }

    /// The value of a variable that is set and not empty.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// True in a step of a workflow.
    pub fn in_workflow(&self) -> bool {
        self.get("GITHUB_ACTIONS") == Some("true")
    }

    /// True when the runner started this program as an action: only then there are inputs.
    pub fn is_action(&self) -> bool {
        let in_pod = || self.in_pod() && self.get("GITHUB_WORKSPACE").is_some();
        self.get("INPUT_COMMAND").is_some() && (self.in_workflow() || in_pod())
    }

    /// True in a pod of Kubernetes, which the kubelet says to each container. A container that Docker started in a pod does not
    /// have the variable, so an action with it was started by ARC in Kubernetes mode. There `GITHUB_ACTIONS` may be missing
    /// (actions/runner-container-hooks issue 211).
    pub fn in_pod(&self) -> bool {
        self.get("KUBERNETES_SERVICE_HOST").is_some()
    }

    /// Those of the runner's files that it names and that are not there: outputs, state and summary are then written for
    /// nobody.
    pub fn missing_files(&self) -> Vec<&'static str> {
        let names = ["GITHUB_EVENT_PATH", "GITHUB_OUTPUT", "GITHUB_STATE", "GITHUB_STEP_SUMMARY"];
        names.into_iter().filter(|name| self.get(name).is_some_and(|path| !Path::new(path).is_file())).collect()
    }

    /// An input by its name in action.yml. The runner writes the name in upper case with `_` for blanks, and keeps
    /// hyphens (actions/runner, Handlers/Handler.cs). White space around the value is removed.
    pub fn input(&self, name: &str) -> Option<&str> {
        let variable = format!("INPUT_{}", name.replace(' ', "_").to_uppercase());
        self.get(&variable).map(str::trim).filter(|value| !value.is_empty())
    }

    /// An input that is a list, separated by lines or commas.
    pub fn list(&self, name: &str) -> Vec<String> {
        self.entries(name, &['\n', ','])
    }

    /// An input that is a list of words, separated by white space or commas.
    pub fn words(&self, name: &str) -> Vec<String> {
        self.entries(name, &['\n', ',', ' ', '\t'])
    }

    /// An input with a `NAME=VALUE` on each line. `NAME<<END` begins a value of several lines, which ends before the
    /// line `END`, as in the runner's file commands.
    ///
    /// # Errors
    /// When the end of such a value is missing.
    pub fn assignments(&self, name: &str) -> Result<Vec<String>> {
        let mut lines = self.input(name).unwrap_or_default().lines();
        let mut all = Vec::new();
        while let Some(line) = lines.next() {
            let entry = line.trim();
            match entry.split_once("<<") {
                Some((variable, end)) if !variable.contains('=') && !end.trim().is_empty() => {
                    let mut value: Vec<&str> = Vec::new();
                    loop {
                        match lines.next() {
                            Some(line) if line.trim() == end.trim() => break,
                            Some(line) => value.push(line),
                            None => {
                                return Err(Error::usage(format!(
                                    "the value of {variable:?} in the input `{name}` has no last line {:?}",
                                    end.trim()
                                )));
                            }
                        }
                    }
                    all.push(format!("{}={}", variable.trim(), value.join("\n")));
                }
                _ if entry.is_empty() => {}
                _ => all.push(entry.to_owned()),
            }
        }
        Ok(all)
    }

    fn entries(&self, name: &str, ends: &[char]) -> Vec<String> {
        let entries = self.input(name).unwrap_or_default().split(ends).map(str::trim);
        entries.filter(|entry| !entry.is_empty()).map(str::to_owned).collect()
    }

    /// An input that is `true` or `false`, in the spellings of GitHub's own actions (YAML 1.2, core schema).
    ///
    /// # Errors
    /// When the value is something else.
    pub fn flag(&self, name: &str) -> Result<Option<bool>> {
        match self.input(name) {
            None => Ok(None),
            Some("true" | "True" | "TRUE") => Ok(Some(true)),
            Some("false" | "False" | "FALSE") => Ok(Some(false)),
            Some(other) => Err(Error::usage(format!("invalid value {other:?} for input `{name}`"))
                .help(format!("Use `{name}: true` or `{name}: false`."))),
        }
    }

    /// The payload of the event that started the workflow; null when its file is missing or broken.
    pub fn event(&self) -> Value {
        let text = self.get("GITHUB_EVENT_PATH").and_then(|path| std::fs::read(path).ok());
        text.and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or(Value::Null)
    }

    /// A value that the main step saved for the post step.
    pub fn state(&self, name: &str) -> Option<&str> {
        self.get(&format!("STATE_{name}"))
    }

    /// The folder for files that the post step must find. Runners older than September 2025 name a `RUNNER_TEMP` that
    /// is not mounted into the container (actions/runner pull request 4011); for these it is `HOME`, which all
    /// container actions of a job share.
    pub fn shared_folder(&self) -> PathBuf {
        let usable = |name: &str| self.get(name).map(Path::new).filter(|path| path.is_absolute() && path.is_dir());
        usable("RUNNER_TEMP").or_else(|| usable("HOME")).map_or_else(std::env::temp_dir, Path::to_path_buf)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inputs_keep_their_hyphens_and_lose_the_white_space_around() {
        let environment = Environment::of([
            ("INPUT_ROLE-DURATION", " 3600\n"),
            ("INPUT_SET", "a=1,2\n\n  b = x\n"),
            ("INPUT_IMAGES", "base, web\nworker"),
            ("INPUT_EMPTY", "  "),
        ]);
        assert_eq!(environment.input("role-duration"), Some("3600"));
        assert_eq!(environment.assignments("set").unwrap(), ["a=1,2", "b = x"]);
        assert_eq!(environment.list("images"), ["base", "web", "worker"]);
        assert_eq!(environment.words("set"), ["a=1", "2", "b", "=", "x"]);
        assert_eq!(environment.input("empty"), None);
    }

    #[test]
    fn a_value_may_have_several_lines() {
        let set = |text: &str| Environment::of([("INPUT_SET", text)]).assignments("set");
        let several = "motd<<END\nHello\n  you=there\n\n<<END2\nEND\nport=80\nnote=a<<b";
        let expected = ["motd=Hello\n  you=there\n\n<<END2", "port=80", "note=a<<b"];
        assert_eq!(set(several).unwrap(), expected);
        assert!(set("motd<<END\nHello").unwrap_err().message().contains("has no last line \"END\""));
        assert!(set("").unwrap().is_empty());
    }

    #[test]
    fn a_flag_is_true_or_false_or_an_error_that_names_it() {
        let environment = Environment::of([("INPUT_FORCE", "True"), ("INPUT_DRY-RUN", "yes")]);
        assert_eq!(environment.flag("force").unwrap(), Some(true));
        assert_eq!(environment.flag("until").unwrap(), None);
        let error = environment.flag("dry-run").unwrap_err();
        assert!(error.message().contains("invalid value \"yes\" for input `dry-run`"), "{error}");
    }

    #[test]
    fn a_runner_temp_that_is_not_mounted_is_left_aside() {
        let home = tempfile::tempdir().unwrap();
        let environment = Environment::of([("RUNNER_TEMP", "/nowhere/_temp"), ("HOME", home.path().to_str().unwrap())]);
        assert_eq!(environment.shared_folder(), home.path());
        assert_eq!(Environment::default().shared_folder(), std::env::temp_dir());
    }

    #[test]
    fn only_an_action_has_a_command() {
        let step = Environment::of([("GITHUB_ACTIONS", "true")]);
        assert!(step.in_workflow() && !step.is_action());
        assert!(Environment::of([("GITHUB_ACTIONS", "true"), ("INPUT_COMMAND", "bake")]).is_action());
        assert!(!Environment::of([("INPUT_COMMAND", "bake")]).is_action());
        let pod = [
            ("KUBERNETES_SERVICE_HOST", "10.0.0.1"),
            ("INPUT_COMMAND", "bake"),
            ("GITHUB_WORKSPACE", "/github/workspace"),
        ];
        assert!(Environment::of(pod).is_action() && !Environment::of(pod.into_iter().take(2)).is_action());
    }
}
