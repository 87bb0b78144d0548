//! Parses `execute_command`: the user, shell, folder and arguments with which it runs a script.

use super::home::home;
use super::shell_line::{PATH, VARS, VARS_FILE, asks, commands, fixed, is_name, is_user, plain, shown, speaks, tokens};
use super::values::{Values, marked};
use crate::template::parse::{Segment, parse};
use crate::template::{Template, Words};
use ami_bake_manifest::access::credential;

/// How a script runs. Arguments, the folder and values of variables are as the manifest writes them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Execution {
    /// The user that `sudo` or `su` changes to.
    pub(super) user: Option<String>,
    /// The program that reads the script, with its own arguments.
    pub(super) shell: Option<String>,
    /// A login shell that starts the program, such as `bash -lc`.
    pub(super) login: Option<String>,
    /// Arguments of the script.
    pub(super) arguments: Vec<String>,
    /// The working directory.
    pub(super) folder: Option<String>,
    /// Variables that the command sets.
    pub(super) env: Vec<(String, String)>,
    /// True when `sudo -E` keeps the environment, on some systems including `HOME`.
    pub(super) keeps_home: bool,
    /// True when the script's variables are set before a `sudo` that removes them.
    pub(super) loses_variables: bool,
    /// True when the status of a command after the script decides about success.
    pub(super) hides_failure: bool,
    /// Expressions whose values during the import are part of the command.
    pub(super) evaluated: Vec<String>,
}

const SHELLS: [&str; 13] =
    ["sh", "bash", "dash", "ash", "ksh", "zsh", "python", "python3", "python2", "perl", "ruby", "pwsh", "node"];

/// Words that begin something other than a simple command.
const RESERVED: [&str; 12] =
    ["if", "then", "else", "elif", "fi", "while", "until", "for", "case", "{", "!", "function"];

/// Maximum nesting of commands: `sudo sh -c "su -c '…'"`.
const DEPTH: usize = 8;

/// Parses a command. `root`: the login user is root; `value` evaluates what is not `.Path` or `.Vars`.
///
/// # Errors
/// When any part is not understood: a half-understood command would do something else.
pub(super) fn read(
    command: &Template,
    root: bool,
    value: &dyn Fn(&Segment) -> Option<Words>,
) -> Result<Execution, String> {
    let segments = parse(command)?;
    let mut values = Values::default();
    let line = marked(&segments, &mut |segment| Some(values.mark(value(segment)?)));
    if let Ok(execution) = take_apart(&line, root) {
        return Ok(fill(values, execution));
    }
    // Where the manifest has no place for an expression, its value counts.
    let mut values = Values::default();
    let line = marked(&segments, &mut |segment| values.known(&value(segment)?));
    Ok(fill(values, take_apart(&line, root)?))
}

/// Fills in everything that may have values in it, as the manifest writes it.
fn fill(values: Values, mut execution: Execution) -> Execution {
    execution.arguments.iter_mut().for_each(|word| *word = values.text(word));
    execution.env.iter_mut().for_each(|(_, value)| *value = values.text(value));
    Execution { evaluated: values.evaluated, ..execution }
}

fn take_apart(line: &str, root: bool) -> Result<Execution, String> {
    let mut reading = Reading { root, ..Reading::default() };
    reading.line(line, 0)?;
    if !reading.runs {
        return Err("it does not run `{{.Path}}`".to_owned());
    }
    Ok(reading.execution)
}

/// State while an `execute_command` is parsed.
#[derive(Default)]
struct Reading {
    execution: Execution,
    /// True when the login user is root.
    root: bool,
    /// True once the command runs the script.
    runs: bool,
    /// True when the script's variables are in the environment.
    variables: bool,
}

impl Reading {
    /// Parses a command line: one command runs the script, the others prepare it or clean up.
    fn line(&mut self, line: &str, depth: usize) -> Result<(), String> {
        if depth > DEPTH {
            return Err("it is nested too deeply".to_owned());
        }
        let all = commands(tokens(line)?)?;
        for (at, (operator, words)) in all.iter().enumerate() {
            let piped = all.get(at + 1).is_some_and(|(operator, _)| operator == "|");
            match operator.as_str() {
                // A value piped into a command is a password for sudo, which needs none on a build machine.
                "|" if !self.runs && asks(words) => {}
                _ if piped && !speaks(words) => return Err("`|`".to_owned()),
                ";" | "&&" => {}
                operator => return Err(format!("`{operator}`")),
            }
            if !self.other(operator, words)? {
                if self.runs {
                    return Err(shown(words));
                }
                self.run(words, depth)?;
            }
        }
        Ok(())
    }

