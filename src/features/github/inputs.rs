//! The inputs of action.yml, and their translation to a command line.

use ami_bake_core::event::Failure;
use ami_bake_core::{Error, Result};
use ami_bake_github::runner::Environment;

/// How an input becomes flags.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Translation {
    /// Name of the command.
    Command,
    /// The path of the manifest.
    Manifest,
    /// ID of the image for `test`.
    ImageId,
    /// A flag with the input's value.
    Value(&'static str),
    /// The flag once for each entry; entries are separated by commas or lines.
    List(&'static str),
    /// Like `List`; entries may also be separated by blanks.
    Words(&'static str),
    /// The flag once for each `NAME=VALUE`, one per line, or `NAME<<END` with the lines of a longer value.
    Assignments(&'static str),
    /// The flag, if the input is true.
    Switch(&'static str),
    /// No flag: the action itself uses the input.
    Own,
}

impl Translation {
    /// The flag, if the input is translated to one.
    pub(super) fn flag(self) -> Option<&'static str> {
        match self {
            Self::Command | Self::Manifest | Self::ImageId | Self::Own => None,
            Self::Value(flag) | Self::List(flag) | Self::Words(flag) | Self::Assignments(flag) | Self::Switch(flag) => {
                Some(flag)
            }
        }
    }

    /// A value for each occurrence of the flag; `None` for a switch.
    fn values(self, name: &str, value: &str, environment: &Environment) -> Result<Vec<Option<String>>> {
        let each = |values: Vec<String>| values.into_iter().map(Some).collect();
        Ok(match self {
            Self::Command | Self::Manifest | Self::ImageId | Self::Own => Vec::new(),
            Self::Value(_) => vec![Some(value.to_owned())],
            Self::List(_) => each(environment.list(name)),
            Self::Words(_) => each(environment.words(name)),
            Self::Assignments(_) => each(environment.assignments(name)?),
            Self::Switch(_) if environment.flag(name)? != Some(true) => Vec::new(),
            // Not the workspace: a key there could easily be uploaded as an artifact.
            Self::Switch("keep-on-failure") => vec![Some(environment.shared_folder().display().to_string())],
            Self::Switch(_) => vec![None],
        })
    }
}

/// All inputs, in the order of action.yml.
pub(super) const INPUTS: &[(&str, Translation)] = &[
    ("command", Translation::Command),
    ("manifest", Translation::Manifest),
    ("images", Translation::Words("image")),
    ("image-id", Translation::ImageId),
    ("platform", Translation::Value("platform")),
    ("environment", Translation::Value("environment")),
    ("set", Translation::Assignments("set")),
    ("var-file", Translation::List("var-file")),
    ("allow-files", Translation::List("allow-files")),
    ("allow-env", Translation::Words("allow-env")),
    ("version", Translation::Words("image-version")),
    ("bump", Translation::Value("bump")),
    ("role", Translation::Words("role")),
    ("region", Translation::Words("region")),
    ("audience", Translation::Value("audience")),
    ("session-name", Translation::Value("session-name")),
    ("role-duration", Translation::Value("role-duration")),
    ("token", Translation::Own),
    ("comment", Translation::Own),
    ("comment-key", Translation::Own),
    ("summary", Translation::Own),
    ("release-notes", Translation::Own),
    ("create-release", Translation::Own),
    ("on-fork", Translation::Own),
    ("reviewed-sha", Translation::Own),
    ("on-unclean", Translation::Own),
    ("dry-run", Translation::Switch("dry-run")),
    ("until", Translation::Value("until")),
    ("levels", Translation::Value("levels")),
    ("yes", Translation::Switch("yes")),
    ("force", Translation::Switch("force")),
    ("keep-on-failure", Translation::Switch("keep-on-failure")),
    ("debug-key", Translation::Value("debug-key")),
    ("log-dir", Translation::Value("log-dir")),
    ("report", Translation::List("report")),
    ("against", Translation::Value("against")),
    ("tfvars", Translation::Own),
    ("job-id", Translation::Own),
];

/// The commands that the input `command` offers, in the order of action.yml.
pub(super) const COMMANDS: [&str; 12] =
    ["bake", "check", "plan", "matrix", "test", "publish", "promote", "deploy", "report", "images", "sweep", "policy"];

/// Inputs without which a command can't run.
const REQUIRED: [(&str, &str); 3] = [("test", "image-id"), ("promote", "version"), ("promote", "environment")];

/// The command that the inputs select.
///
/// # Errors
/// When `surface`, the command line, has no such command, or a required input is not set.
pub(super) fn command(surface: &clap::Command, environment: &Environment) -> Result<String> {
    let name = environment.input("command").unwrap_or_default();
    // A build without a feature lacks the feature's commands.
    let names: Vec<&str> = COMMANDS.into_iter().filter(|name| surface.find_subcommand(name).is_some()).collect();
    let missing = REQUIRED.iter().find(|(command, input)| *command == name && environment.input(input).is_none());
    if let Some((command, input)) = missing {
        return Err(Error::usage(format!("the command `{command}` needs the input `{input}`")));
    }
    if names.contains(&name) {
        return Ok(name.to_owned());
    }
    Err(Error::usage(format!("invalid value {name:?} for input `command`"))
        .help(format!("Use one of {}.", names.join(", "))))
}

/// A command line, and the inputs that its command does not support.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Line {
    /// The arguments after the program's name.
    pub(super) words: Vec<String>,
    /// Names of inputs that were given and are ignored.
    pub(super) ignored: Vec<&'static str>,
}

/// The command line of `command` with the inputs that it supports, except those in `without`.
///
/// # Errors
/// When an input has an invalid value.
pub(super) fn line(
    surface: &clap::Command,
    command: &str,
    environment: &Environment,
    without: &[&str],
) -> Result<Line> {
    let arguments = surface.find_subcommand(command).map(|command| command.get_arguments().collect::<Vec<_>>());
    let supports = |id: &str| {
        let mut arguments = arguments.iter().flatten();
        arguments.any(|argument| argument.get_long() == Some(id) || argument.get_id() == id)
    };
    let mut words = vec![command.to_owned()];
    let mut positional = Vec::new();
    let mut ignored = Vec::new();
    for (name, translation) in INPUTS.iter().filter(|(name, _)| !without.contains(name)) {
        let Some(value) = environment.input(name) else { continue };
        match translation {
            Translation::Manifest if supports("manifest") => positional.push(value.to_owned()),
            // `promote` takes its version as the first argument.
            Translation::Words("image-version") if command == "promote" => positional.insert(0, value.to_owned()),
            Translation::ImageId if command == "test" => positional.insert(0, value.to_owned()),
            Translation::Manifest | Translation::ImageId => ignored.push(*name),
            _ => {
                let Some(flag) = translation.flag() else { continue };
                let values = translation.values(name, value, environment)?;
                if supports(flag) {
                    // With `=`, so that a value that begins with a hyphen is not parsed as a flag.
                    words.extend(values.into_iter().map(|value| match value {
                        Some(value) => format!("--{flag}={value}"),
                        None => format!("--{flag}"),
                    }));
                } else if !values.is_empty() {
                    ignored.push(*name);
                }
            }
        }
    }
    words.extend(positional.into_iter().map(|word| if word.starts_with('-') { format!("./{word}") } else { word }));
    Ok(Line { words, ignored })
}

/// The failure with advice about inputs instead of the flags that they are translated to.
pub(super) fn with_inputs(failure: &Failure) -> Failure {
    Failure { help: failure.help.as_deref().map(inputs_for_flags), ..failure.clone() }
}

/// Text with `--flag` replaced by the input of that flag. Command lines, in backticks, stay as they are.
pub(super) fn inputs_for_flags(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("--") {
        let (before, flag) = rest.split_at(at);
        out.push_str(before);
        let name: String = flag[2..].chars().take_while(|c| c.is_ascii_lowercase() || *c == '-').collect();
        let end = 2 + name.len();
        let in_code = out.matches('`').count() % 2 == 1 && !out.ends_with('`');
        let input = INPUTS.iter().find(|(_, translation)| translation.flag() == Some(name.trim_end_matches('-')));
        match input {
            Some((input, _)) if !in_code && out.ends_with('`') => out.push_str(input),
            Some((input, _)) if !in_code => out.push_str(&format!("the input `{input}`")),
            _ => out.push_str(&flag[..end]),
        }
        rest = &flag[end..];
    }
    out + rest
}
