//! Checks that Ansible is installed, in a version that our plug-ins support.

use std::process::Stdio;

use ami_bake_core::plan::{Step, Value};
use ami_bake_core::{Error, Result, Run};
use tokio::process::Command;

/// The oldest ansible-core version that the plug-ins are tested with.
const OLDEST: (u32, u32) = (2, 12);
/// Help when Ansible is missing.
const INSTALL: &str =
    "Install ansible-core where the bake runs: `pipx install ansible-core`, or `apt-get install ansible-core`.";

/// Checks for Ansible before a machine is started.
///
/// # Errors
/// When it is missing or too old; the help has the command that installs it.
pub(super) async fn preflight(run: &Run, step: &Step) -> Result<()> {
    // The step may set a PATH of its own.
    let path = step.env.iter().find_map(|(name, value)| match value {
        Value::Plain(text) if name == "PATH" => Some(text.as_str()),
        _ => None,
    });
    run.until_cancelled(version(path)).await?.map_err(|error| error.at(step.route.key("ansible")))
}

async fn version(path: Option<&str>) -> Result<()> {
    let mut command = Command::new("ansible-playbook");
    command.arg("--version").stdin(Stdio::null()).kill_on_drop(true);
    if let Some(path) = path {
        command.env("PATH", path);
    }
    let output = command.output().await.map_err(|error| not_there("ansible-playbook", error))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let first = text.lines().next().unwrap_or_default();
    match parse(first) {
        Some(found) if found >= OLDEST => Ok(()),
        Some((major, minor)) => {
            let (oldest, second) = OLDEST;
            Err(Error::preflight(format!(
                "could not run a playbook: ansible-core {major}.{minor} is too old, at least {oldest}.{second} is required"
            ))
            .help(INSTALL))
        }
        None => {
            let said = String::from_utf8_lossy(&output.stderr);
            let said = said.lines().last().unwrap_or("nothing");
            let said = ami_bake_core::output::sanitize(said);
            Err(Error::preflight(format!(
                "could not run a playbook: `ansible-playbook --version` printed no version, but: {said}"
            ))
            .help(INSTALL))
        }
    }
}

/// The error for a program that could not be started.
pub(super) fn not_there(program: &str, error: std::io::Error) -> Error {
    if error.kind() == std::io::ErrorKind::NotFound {
        return Error::preflight(format!("could not run a playbook: {program} not found")).help(INSTALL);
    }
    Error::preflight(format!("could not run {program}")).help(INSTALL).because(error)
}

/// Parses the version in `ansible-playbook [core 2.19.4]`, or before 2.11 `ansible-playbook 2.9.27`.
fn parse(line: &str) -> Option<(u32, u32)> {
    let version = line.strip_prefix("ansible-playbook ")?.trim_start_matches("[core ").trim_end_matches(']');
    let mut numbers = version.split('.').map(|part| part.parse().ok());
    Some((numbers.next()??, numbers.next()??))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_in_both_forms() {
        assert_eq!(parse("ansible-playbook [core 2.19.4]"), Some((2, 19)));
        assert_eq!(parse("ansible-playbook 2.9.27"), Some((2, 9)));
        assert_eq!(parse("ansible-playbook [core 2.20.0rc1]"), Some((2, 20)));
        assert_eq!(parse("Traceback"), None);
        assert!(parse("ansible-playbook 2.9.27") < Some(OLDEST));
    }
}
