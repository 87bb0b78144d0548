//! Converts the shell provisioner.

use super::environment::environment;
use super::execute::{self, Execution};
use super::fields::Fields;
use super::home::home;
use super::restart;
use super::script::Script;
use crate::context::Context;
use crate::input::Reader;
use crate::packer::build::{Build, ImageDraft, Platform};
use crate::template::parse::Segment;
use crate::template::{Template, evaluate_segments};
use crate::yaml::{Map, Value};
pub(super) fn steps(fields: &Fields, build: &Build, context: &Context, image: &ImageDraft) -> Vec<Map> {
    let mut env = environment(fields, context);
    let Some(execution) = execution(fields, context, image) else {
        // If `execute_command` is not understood, the other fields have no meaning.
        fields.reader().mark_used();
        return Vec::new();
    };
    surroundings(&execution, fields, image, &mut env);
    let mut disconnects = fields.get("expect_disconnect").and_then(|field| context.flag(&field)) == Some(true);
    let codes = exit_codes(fields, context, &mut disconnects);
    unsupported(fields);
    let mut steps = Vec::new();
    let mut restarts = false;
    if let Some(inline) = fields.get("inline") {
        if !execution.arguments.is_empty()
            && let Some(command) = fields.get("execute_command")
        {
            command.changed("inline scripts have no arguments", "Write them into the script.");
        }
        if let Some(mut script) = self::inline(&inline, context) {
            if let Some(rest) = restart::split(&script.text) {
                script.text = rest;
                restarts = true;
            }
            let shell = inline_shell(fields, context, &execution, &script.text);
            if !script.text.trim().is_empty() && suits(&script, &shell, &inline) {
                let mut step = Map::default();
                let own = own_variables(&script.text, build, &inline);
                reads_own_path(&script.text, &inline);
                step.set_from("run", accepting(&codes, script.text, &shell), &inline);
                step.set("shell", wrapped(execution.login.as_deref(), &[], &shell));
                env.0
                    .extend(script.env.0.into_iter().filter(|entry| env.get(&entry.key).is_none()).collect::<Vec<_>>());
                place(&mut step, &execution, build, image, &joined(own, &env));
                steps.push(step);
            }
        }
    }
    let scripts = [fields.get("script"), fields.get("scripts")];
    for file in scripts.iter().flatten().flat_map(Reader::items) {
        let Some(path) = context.path(&file) else { continue };
        let mut step = Map::default();
        step.set_from("script", path, &file);
        if !execution.arguments.is_empty() {
            step.set("args", execution.arguments.iter().map(|word| word.as_str().into()).collect::<Vec<Value>>());
        }
        let content = context.content(&file);
        let shell = execution.shell.as_deref().or_else(|| shell_of(content.as_deref()?, &execution, build));
        // A wrapper must name the script's interpreter.
        let wraps = execution.login.is_some() || !codes.is_empty();
        match shell.or_else(|| content.as_deref().and_then(shebang).filter(|_| wraps)) {
            Some(shell) => step.set("shell", wrapped(execution.login.as_deref(), &codes, shell)),
            None if execution.login.is_some() => file.changed(
                "the login shell of `execute_command` was left out, since the script can't be read",
                "Set `shell` of the step.",
            ),
            None if wraps => {
                if let Some(list) = fields.get("valid_exit_codes") {
                    list.drop(
                        "only exit code 0 is a success of a script file that can't be read",
                        "Set `on-failure: ignore`, or run it in a `run` step.",
                    );
                }
            }
            None => {}
        }
        if content.as_deref().is_some_and(|content| content.contains("\r\n")) {
            file.changed(
                "it has Windows line endings, which Packer converts during the upload",
                "Save the script with Unix line endings.",
            );
        }
        if let Some(content) = &content {
            reads_own_path(content, &file);
        }
        let own = content.map(|content| own_variables(&content, build, &file)).unwrap_or_default();
        place(&mut step, &execution, build, image, &joined(own, &env));
        steps.push(step);
    }
    let given = ["inline", "script", "scripts"].iter().filter_map(|key| fields.get(key));
    if given.flat_map(|field| field.items()).next().is_none() {
        fields.reader().drop("it has no script", "Add one, or remove the provisioner.");
        return Vec::new();
    }
    steps.extend(left_behind(fields, context, image, &steps));
    if disconnects || restarts {
        if disconnects
            && !restarts
            && let Some(field) = fields.get("expect_disconnect").or_else(|| fields.get("valid_exit_codes"))
        {
            field.changed(
                "a script that loses the connection fails; a `reboot` step was added after it",
                "Remove the restart from the script; if it does not restart, remove the `reboot` step.",
            );
        }
        let mut step = Map::default();
        step.set("reboot", true);
        steps.push(step);
    }
    steps
}