    /// Parses a command that does not run the script. Returns false if it is no such command.
    fn other(&mut self, operator: &str, words: &[String]) -> Result<bool, String> {
        let words: Vec<&str> =
            words.iter().map(String::as_str).skip_while(|word| matches!(*word, "sudo" | "-S" | "-E" | "-n")).collect();
        let Some((program, arguments)) = words.split_first() else { return Ok(false) };
        let is_path = |word: &&str| word.chars().eq([PATH]);
        match *program {
            "chmod" if !self.runs => Ok(true),
            "rm" if self.runs && arguments.iter().all(|word| is_path(word) || word.starts_with('-')) => {
                self.execution.hides_failure |= operator == ";";
                Ok(true)
            }
            "sleep" | "echo" | "printf" | "true" | ":" | "sync" => {
                if self.runs {
                    self.execution.hides_failure |= operator == ";";
                }
                Ok(true)
            }
            "set" if !self.runs && arguments.iter().all(|word| word.starts_with(['-', '+']) || *word == "pipefail") => {
                Ok(true)
            }
            "." | "source" if matches!(arguments, [file] if file.chars().eq([VARS_FILE])) => {
                self.variables = true;
                Ok(true)
            }
            "cd" if !self.runs => match arguments {
                [folder] if folder.starts_with('/') && plain(folder) => {
                    self.execution.folder = Some((*folder).to_owned());
                    Ok(true)
                }
                _ => Err(shown(&words)),
            },
            "export" if !self.runs => {
                for word in arguments {
                    self.assignment(word)?;
                }
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    /// Parses `NAME=VALUE`, or the script's variables.
    fn assignment(&mut self, word: &str) -> Result<(), String> {
        if word.chars().eq([VARS]) {
            self.variables = true;
            self.execution.loses_variables = false;
            return Ok(());
        }
        match word.split_once('=') {
            Some((name, value)) if is_name(name) && fixed(value) && !credential::given(word) => {
                self.execution.env.push((name.to_owned(), value.to_owned()));
                Ok(())
            }
            _ => Err(shown(&[word])),
        }
    }

    /// Parses the command that runs the script.
    fn run(&mut self, words: &[String], depth: usize) -> Result<(), String> {
        let mut words = words.iter().map(String::as_str).peekable();
        while let Some(word) = words.next() {
            let base = word.rsplit('/').next().unwrap_or(word);
            if word.chars().eq([PATH]) {
                return self.script(words);
            }
            if word.chars().eq([VARS]) || word.split_once('=').is_some_and(|(name, _)| is_name(name)) {
                self.assignment(word)?;
                continue;
            }
            match base {
                _ if RESERVED.contains(&word) => return Err(format!("`{word}`")),
                "exec" | "nohup" => {}
                "env" => {
                    if let Some(option) = words.next_if(|word| word.starts_with('-')) {
                        return Err(format!("`env {option}`"));
                    }
                }
                "sudo" => self.sudo(&mut words)?,
                "su" => return self.su(words, depth),
                _ if SHELLS.contains(&base) => return self.shell(word, words, depth),
                _ => return Err(shown(&[word])),
            }
        }
        Ok(())
    }

    fn sudo<'w>(&mut self, words: &mut std::iter::Peekable<impl Iterator<Item = &'w str>>) -> Result<(), String> {
        let (mut keeps, mut own_home, mut login) = (false, false, false);
        let mut user = "root".to_owned();
        while let Some(option) = words.next_if(|word| word.starts_with('-') && *word != "--") {
            let own = |words: &mut std::iter::Peekable<_>| words.next().map(str::to_owned);
            match option {
                "--preserve-env" => keeps = true,
                "--set-home" => own_home = true,
                "--login" => login = true,
                "--stdin" | "--non-interactive" | "--reset-timestamp" => {}
                "--user" => user = own(words).unwrap_or_default(),
                _ if option.starts_with("--user=") => option["--user=".len()..].clone_into(&mut user),
                _ if option.starts_with("--") => return Err(format!("`sudo {option}`")),
                _ => {
                    let mut flags = option[1..].chars();
                    while let Some(flag) = flags.next() {
                        match flag {
                            'E' => keeps = true,
                            'H' => own_home = true,
                            'i' => login = true,
                            'S' | 'n' | 'k' => {}
                            // The name follows in the same word or in the next.
                            'u' => {
                                let rest: String = flags.by_ref().collect();
                                user = if rest.is_empty() { own(words).unwrap_or_default() } else { rest };
                            }
                            other => return Err(format!("`sudo -{other}`")),
                        }
                    }
                }
            }
        }
        words.next_if(|word| *word == "--");
        if !is_user(&user) {
            return Err(format!("`sudo -u {user}`"));
        }
        let execution = &mut self.execution;
        if !keeps {
            // The default of sudoers, `env_reset`, removes what was set before (sudoers(5)).
            execution.loses_variables |= std::mem::take(&mut self.variables);
            execution.env.clear();
        }
        execution.keeps_home = keeps && !own_home && !login;
        if login {
            execution.login = Some("bash -lc".to_owned());
            execution.folder = Some(home(&user));
        }
        execution.user = Some(user);
        Ok(())
    }

    /// Parses `su [-] [USER] -c COMMAND`, in any order.
    fn su<'w>(&mut self, words: impl Iterator<Item = &'w str>, depth: usize) -> Result<(), String> {
        let (mut user, mut command, mut login) = (None, None, false);
        let mut words = words.peekable();
        while let Some(word) = words.next() {
            match word {
                "-" | "-l" | "--login" => login = true,
                "-c" | "--command" => command = words.next(),
                "-s" | "--shell" => match words.next() {
                    Some("/bin/sh" | "/bin/bash") => {}
                    other => return Err(format!("`su -s {}`", other.unwrap_or_default())),
                },
                _ if word.starts_with('-') => return Err(format!("`su {word}`")),
                _ if user.is_none() && is_user(word) => user = Some(word),
                _ => return Err(shown(&[word])),
            }
        }
        let Some(command) = command else { return Err("`su` without a command".to_owned()) };
        if self.execution.user.as_deref().map_or(!self.root, |user| user != "root") {
            return Err("`su` without `sudo` asks for a password".to_owned());
        }
        let user = user.unwrap_or("root").to_owned();
        if login {
            self.execution.loses_variables |= std::mem::take(&mut self.variables);
            self.execution.env.clear();
            self.execution.login = Some("bash -lc".to_owned());
            self.execution.folder = Some(home(&user));
        }
        self.execution.keeps_home = false;
        self.execution.user = Some(user);
        self.line(command, depth + 1)
    }

    /// Parses a shell or another interpreter: with `-c` a command line, else the script.
    fn shell<'w>(&mut self, program: &str, words: impl Iterator<Item = &'w str>, depth: usize) -> Result<(), String> {
        let mut words = words.peekable();
        let posix =
            ["sh", "bash", "dash", "ash", "ksh", "zsh"].iter().any(|name| program.rsplit('/').next() == Some(name));
        let mut shell = vec![program.to_owned()];
        while let Some(word) = words.next() {
            let short = word.starts_with('-') && !word.starts_with("--");
            if word.chars().eq([PATH]) {
                self.execution.shell = Some(shell.join(" "));
                return self.script(words);
            }
            if word.chars().eq([VARS]) {
                return Err("`{{.Vars}}` as an argument of the shell".to_owned());
            }
            if posix && short && word.contains('c') {
                let command = words.next().ok_or_else(|| format!("`{word}` without a command"))?;
                if words.next().is_some() {
                    return Err(format!("arguments of `{program} {word}`"));
                }
                if word.contains('l') {
                    self.execution.login = Some(format!("{program} -lc"));
                }
                return self.line(command, depth + 1);
            }
            match word {
                // The file is where the script is.
                "-f" | "-File" | "-file" if program.ends_with("pwsh") => {}
                _ if word.starts_with(['-', '+']) && plain(word) => {
                    shell.push(word.to_owned());
                    // `-o pipefail`, also at the end of other options.
                    if posix && !word.starts_with("--") && word.ends_with(['o', 'O']) {
                        let name = words.next().filter(|name| plain(name)).ok_or_else(|| format!("`{word}`"))?;
                        shell.push(name.to_owned());
                    }
                }
                _ if program.ends_with("pwsh") && shell.len() > 1 && plain(word) => shell.push(word.to_owned()),
                _ => return Err(shown(&[word])),
            }
        }
        Err(format!("`{program}` without `{{{{.Path}}}}`"))
    }

