//! `execute_command`: the user, the shell and the arguments that it runs a script with.

use crate::template::Template;
use crate::template::parse::{Argument, Segment, parse};

/// How a script runs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Execution {
    /// The user that `sudo` changes to.
    pub(super) sudo: Option<String>,
    /// The program that reads the script, with its own arguments.
    pub(super) shell: Option<String>,
    /// Arguments of the script.
    pub(super) arguments: Vec<String>,
    /// The command does more than that.
    pub(super) more: bool,
}

const SHELLS: [&str; 12] =
    ["sh", "bash", "dash", "ash", "ksh", "zsh", "python", "python3", "python2", "perl", "ruby", "env"];

/// Marks in the text of a command: the path of the script, its variables, and the first of the templates that are evaluated.
const PATH: char = '\u{1}';
const VARS: char = '\u{2}';
const VARS_WORD: &str = "\u{2}";
const FIRST: u32 = 0xe000;

/// Takes a command apart. `known` evaluates what is not `.Path` or `.Vars`; without a value it counts as more.
pub(super) fn read(command: &Template, known: &dyn Fn(&Segment) -> Option<String>) -> Execution {
    let mut execution = Execution::default();
    let Ok(segments) = parse(command) else {
        execution.more = true;
        return execution;
    };
    let (command, others) = marked(segments);
    let Some(at) = command.rfind(PATH) else {
        execution.more = true;
        return execution;
    };
    let mut evaluated = |text: &str| -> String {
        let mut out = String::new();
        for c in text.chars() {
            let segment = u32::from(c).checked_sub(FIRST).and_then(|at| others.get(usize::try_from(at).ok()?));
            match segment.map(known) {
                None => out.push(c),
                Some(Some(value)) => out.push_str(&value),
                Some(None) => execution.more = true,
            }
        }
        out
    };
    let after = evaluated(command[at..].trim_start_matches(PATH));
    let before = &command[..at];
    // Only the last command of the line runs the script; `chmod +x` before it is not needed.
    let (head, last) = match before.rfind([';', '|', '&']) {
        Some(split) => (&before[..split], &before[split + 1..]),
        None => ("", before),
    };
    let last = evaluated(last);
    let harmless = |part: &str| {
        let part = part.trim();
        // `echo PASSWORD |` is for sudo, which never asks for one on a build machine.
        part.is_empty() || ["chmod ", "sudo chmod ", "echo ", "sleep "].iter().any(|start| part.starts_with(start))
    };
    execution.more |= !head.split([';', '|', '&']).all(harmless);
    let words: Vec<String> = last.replace(['\'', '"'], " ").split_whitespace().map(str::to_owned).collect();
    let mut words = words.iter().map(String::as_str).peekable();
    let mut shell: Vec<&str> = Vec::new();
    while let Some(word) = words.next() {
        let base = word.rsplit('/').next().unwrap_or(word);
        match base {
            "sudo" => {
                execution.sudo.get_or_insert_with(|| "root".to_owned());
                while let Some(option) = words.peek().filter(|option| option.starts_with('-')) {
                    let option = *option;
                    words.next();
                    if matches!(option, "-u" | "--user") {
                        execution.sudo = words.next().map(str::to_owned);
                    } else if let Some(user) = option.strip_prefix("--user=") {
                        execution.sudo = Some(user.to_owned());
                    } else if option.ends_with('u') && !option.starts_with("--") && option.len() > 2 {
                        execution.sudo = words.next().map(str::to_owned);
                    }
                }
            }
            "su" => execution.more = true,
            VARS_WORD | "exec" | "env" if shell.is_empty() => {}
            VARS_WORD => {}
            "-c" => shell.clear(),
            _ if SHELLS.contains(&base) => {
                shell.clear();
                shell.push(word);
            }
            _ if word.starts_with('-') && !shell.is_empty() => shell.push(word),
            // A variable that the command sets.
            _ if word.contains('=') => execution.more = true,
            _ => execution.more = true,
        }
    }
    // `-c` runs a command line, so that the script's own `#!` line decides.
    if !shell.is_empty()
        && !shell.iter().any(|word| word.starts_with('-') && !word.starts_with("--") && word.contains('c'))
    {
        execution.shell = Some(shell.join(" "));
    }
    let after = after.trim().trim_start_matches(['\'', '"']).trim_end_matches(['\'', '"']).trim();
    if after.contains([';', '|', '&', '>', '<']) {
        execution.more = true;
    } else {
        execution.arguments = after.split_whitespace().filter(|word| *word != VARS_WORD).map(str::to_owned).collect();
    }
    execution
}