/// The interpreter of an inline script: that of `execute_command`, else the `#!` line, which is `inline_shebang`, else
/// the script's own, else Packer's (Packer, provisioner/shell).
fn inline_shell(fields: &Fields, context: &Context, execution: &Execution, script: &str) -> String {
    let own = fields.get("inline_shebang").and_then(|field| Some(context.plain(&field)?.manifest()));
    let named = execution.shell.clone().or(own).or_else(|| shebang(script).map(str::to_owned));
    named.unwrap_or_else(|| "sh -e".to_owned())
}

/// The interpreter in the `#!` line of a script.
fn shebang(script: &str) -> Option<&str> {
    script.strip_prefix("#!")?.lines().next().map(str::trim).filter(|line| !line.is_empty())
}

/// A shell line for an interpreter that a login shell starts, or whose exit codes may be accepted. The script's path
/// and arguments follow.
fn wrapped(login: Option<&str>, codes: &[u32], shell: &str) -> String {
    let code = if codes.is_empty() {
        format!("exec {shell} \"$0\" \"$@\"")
    } else {
        format!("{shell} \"$0\" \"$@\"; code=$?; case $code in {}) code=0 ;; esac; exit $code", alternatives(codes))
    };
    match login {
        None if codes.is_empty() => shell.to_owned(),
        login => format!("{} '{code}'", login.unwrap_or("sh -c")),
    }
}

/// Exit codes as a pattern of `case`.
fn alternatives(codes: &[u32]) -> String {
    codes.iter().map(ToString::to_string).collect::<Vec<_>>().join(" | ")
}

/// With `skip_clean` the script stays on the machine and becomes part of the image: if its name is fixed, it is
/// uploaded.
fn left_behind(fields: &Fields, context: &Context, image: &ImageDraft, steps: &[Map]) -> Option<Map> {
    const PLACE: [&str; 3] = ["remote_folder", "remote_file", "remote_path"];
    let unused = || fields.drop(&PLACE, "scripts are not written to a file that must be placed or deleted", "");
    let Some(stays) = fields.get("skip_clean").filter(|field| context.flag(field) == Some(true)) else {
        unused();
        return None;
    };
    let known = |key: &str| context.plain(&fields.get(key)?).and_then(|words| words.known());
    let path = known("remote_path").or_else(|| {
        let folder = known("remote_folder").unwrap_or_else(|| "/tmp".to_owned());
        Some(format!("{}/{}", folder.trim_end_matches('/'), known("remote_file")?))
    });
    // Of several scripts with one name the last one stays.
    let script = steps.iter().rev().find_map(|step| step.get("script")).cloned();
    let (Some(path), Some(script)) = (path.filter(|path| path.starts_with('/')), script) else {
        stays.drop(
            "in Packer the script stays on the machine, under a random name",
            "If the image needs it, copy it with an `upload` step.",
        );
        unused();
        return None;
    };
    let mut step = Map::default();
    step.set_from("upload", script, &stays);
    step.set("to", path);
    if let Some(user) = image.user.as_deref().filter(|user| *user != "root") {
        step.set("owner", user);
    }
    step.set("mode", "0755");
    Some(step)
}

fn is_posix(shell: &str) -> bool {
    let program = shell.split_whitespace().find(|word| !word.ends_with("/env")).unwrap_or_default();
    matches!(program.rsplit('/').next(), Some("sh" | "bash" | "dash" | "ash" | "ksh" | "zsh"))
}

