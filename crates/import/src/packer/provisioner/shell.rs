//! The shell provisioner.

use super::execute::{self, Execution};
use super::script::Script;
use super::{Fields, home, restart};
use crate::context::Context;
use crate::credential;
use crate::input::Reader;
use crate::packer::build::{Build, Image, Platform};
use crate::yaml::{Map, Value};

pub(super) fn steps(fields: &Fields, build: &Build, context: &Context, image: &Image) -> Vec<Map> {
    let mut env = environment(fields, context);
    let execution = execution(fields, context);
    let disconnects = fields.get("expect_disconnect").and_then(|field| context.flag(&field)) == Some(true);
    left(fields);
    let mut steps = Vec::new();
    let mut restarts = false;
    if let Some(inline) = fields.get("inline") {
        if !execution.arguments.is_empty()
            && let Some(command) = fields.get("execute_command")
        {
            command.changed("a script that stands in the manifest takes no arguments", "Write them into the script.");
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
                // Packer joins the lines into a file for `/bin/sh -e`; a program that is named runs it without.
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
                "its lines end as on Windows, which Packer changes as it sends it",
                "Save the script with the line ends of Unix.",
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
                "a script that loses its machine fails here; a `reboot` step follows it instead",
                "Take the restart out of the script, or the `reboot` step where nothing restarts.",
            );
        }
        let mut step = Map::default();
        step.set("reboot", true);
        steps.push(step);
    }
    steps
}

/// What reads a script without a first line of its own: no `bash -e`, as would be the default here.
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
            line.changed(format!("the value reaches the script as the variable `{name}` of its environment"), "");
        }
    }
    if !whole {
        inline.drop(
            "a line of it could not come over, and half a script is none",
            "Write the step into the manifest by hand.",
        );
        return None;
    }
    Some(script)
}

/// The variables that Packer sets by itself, as far as a script reads them.
fn own_variables(script: &str, build: &Build, place: &Reader) -> Map {
    let mut env = Map::default();
    for (name, value) in
        [("PACKER_BUILD_NAME", build.own_name().manifest()), ("PACKER_BUILDER_TYPE", build.kind.clone())]
    {
        if script.contains(name) {
            env.set(name, value);
        }
    }
    if script.contains("PACKER_HTTP_") {
        place.changed(
            "the script reads the address of Packer's own HTTP server, which is not there",
            "Bring the file to the machine by an `upload` step.",
        );
    }
    env
}

/// Packer's variables, then the template's, which win.
fn joined(mut own: Map, env: &Map) -> Map {
    own.0.retain(|entry| env.get(&entry.key).is_none());
    own.0.extend(env.0.iter().cloned());
    own
}

/// Who runs a step, where, and with what environment.
fn place(step: &mut Map, execution: &Execution, build: &Build, image: &Image, env: &Map) {
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
    let mut command = String::new();
    for item in field.items() {
        command.push_str(item.text().unwrap_or_default());
        command.push(' ');
    }
    let known = |text: &str| {
        let words = crate::template::evaluate(text, context.scope, &mut |_| {}).ok()?;
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
            format!("only its user ({user}) and its shell came over, not the rest of the command"),
            "Look at the step: `as`, `shell` and `env` say how a script runs.",
        );
    }
    field.tick();
    execution
}

/// `environment_vars`, `env`.
pub(super) fn environment(fields: &Fields, context: &Context) -> Map {
    let mut env = Map::default();
    for key in ["environment_vars", "ansible_env_vars"] {
        let Some(list) = fields.get(key) else { continue };
        for item in list.items() {
            let Some(text) = item.text() else { continue };
            // A text alone is a list with commas.
            for raw in if list.is_list() { vec![text] } else { text.split(',').collect() } {
                let Some((name, value)) = raw.split_once('=') else {
                    item.drop("it is no NAME=VALUE", "Write it below `env` of the step.");
                    continue;
                };
                variable(name.trim(), value, &item, context, &mut env);
            }
        }
    }
    if let Some(map) = fields.get("env") {
        for (name, value) in map.entries() {
            if let Some(raw) = value.text() {
                variable(name, raw, &value, context, &mut env);
            }
        }
    }
    env
}

fn variable(name: &str, value: &str, item: &Reader, context: &Context, env: &mut Map) {
    let fits = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if !fits {
        item.drop(format!("`{name}` can't be the name of a variable"), "Write it below `env` of the step.");
        return;
    }
    let Some(words) = context.words_of(value, item) else { return };
    let literal = words.literal().is_some_and(|literal| !literal.is_empty() && !matches!(literal, "true" | "false"));
    if literal && credential::named(name) {
        let secret = credential::variable(name);
        item.drop(
            "the value of a credential is never copied",
            format!("Set the environment variable {secret} for the bake; `secrets` names it, and the step reads it."),
        );
        env.set_from(name, format!("${{{{ secrets.{secret} }}}}"), item);
        return;
    }
    env.set_from(name, words.manifest(), item);
}

fn left(fields: &Fields) {
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
        "scripts reach the machine without a file that has to be placed or cleaned up",
        "",
    );
    fields.drop(&["start_retry_timeout"], "a connection that is lost is made again by itself", "");
    if let Some(codes) =
        fields.get("valid_exit_codes").filter(|codes| codes.items().iter().all(|code| code.node.scalar() == Some("0")))
    {
        codes.tick();
    }
    fields.drop(
        &["valid_exit_codes"],
        "only 0 is success",
        "End the script with `|| [ $? -eq CODE ]`, or set `on-failure: ignore`.",
    );
    fields.drop(&["pause_after"], "there is only a pause before a step", "Add a step `run: sleep …`.");
}
