//! `execute_command`: what it says of user, shell and arguments.

/// How a script runs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Execution {
    /// The user that `sudo` changes to.
    pub(super) sudo: Option<String>,
    /// The program that reads the script, with its own arguments.
    pub(super) shell: Option<String>,
    /// Arguments of the script.
    pub(super) arguments: Vec<String>,
    /// There is more in it than that.
    pub(super) more: bool,
}

const SHELLS: [&str; 12] =
    ["sh", "bash", "dash", "ash", "ksh", "zsh", "python", "python3", "python2", "perl", "ruby", "env"];

/// Takes a command apart. `known` is the value of a text with templates other than `.Path` and `.Vars`; without one they
/// make it more.
pub(super) fn read(command: &str, known: &dyn Fn(&str) -> Option<String>) -> Execution {
    let mut execution = Execution::default();
    let mut command = command.to_owned();
    for (name, mark) in [("Path", "\u{1}"), ("Vars", "\u{2}"), ("EnvVarFile", "\u{2}")] {
        for spelled in [
            format!("{{{{ .{name} }}}}"),
            format!("{{{{.{name}}}}}"),
            format!("{{{{ .{name}}}}}"),
            format!("{{{{.{name} }}}}"),
        ] {
            command = command.replace(&spelled, mark);
        }
    }
    let Some(at) = command.rfind('\u{1}') else {
        execution.more = true;
        return execution;
    };
    let mut evaluated = |text: &str| {
        if !text.contains("{{") {
            return text.to_owned();
        }
        known(text).unwrap_or_else(|| {
            execution.more = true;
            String::new()
        })
    };
    let after = evaluated(command[at..].trim_start_matches('\u{1}'));
    let before = &command[..at];
    // Only the last command of the line runs the script; `chmod +x` before it goes without saying.
    let (head, last) = match before.rfind([';', '|', '&']) {
        Some(split) => (&before[..split], &before[split + 1..]),
        None => ("", before),
    };
    let last = evaluated(last);
    let harmless = |part: &str| {
        let part = part.trim();
        // `echo PASSWORD |` is for sudo, which asks nobody here.
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
            "\u{2}" | "exec" | "env" if shell.is_empty() => {}
            "\u{2}" => {}
            "-c" => shell.clear(),
            _ if SHELLS.contains(&base) => {
                shell.clear();
                shell.push(word);
            }
            _ if word.starts_with('-') && !shell.is_empty() => shell.push(word),
            // Variables of the command's own.
            _ if word.contains('=') => execution.more = true,
            _ => execution.more = true,
        }
    }
    // `-c` runs a command line: the script's own shebang counts again.
    if !shell.is_empty()
        && !shell.iter().any(|word| word.starts_with('-') && !word.starts_with("--") && word.contains('c'))
    {
        execution.shell = Some(shell.join(" "));
    }
    let after = after.trim().trim_start_matches(['\'', '"']).trim_end_matches(['\'', '"']).trim();
    if after.contains([';', '|', '&', '>', '<']) {
        execution.more = true;
    } else {
        execution.arguments = after.split_whitespace().filter(|word| *word != "\u{2}").map(str::to_owned).collect();
    }
    execution
}

#[cfg(test)]
mod tests {
    use super::{Execution, read as read_with};

    fn read(command: &str) -> Execution {
        read_with(command, &|text| text.contains("user").then(|| text.replace("{{user `x`}}", "X")))
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