    /// Parses the arguments of the script.
    fn script<'w>(&mut self, words: impl Iterator<Item = &'w str>) -> Result<(), String> {
        for word in words {
            if word.chars().eq([VARS]) {
                continue;
            }
            if !fixed(word) || credential::given(word) {
                return Err(shown(&[word]));
            }
            self.execution.arguments.push(word.to_owned());
        }
        self.runs = true;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{Execution, Words, read as read_with};
    use crate::template::parse::Segment;
    use crate::template::{Template, call};

    fn read(command: &str) -> Result<Execution, String> {
        let value = |segment: &Segment| {
            let known = match segment {
                Segment::Action(pipeline) if *pipeline == call("user", "x") => Some("X".to_owned()),
                Segment::Action(pipeline) if *pipeline == call("user", "odd") => Some("a b".to_owned()),
                Segment::Action(pipeline) if *pipeline == call("user", "null") => None,
                _ => return None,
            };
            let name =
                ["x", "odd", "null"].into_iter().find(|name| *segment == Segment::Action(call("user", *name)))?;
            Some(Words::expr(format!("vars.{name}"), known))
        };
        read_with(&Template::text(command), false, &value)
    }

    #[test]
    fn arguments_follow_their_variables() {
        let read = |command: &str| read(command).unwrap();
        let kept = read("B=/{{user `x`}} {{.Path}} {{user `null`}}/v --at={{user `x`}}");
        assert_eq!(kept.arguments, ["${{ vars.null }}/v", "--at=${{ vars.x }}"]);
        assert_eq!(kept.env, [("B".to_owned(), "/${{ vars.x }}".to_owned())]);
        assert_eq!(kept.evaluated, Vec::<String>::new());
        // A shell takes the value apart.
        let split = read("{{.Path}} {{user `odd`}} '{{user `odd`}}'");
        assert_eq!(split.arguments, ["a", "b", "a b"]);
        assert_eq!(split.evaluated, ["vars.odd", "vars.odd"]);
        // A manifest has no expression as a user.
        let user = read("sudo -u {{user `x`}} {{.Path}}");
        assert_eq!((user.user.as_deref(), user.evaluated), (Some("X"), vec!["vars.x".to_owned()]));
    }

    fn sudo(shell: Option<&str>) -> Execution {
        Execution { user: Some("root".into()), shell: shell.map(str::to_owned), ..Execution::default() }
    }

    fn keeping(shell: Option<&str>) -> Execution {
        Execution { keeps_home: true, ..sudo(shell) }
    }

    #[test]
    fn the_usual_commands_mean_sudo() {
        for (command, expected) in [
            ("sudo -S sh -c '{{ .Vars }} {{ .Path }}'", sudo(None)),
            ("echo 'packer' | sudo -S env {{ .Vars }} {{ .Path }}", sudo(None)),
            ("echo '{{ vault `a` `b` }}' | sudo -S env {{ .Vars }} {{ .Path }}", sudo(None)),
            ("chmod +x {{ .Path }}; {{ .Vars }} sudo -E sh -ex '{{ .Path }}'", keeping(Some("sh -ex"))),
            ("{{ .Vars }} exec sudo -E -S bash '{{.Path}}'", keeping(Some("bash"))),
            ("{{ .Vars }} sudo -EH bash '{{.Path}}'", sudo(Some("bash"))),
            ("chmod +x {{.Path}}; {{.Vars}} {{.Path}}", Execution::default()),
            ("chmod +x {{.Path}}; . {{.EnvVarFile}} && {{.Path}}", Execution::default()),
            ("echo '{{user `x`}}' | {{.Vars}} sudo -S -E sh '{{.Path}}'", keeping(Some("sh"))),
            ("sudo -S env {{ .Vars }} bash -euxo pipefail '{{ .Path }}'", sudo(Some("bash -euxo pipefail"))),
            ("{{ .Vars }} sudo -E bash -o pipefail -ex {{ .Path }}", keeping(Some("bash -o pipefail -ex"))),
            ("sudo {{.Vars}} bash -o errexit -o nounset {{ .Path }}", sudo(Some("bash -o errexit -o nounset"))),
            ("sudo sh -c '{{ .Vars }} pwsh -f {{ .Path }}'", sudo(Some("pwsh"))),
            ("sudo pwsh -ExecutionPolicy Bypass -File {{ .Path }}", sudo(Some("pwsh -ExecutionPolicy Bypass"))),
            ("sudo -E bash -c '{{ .Vars }} python3 {{ .Path }}'", keeping(Some("python3"))),
            ("sudo /usr/bin/env {{.Vars}} /usr/bin/env bash {{.Path}}", sudo(Some("bash"))),
            ("set -e; sudo {{.Vars}} {{.Path}} 2>&1", sudo(None)),
        ] {
            assert_eq!(read(command), Ok(expected), "{command}");
        }
    }

    #[test]
    fn users_folders_and_variables_are_kept() {
        let deploy = Execution { user: Some("deploy".into()), ..Execution::default() };
        let login = |deploy: Execution| Execution { login: Some("bash -lc".into()), ..deploy };
        let one = |shell: &str, deploy: Execution| Execution { shell: Some(shell.into()), ..deploy };
        for (command, expected) in [
            ("{{.Vars}} sudo -E -u deploy {{.Path}}", Execution { keeps_home: true, ..deploy.clone() }),
            ("sudo -Hu deploy {{.Vars}} {{.Path}}", deploy.clone()),
            ("sudo --user=deploy -- {{.Vars}} {{.Path}}", deploy.clone()),
            ("sudo su -c 'bash {{.Path}}' deploy", one("bash", deploy.clone())),
            (
                "sudo su - root -c '{{ .Vars }} bash {{ .Path }}'",
                one("bash", login(Execution { folder: Some("/root".into()), ..sudo(None) })),
            ),
            (
                "sudo -i -u deploy {{.Vars}} bash --login '{{.Path}}'",
                one("bash --login", login(Execution { folder: Some("/home/deploy".into()), ..deploy.clone() })),
            ),
            (
                "{{ .Vars }} sudo -E -H -u deploy bash -lc '{{ .Path }} one two'",
                Execution { arguments: vec!["one".into(), "two".into()], ..login(deploy.clone()) },
            ),
            (
                "cd /opt && {{ .Vars }} sudo -E bash {{ .Path }}",
                Execution { folder: Some("/opt".into()), ..keeping(Some("bash")) },
            ),
            (
                "sudo -E FOO=bar bash {{ .Path }}",
                Execution { env: vec![("FOO".into(), "bar".into())], ..keeping(Some("bash")) },
            ),
            (
                "chmod +x {{ .Path }}; sudo env {{ .Vars }} {{ .Path }} ; rm -f {{ .Path }}",
                Execution { hides_failure: true, ..sudo(None) },
            ),
            ("{{.Vars}} sudo {{.Path}} && rm {{.Path}}", Execution { loses_variables: true, ..sudo(None) }),
        ] {
            assert_eq!(read(command), Ok(expected), "{command}");
        }
        assert_eq!(read("bash {{.Path}} --fast x").unwrap().arguments, ["--fast", "x"]);
        assert_eq!(read("sudo {{.Path}} --env={{user `x`}}").unwrap().arguments, ["--env=${{ vars.x }}"]);
    }

    /// The error names everything that is not understood.
    #[test]
    fn nothing_is_half_read() {
        for (command, part) in [
            ("run-it", "`run-it`"),
            ("su -c {{.Path}}", "password"),
            ("if true; then sudo bash {{.Path}}; fi", "`if`"),
            ("if [ -f /etc/x ]; then sudo {{ .Vars }} bash '{{ .Path }}'; fi", "`if`"),
            ("{{user `x`}} {{.Path}}", "`X`"),
            ("bash {{.Path}} {{ .Novel }}", "`…`"),
            ("x {{.Path}} > /log", "`>`"),
            ("sudo bash {{.Path}} | tee /log", "`|`"),
            ("sudo bash {{.Path}} || true", "`||`"),
            ("(sudo bash {{.Path}})", "`(`"),
            ("env -i bash {{.Path}}", "`env -i`"),
            ("sudo -g adm bash {{.Path}}", "`sudo -g`"),
            ("cd $HOME && bash {{.Path}}", "`cd`"),
            ("A=$B bash {{.Path}}", "`A=…`"),
            ("API_TOKEN=abc bash {{.Path}}", "`API_TOKEN=…`"),
            ("bash -c 'bash -x", "quote"),
            ("chroot /mnt bash {{.Path}}", "`chroot`"),
            ("bash {{.Path}}; bash {{.Path}}", "`bash`"),
            ("echo hi", "does not run"),
        ] {
            let why = read(command).expect_err(command);
            assert!(why.contains(part), "{command}: {why}");
        }
    }
}