/// Whether values can be passed to a script: only shells can read them as `${NAME}`.
fn suits(script: &Script, shell: &str, place: &Reader) -> bool {
    let fits = script.env.is_empty() || is_posix(shell);
    if !fits {
        place.drop(
            format!("its values can't be inserted into a script for `{shell}`"),
            "Pass them in `env` of the step, and read them from the environment.",
        );
    }
    fits
}

/// Reports a script that reads its own path, which is different in a bake.
fn reads_own_path(script: &str, place: &Reader) {
    if ["$0", "${0", "BASH_SOURCE"].iter().any(|name| script.contains(name)) {
        place.changed(
            "the script reads its own path (`$0`); in Packer it is a file in `/tmp`, in a bake it has no name",
            "Upload the files that it needs with an `upload` step, and use their absolute paths.",
        );
    }
}

/// Exit codes other than 0 that count as success. Packer's own code for a lost connection is not one of a script.
fn exit_codes(fields: &Fields, context: &Context, disconnects: &mut bool) -> Vec<u32> {
    /// packer-plugin-sdk, `CmdDisconnect`.
    const DISCONNECT: u32 = 2_300_218;
    let Some(list) = fields.get("valid_exit_codes") else { return Vec::new() };
    let items = list.items();
    let known = |item: &Reader| context.plain(item)?.known()?.trim().parse::<u32>().ok();
    let mut codes: Vec<u32> = items.iter().filter_map(known).collect();
    if codes.len() < items.len() || (!codes.is_empty() && !codes.contains(&0)) {
        list.drop(
            "exit code 0 is always a success, and the codes must be known before the bake",
            "Check `$?` in the script.",
        );
        return Vec::new();
    }
    *disconnects |= codes.contains(&DISCONNECT);
    codes.retain(|code| *code != 0 && *code != DISCONNECT);
    codes
}

/// The script, ending with success for further exit codes.
fn accepting(codes: &[u32], script: String, shell: &str) -> String {
    if codes.is_empty() || !is_posix(shell) {
        return script;
    }
    // The last status counts unless the trap exits itself (POSIX, `trap`).
    format!("trap 'case $? in {}) exit 0 ;; esac' EXIT\n{script}", alternatives(codes))
}

/// Login users of systems whose sudoers set `HOME` to that of the new user even with `-E` (`always_set_home`).
const OWN_HOME: [&str; 6] = ["ec2-user", "centos", "fedora", "rocky", "almalinux", "cloud-user"];
/// Login users of Debian and Ubuntu, where `sudo -E` keeps `HOME`.
const KEPT_HOME: [&str; 3] = ["ubuntu", "admin", "debian"];

/// The effects of `execute_command` on the environment of the script.
fn surroundings(execution: &Execution, fields: &Fields, image: &ImageDraft, env: &mut Map) {
    let Some(field) = fields.get("execute_command") else { return };
    for (name, value) in &execution.env {
        env.set_from(name.as_str(), value.as_str(), &field);
    }
    let login = image.user.as_deref().filter(|login| execution.user.as_deref().is_some_and(|user| user != *login));
    match login.filter(|_| execution.keeps_home && env.get("HOME").is_none()) {
        Some(login) if KEPT_HOME.contains(&login) => env.set_from("HOME", home(login), &field),
        Some(login) if !OWN_HOME.contains(&login) && login != "root" => field.changed(
            "with `sudo -E`, Debian and Ubuntu keep the login user's `HOME`; the step has that of its own user",
            format!("If the script needs it, set `HOME: {}` in the `env` of the step.", home(login)),
        ),
        _ => {}
    }
    if execution.loses_variables && !env.is_empty() {
        field.changed(
            "`sudo` without `-E` removes the variables that are set before it; the step has them",
            "If the script must not see them, remove `env`.",
        );
    }
    if execution.hides_failure {
        field.changed(
            "a command after the script hides its failure in Packer; here the step fails when the script does",
            "To continue after a failure, set `on-failure: ignore`.",
        );
    }
}

