//! The shell provisioner.

use super::environment::environment;
use super::execute::{self, Execution};
use super::fields::Fields;
use super::home::home;
use super::restart;
use super::script::Script;
use crate::context::Context;
use crate::credential;
use crate::input::Reader;
use crate::packer::build::{Build, ImageDraft, Platform};
use crate::template::parse::Segment;
use crate::template::{Template, evaluate_segments};
use crate::yaml::{Map, Value};

pub(super) fn steps(fields: &Fields, build: &Build, context: &Context, image: &ImageDraft) -> Vec<Map> {
    let mut env = environment(fields, context);
    let execution = execution(fields, context);
    let disconnects = fields.get("expect_disconnect").and_then(|field| context.flag(&field)) == Some(true);
    unsupported(fields);
    let mut steps = Vec::new();
    let mut restarts = false;
    if let Some(inline) = fields.get("inline") {
        if !execution.arguments.is_empty()
            && let Some(command) = fields.get("execute_command")
        {
            command.changed("inline scripts have no arguments", "Write them into the script.");
        }
        let shebang = fields.get("inline_shebang").and_then(|field| Some(context.plain(&field)?.manifest()));
        if let Some(mut script) = self::inline(&inline, context) {
            if let Some(rest) = restart::split(&script.text) {
                script.text = rest;
                restarts = true;
            }
            if !script.text.trim().is_empty() {
                let mut step = Map::default();
                let own = own_variables(&script.text, build, &inline);
                step.set_from("run", script.text, &inline);
                // Packer writes the lines to a file for `/bin/sh -e`; a shell in `execute_command` runs it without `-e`.
                let shell = execution.shell.clone().or(shebang).unwrap_or_else(|| "sh -e".to_owned());
                step.set("shell", shell);
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
        if let Some(shell) = execution.shell.as_deref().or_else(|| shell_of(content.as_deref()?, &execution, build)) {
            step.set("shell", shell);
        }
        if content.as_deref().is_some_and(|content| content.contains("\r\n")) {
            file.changed(
                "it has Windows line endings, which Packer converts during the upload",
                "Save the script with Unix line endings.",
            );
        }
        let own = content.map(|content| own_variables(&content, build, &file)).unwrap_or_default();
        place(&mut step, &execution, build, image, &joined(own, &env));
        steps.push(step);
    }
    if disconnects || restarts {
        if disconnects
            && !restarts
            && let Some(field) = fields.get("expect_disconnect")
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

/// The shell for a script without a `#!` line: Packer runs it without `-e`, unlike the default of a manifest.
fn shell_of(content: &str, execution: &Execution, build: &Build) -> Option<&'static str> {
    let direct = execution.sudo.is_none() && build.platform == Platform::Aws;
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

/// Packer's variables, then the template's, which override them.
fn joined(mut own: Map, env: &Map) -> Map {
    own.0.retain(|entry| env.get(&entry.key).is_none());
    own.0.extend(env.0.iter().cloned());
    own
}

/// Sets the user, the folder and the environment of a step.
fn place(step: &mut Map, execution: &Execution, build: &Build, image: &ImageDraft, env: &Map) {
    let login = image.user.as_deref();
    match (&execution.sudo, login) {
        (Some(user), _) if user == "root" => {}
        (Some(user), _) => step.set("as", user.as_str()),
        (None, Some(user)) if user != "root" => step.set("as", user),
        (None, _) => {}
    }
    if let Some(user) = login.filter(|_| build.platform == Platform::Aws) {
        step.set("working-directory", home(user));
    }
    step.set_filled("env", env.clone());
}

fn execution(fields: &Fields, context: &Context) -> Execution {
    let Some(field) = fields.get("execute_command") else { return Execution::default() };
    let mut command = Template::default();
    for template in field.items().iter().filter_map(Reader::template) {
        command.extend(template.into_owned());
        command.extend(Template::text(" "));
    }
    let known = |segment: &Segment| {
        let words = evaluate_segments(std::slice::from_ref(segment), context.scope, &mut |_| {}).ok()?;
        words.known().filter(|_| !words.is_secret())
    };
    let mut execution = execute::read(&command, &known);
    if execution.arguments.iter().any(|argument| credential::given(argument)) {
        execution.arguments.clear();
        execution.more = true;
    }
    if execution.more {
        let user = execution.sudo.as_deref().unwrap_or("the login user");
        field.changed(
            format!("only the user ({user}) and the shell were imported, not the rest of the command"),
            "Check `as`, `shell` and `env` of the step.",
        );
    }
    field.mark_used();
    execution
}

fn unsupported(fields: &Fields) {
    fields.drop(
        &[
            "remote_folder",
            "remote_file",
            "remote_path",
            "skip_clean",
            "binary",
            "tempfile_extension",
            "use_env_var_file",
            "env_var_format",
            "debug_script",
        ],
        "scripts are not written to a file that must be placed or deleted",
        "",
    );
    fields.drop(&["start_retry_timeout"], "the bake reconnects automatically", "");
    if let Some(codes) = fields
        .get("valid_exit_codes")
        .filter(|codes| codes.items().iter().all(|code| code.value.literal() == Some("0")))
    {
        codes.mark_used();
    }
    fields.drop(
        &["valid_exit_codes"],
        "only exit code 0 is a success",
        "End the script with `|| [ $? -eq CODE ]`, or set `on-failure: ignore`.",
    );
    fields.drop(&["pause_after"], "only a pause before a step is supported", "Add a step `run: sleep …`.");
}
