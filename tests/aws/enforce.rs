//! Checks every call of the program against the policy that `ami-bake policy` prints for its manifest.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

use serde_json::{Value, json};

use crate::fixture::finish;

/// Flags that affect the meaning of a manifest; they are passed on to `ami-bake policy`.
const MEANING: [&str; 7] =
    ["--region", "--platform", "--environment", "--set", "--var-file", "--allow-files", "--role"];
/// Commands that use no cloud, and one that only people run: a bake looks up the users of an image only with `keep`.
const OTHERS: [&str; 8] = ["policy", "check", "import", "schema", "init", "matrix", "--version", "images"];

/// The access keys that have their policies, by the state these were made from.
#[derive(Default)]
pub(crate) struct Policies {
    keys: Mutex<BTreeMap<u64, String>>,
    /// Statements that are added to each policy.
    further: Mutex<Vec<Value>>,
}

impl Policies {
    /// Adds a statement to all later policies, such as a denial of an organization.
    pub(crate) fn add(&self, statement: &Value) {
        self.further.lock().unwrap().push(statement.clone());
        self.keys.lock().unwrap().clear();
    }

    /// Gives the command an access key of its own, which may do what `ami-bake policy` prints and nothing else. The
    /// policy is made once for each manifest. `call` creates a command in the fixture's folder; `put` gives the cloud
    /// the policies of a key and of the roles in the manifest.
    pub(crate) fn enforce(
        &self,
        command: &mut Command,
        arguments: &[&str],
        call: impl Fn(&[&str]) -> Command,
        put: impl Fn(&str, &Value, &Value),
    ) {
        if arguments.first().is_none_or(|name| OTHERS.contains(name)) {
            return;
        }
        let Some(folder) = command.get_current_dir().map(Path::to_owned) else { return };
        let asked = asked(arguments, &folder);
        let Some(state) = state(&folder, &asked) else { return };
        let mut known = self.keys.lock().unwrap();
        let key = known.entry(state).or_insert_with(|| {
            // An access key has 20 letters and digits.
            let key = format!("AKIA{state:016X}");
            let arguments: Vec<&str> = asked.iter().map(String::as_str).collect();
            let (mut policy, roles) = printed(&arguments, &call);
            policy["Statement"].as_array_mut().unwrap().extend(self.further.lock().unwrap().iter().cloned());
            put(&key, &policy, &roles);
            key
        });
        command.env("AWS_ACCESS_KEY_ID", &*key);
    }
}

/// The arguments of `ami-bake policy` that correspond to a command's.
fn asked(arguments: &[&str], folder: &Path) -> Vec<String> {
    let mut asked = vec!["policy".to_owned()];
    let mut rest = arguments.iter().skip(1);
    while let Some(argument) = rest.next() {
        let file = [".yml", ".yaml", ".json", ".hcl"].iter().any(|end| argument.ends_with(end))
            || folder.join(argument).is_dir();
        if MEANING.contains(argument) {
            let value = rest.next().unwrap();
            // A sweep covers several regions; the first is the home region.
            if !(*argument == "--region" && asked.iter().any(|one| one == "--region")) {
                asked.extend([(*argument).to_owned(), (*value).to_owned()]);
            }
        } else if *argument == "--report" {
            rest.next();
        } else if file && !argument.starts_with('-') {
            asked.push((*argument).to_owned());
        }
    }
    asked
}

/// A hash of everything that the policy depends on: the arguments, and the files in the folder and in the arguments.
fn state(folder: &Path, asked: &[String]) -> Option<u64> {
    let mut hasher = DefaultHasher::new();
    asked.hash(&mut hasher);
    let named = asked.iter().map(|argument| folder.join(argument)).filter(|path| path.is_dir());
    let folders: Vec<PathBuf> = named.chain([folder.to_owned()]).collect();
    for entry in folders.iter().filter_map(|folder| std::fs::read_dir(folder).ok()).flatten().flatten() {
        let path = entry.path();
        if path.extension().is_some_and(|end| ["yml", "yaml", "json", "hcl", "pkrvars"].iter().any(|one| end == *one))
            && !path.ends_with("bake-report.json")
        {
            std::fs::read(&path).ok()?.hash(&mut hasher);
        }
    }
    Some(hasher.finish())
}

/// The printed policy, and those of the roles that need one of their own. Without a valid manifest nothing is allowed.
fn printed(arguments: &[&str], call: impl Fn(&[&str]) -> Command) -> (Value, Value) {
    let outcome = finish(call(arguments).spawn().unwrap());
    let nothing = json!({"Version": "2012-10-17", "Statement": []});
    let policy = serde_json::from_str(&outcome.stdout).unwrap_or(nothing);
    let mut roles = serde_json::Map::new();
    for line in outcome.stderr.lines() {
        if let Some((_, role)) = line.split_once("ami-bake policy --for ") {
            let of_role = finish(call(&[arguments, &["--for", role]].concat()).spawn().unwrap()).exits(0);
            roles.insert(role.to_owned(), serde_json::from_str(&of_role.stdout).unwrap());
        }
    }
    (policy, Value::Object(roles))
}