/// The shell for a script without a `#!` line: Packer runs it without `-e`, unlike the default of a manifest.
fn shell_of(content: &str, execution: &Execution, build: &Build) -> Option<&'static str> {
    let direct = execution.user.is_none() && build.platform == Platform::Aws;
    (!content.starts_with("#!") && !content.starts_with('\u{7f}')).then_some(if direct { "bash" } else { "sh" })
}

fn inline(inline: &Reader, context: &Context) -> Option<Script> {
    let mut script = Script::default();
    let mut whole = true;
    for line in inline.items() {
        let Some(words) = context.words(&line) else {
            whole = false;
            continue;
        };
        for name in script.line(&words) {
            line.changed(format!("the value is passed to the script as the environment variable `{name}`"), "");
        }
    }
    if !whole {
        inline.drop(
            "one of its lines can't be imported, so the script was left out",
            "Write the step into the manifest by hand.",
        );
        return None;
    }
    Some(script)
}

/// Packer's own environment variables that a script reads.
fn own_variables(script: &str, build: &Build, place: &Reader) -> Map {
    let mut env = Map::default();
    for (name, value) in
        [("PACKER_BUILD_NAME", build.own_name().manifest()), ("PACKER_BUILDER_TYPE", build.kind().to_owned())]
    {
        if script.contains(name) {
            env.set(name, value);
        }
    }
    if script.contains("PACKER_HTTP_") {
        place.changed(
            "the script uses Packer's HTTP server, which does not exist in a bake",
            "Copy the file to the machine with an `upload` step.",
        );
    }
    env
}

/// Packer's variables followed by the template's, which override them.
fn joined(mut own: Map, env: &Map) -> Map {
    own.0.retain(|entry| env.get(&entry.key).is_none());
    own.0.extend(env.0.iter().cloned());
    own
}

/// Sets the user, the folder and the environment of a step.
fn place(step: &mut Map, execution: &Execution, build: &Build, image: &ImageDraft, env: &Map) {
    let login = image.user.as_deref();
    match (&execution.user, login) {
        (Some(user), _) if user == "root" => {}
        (Some(user), _) => step.set("as", user.as_str()),
        (None, Some(user)) if user != "root" => step.set("as", user),
        (None, _) => {}
    }
    if let Some(user) = login.filter(|_| build.platform == Platform::Aws) {
        step.set("working-directory", execution.folder.clone().unwrap_or_else(|| home(user)));
    }
    step.set_filled("env", env.clone());
}

/// How the script runs; `None` when `execute_command` is not understood, which is reported.
fn execution(fields: &Fields, context: &Context, image: &ImageDraft) -> Option<Execution> {
    let Some(field) = fields.get("execute_command") else { return Some(Execution::default()) };
    let mut command = Template::default();
    for template in field.items().iter().filter_map(Reader::template) {
        command.extend(template.into_owned());
        command.extend(Template::text(" "));
    }
    let value = |segment: &Segment| {
        let words = evaluate_segments(std::slice::from_ref(segment), context.scope, &mut |_| {}).ok()?;
        Some(words).filter(|words| !words.is_secret())
    };
    field.mark_used();
    match execute::read(&command, image.user.as_deref() == Some("root"), &value) {
        Ok(execution) => {
            execution.evaluated.iter().for_each(|code| field.log().evaluated(code, field.location()));
            Some(execution)
        }
        Err(why) => {
            field.drop(
                format!("the command can't be imported ({why}), so the script was left out"),
                "Write the step by hand: `as`, `shell`, `working-directory` and `env` of a `run` or `script` step.",
            );
            None
        }
    }
}

fn unsupported(fields: &Fields) {
    fields.drop(
        &["binary", "tempfile_extension", "use_env_var_file", "env_var_format", "debug_script"],
        "scripts are not written to a file on the machine",
        "",
    );
    fields.drop(&["pause_after"], "only a pause before a step is supported", "Add a step `run: sleep …`.");
}
