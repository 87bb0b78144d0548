//! The inputs of action.yml, and the command line that they are.

use ami_bake_core::{Error, Result};
use ami_bake_github::runner::Environment;

/// What an input becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Becomes {
    /// The command itself.
    Command,
    /// The path of the manifest.
    Manifest,
    /// A flag with the input's value.
    Value(&'static str),
    /// The flag once for each entry; entries stand on lines of their own or between commas.
    List(&'static str),
    /// The same, with blanks between entries too.
    Words(&'static str),
    /// The flag once for each line.
    Lines(&'static str),
    /// The flag, when the input is true.
    Switch(&'static str),
    /// Nothing: the action acts on it.
    Own,
}

impl Becomes {
    /// The flag, where it becomes one.
    pub(super) fn flag(self) -> Option<&'static str> {
        match self {
            Self::Command | Self::Manifest | Self::Own => None,
            Self::Value(flag) | Self::List(flag) | Self::Words(flag) | Self::Lines(flag) | Self::Switch(flag) => {
                Some(flag)
            }
        }
    }

    /// A value for each time that the flag is given; none where it takes none.
    fn values(self, name: &str, value: &str, environment: &Environment) -> Result<Vec<Option<String>>> {
        let each = |values: Vec<String>| values.into_iter().map(Some).collect();
        Ok(match self {
            Self::Command | Self::Manifest | Self::Own => Vec::new(),
            Self::Value(_) => vec![Some(value.to_owned())],
            Self::List(_) => each(environment.list(name)),
            Self::Words(_) => each(environment.words(name)),
            Self::Lines(_) => each(environment.lines(name)),
            Self::Switch(_) if environment.flag(name)? != Some(true) => Vec::new(),
            // The key is no file of the workspace, which is uploaded as an artifact all too easily.
            Self::Switch("keep-on-failure") => vec![Some(environment.shared_folder().display().to_string())],
            Self::Switch(_) => vec![None],
        })
    }
}

/// All inputs, in the order of action.yml.
pub(super) const INPUTS: &[(&str, Becomes)] = &[
    ("command", Becomes::Command),
    ("manifest", Becomes::Manifest),
    ("images", Becomes::Words("image")),
    ("platform", Becomes::Value("platform")),
    ("environment", Becomes::Value("environment")),
    ("set", Becomes::Lines("set")),
    ("var-file", Becomes::List("var-file")),
    ("version", Becomes::Words("image-version")),
    ("bump", Becomes::Value("bump")),
    ("role", Becomes::Words("role")),
    ("region", Becomes::Words("region")),
    ("audience", Becomes::Value("audience")),
    ("session-name", Becomes::Value("session-name")),
    ("role-duration", Becomes::Value("role-duration")),
    ("token", Becomes::Own),
    ("comment", Becomes::Own),
    ("comment-key", Becomes::Own),
    ("summary", Becomes::Own),
    ("release-notes", Becomes::Own),
    ("on-fork", Becomes::Own),
    ("dry-run", Becomes::Switch("dry-run")),
    ("until", Becomes::Value("until")),
    ("force", Becomes::Switch("force")),
    ("keep-on-failure", Becomes::Switch("keep-on-failure")),
    ("debug-key", Becomes::Value("debug-key")),
    ("report", Becomes::List("report")),
    ("against", Becomes::Value("against")),
];

/// Commands that make no sense in a step.
const NOT_HERE: [&str; 4] = ["help", "completions", "init", "import"];

/// The command that the inputs ask for.
///
/// # Errors
/// When there is none of that name.
pub(super) fn command(environment: &Environment) -> Result<String> {
    let name = environment.input("command").unwrap_or_default();
    let known = names();
    if known.iter().any(|known| known == name) {
        return Ok(name.to_owned());
    }
    Err(Error::usage(format!("the input `command` is {name:?}, which is no command"))
        .help(format!("Write one of {}.", known.join(", "))))
}

fn names() -> Vec<String> {
    let command = crate::cli::command();
    let verbs = command.get_subcommands().filter(|verb| !verb.is_hide_set());
    verbs.map(|verb| verb.get_name().to_owned()).filter(|name| !NOT_HERE.contains(&name.as_str())).collect()
}

/// A command line, and the inputs that it has no use for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Line {
    /// The words after the program's name.
    pub(super) words: Vec<String>,
    /// Names of inputs that were given and mean nothing to the command.
    pub(super) unused: Vec<&'static str>,
}

/// The command line of `command` with the inputs that it knows, but for those in `without`.
///
/// # Errors
/// When an input has a value that it can't have.
pub(super) fn line(command: &str, environment: &Environment, without: &[&str]) -> Result<Line> {
    let surface = crate::cli::command();
    let verb = surface.find_subcommand(command);
    let knows = |id: &str| {
        verb.is_some_and(|verb| {
            verb.get_arguments().any(|argument| argument.get_long() == Some(id) || argument.get_id() == id)
        })
    };
    let mut words = vec![command.to_owned()];
    let mut positional = Vec::new();
    let mut unused = Vec::new();
    for (name, becomes) in INPUTS.iter().filter(|(name, _)| !without.contains(name)) {
        let Some(value) = environment.input(name) else { continue };
        match becomes {
            Becomes::Manifest if knows("manifest") => positional.push(value.to_owned()),
            // Which version is promoted is the command's first word.
            Becomes::Words("image-version") if command == "promote" => positional.insert(0, value.to_owned()),
            Becomes::Manifest => unused.push(*name),
            _ => {
                let Some(flag) = becomes.flag() else { continue };
                let values = becomes.values(name, value, environment)?;
                if knows(flag) {
                    // With `=`, so that a value that begins with a hyphen is one.
                    words.extend(values.into_iter().map(|value| match value {
                        Some(value) => format!("--{flag}={value}"),
                        None => format!("--{flag}"),
                    }));
                } else if !values.is_empty() {
                    unused.push(*name);
                }
            }
        }
    }
    words.extend(positional.into_iter().map(|word| if word.starts_with('-') { format!("./{word}") } else { word }));
    Ok(Line { words, unused })
}