/// The command as text with marks in the place of templates, and the templates other than `.Path` and `.Vars`.
fn marked(segments: Vec<Segment>) -> (String, Vec<Segment>) {
    let mut text = String::new();
    let mut others = Vec::new();
    for segment in segments {
        match (&segment, field(&segment)) {
            (Segment::Text(written), _) => text.push_str(written),
            (_, Some("Path")) => text.push(PATH),
            (_, Some("Vars" | "EnvVarFile")) => text.push(VARS),
            _ => {
                let mark = u32::try_from(others.len()).ok().and_then(|at| char::from_u32(FIRST + at));
                text.extend(mark);
                others.push(segment);
            }
        }
    }
    (text, others)
}

/// The field that an action is.
fn field(segment: &Segment) -> Option<&str> {
    let Segment::Action(pipeline) = segment else { return None };
    let [command] = pipeline.as_slice() else { return None };
    match command.as_slice() {
        [Argument::Field(path)] if path.len() == 1 => path.first().map(String::as_str),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{Execution, read as read_with};
    use crate::template::parse::Segment;
    use crate::template::{Template, call};

    fn read(command: &str) -> Execution {
        let known = |segment: &Segment| (*segment == Segment::Action(call("user", "x"))).then(|| "X".to_owned());
        read_with(&Template::text(command), &known)
    }

    fn sudo(shell: Option<&str>) -> Execution {
        Execution { sudo: Some("root".into()), shell: shell.map(str::to_owned), ..Execution::default() }
    }

    #[test]
    fn the_usual_commands_mean_sudo() {
        assert_eq!(read("sudo -S sh -c '{{ .Vars }} {{ .Path }}'"), sudo(None));
        assert_eq!(read("echo 'packer' | sudo -S env {{ .Vars }} {{ .Path }}"), sudo(None));
        assert_eq!(read("chmod +x {{ .Path }}; {{ .Vars }} sudo -E sh -ex '{{ .Path }}'"), sudo(Some("sh -ex")));
        assert_eq!(read("{{ .Vars }} exec sudo -E -S bash '{{.Path}}'"), sudo(Some("bash")));
        assert_eq!(read("{{.Vars}} sudo -E -u deploy {{.Path}}").sudo.as_deref(), Some("deploy"));
        assert_eq!(read("chmod +x {{.Path}}; {{.Vars}} {{.Path}}"), Execution::default());
        assert_eq!(read("bash {{.Path}} --fast x").arguments, ["--fast", "x"]);
        assert_eq!(read("echo '{{user `x`}}' | {{.Vars}} sudo -S -E sh '{{.Path}}'"), sudo(Some("sh")));
        assert_eq!(read("sudo {{.Path}} --env={{user `x`}}").arguments, ["--env=X"]);
    }

    #[test]
    fn what_is_more_is_said() {
        for command in [
            "FOO=1 bash {{.Path}}",
            "run-it",
            "su -c {{.Path}}",
            "if true; then sudo bash {{.Path}}; fi",
            "{{user `x`}} {{.Path}}",
            "bash {{.Path}} {{ .Novel }}",
            "x {{.Path}} > /log",
        ] {
            assert!(read(command).more, "{command}");
        }
    }
}
