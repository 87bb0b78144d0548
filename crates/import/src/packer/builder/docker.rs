//! Converts the docker builder.

use crate::context::Context;
use crate::input::Reader;
use crate::packer::build::ImageDraft;
use crate::yaml::{Map, Value};

/// Fields that are not imported, and why.
const UNSUPPORTED: [(&[&str], &str); 4] = [
    (&["export_path", "discard"], "the container is always committed to an image"),
    (
        &[
            "login",
            "login_username",
            "login_password",
            "login_server",
            "ecr_login",
            "aws_access_key",
            "aws_secret_key",
            "aws_token",
            "aws_profile",
            "aws_force_use_public_ecr",
        ],
        "the bake pulls images with Docker's own configuration",
    ),
    (
        &[
            "run_command",
            "privileged",
            "volumes",
            "cap_add",
            "cap_drop",
            "tmpfs",
            "device",
            "container_dir",
            "fix_upload_owner",
            "runtime",
            "pty",
            "windows_container",
            "platform",
        ],
        "options of the build container are not supported",
    ),
    (&["author", "message"], "author and message of the commit are not supported"),
];

/// The image of a docker builder; `None` when it has no source image.
pub(super) fn image(reader: &Reader, context: &Context) -> Option<ImageDraft<'static>> {
    let from = reader.get("image");
    let Some((value, from)) = from.as_ref().and_then(|from| Some((context.text(from)?, from))) else {
        reader.drop("it has no source image", "Add an `image` and import again.");
        return None;
    };
    let mut image = ImageDraft::default();
    image.map.within("source", |source| source.set_from("docker", value, from));
    if let Some(commit) = reader.get("commit")
        && context.flag(&commit) == Some(false)
    {
        commit.changed("the container is always committed to an image", "");
    }
    if let Some(build) = reader.get("build") {
        build.drop(
            "building a Dockerfile is not supported",
            "Build it before the bake and set `source.docker` to its tag.",
        );
    }
    if let Some(pull) = reader.get("pull") {
        match context.flag(&pull) {
            Some(true) | None => {}
            Some(false) => pull.changed("the source image is pulled when it is missing or outdated", ""),
        }
    }
    if let Some(communicator) = reader.get("communicator") {
        communicator.drop("steps run in the container through Docker", "");
    }
    changes(reader, context, &mut image.changes);
    if let Some(user) = reader.get("exec_user") {
        match context.plain(&user).and_then(|words| words.known()) {
            Some(name) if name.chars().next().is_some_and(|c| !c.is_ascii_digit()) && !name.contains(':') => {
                image.user = Some(name);
            }
            Some(_) => user.drop("user IDs and groups are not supported", "Set `as` on the steps to a user name."),
            None => {}
        }
    }
    for (fields, why) in UNSUPPORTED {
        for field in fields.iter().filter_map(|name| reader.get(name)) {
            // `fix_upload_owner` is on by default.
            if field.is_unset() && !field.location().path.ends_with("fix_upload_owner") {
                field.mark_used();
            } else {
                field.drop(why, "");
            }
        }
    }
    Some(image)
}

/// Dockerfile instructions that set how containers of the image start.
pub(crate) fn changes(reader: &Reader, context: &Context, into: &mut Map) {
    for change in reader.get("changes").iter().flat_map(Reader::items) {
        self::change(&change, context, into);
    }
}

fn change(reader: &Reader, context: &Context, changes: &mut Map) {
    let Some(words) = context.plain(reader) else { return };
    let text = words.manifest();
    let (instruction, rest) = text.trim().split_once(char::is_whitespace).unwrap_or((text.trim(), ""));
    let rest = rest.trim();
    let done = match instruction.to_ascii_uppercase().as_str() {
        "LABEL" => pairs(rest, reader, changes, "labels"),
        "ENV" => pairs(rest, reader, changes, "env"),
        "ENTRYPOINT" => set(changes, "entrypoint", command(rest), reader),
        "CMD" => set(changes, "cmd", command(rest), reader),
        "EXPOSE" => {
            let mut ports = match changes.get("expose") {
                Some(Value::List(ports)) => ports.clone(),
                _ => Vec::new(),
            };
            ports.extend(rest.split_whitespace().map(Value::from));
            set(changes, "expose", Some(ports.into()), reader)
        }
        "USER" => set(changes, "user", Some(rest.into()), reader),
        "WORKDIR" => set(changes, "workdir", Some(rest.into()), reader),
        _ => false,
    };
    if !done {
        reader.drop(
            format!("the instruction `{instruction}` is not supported in `changes`"),
            "`publish.docker.changes` supports labels, env, entrypoint, cmd, expose, user and workdir.",
        );
    }
}

fn set(changes: &mut Map, key: &str, value: Option<Value>, reader: &Reader) -> bool {
    let Some(value) = value else { return false };
    changes.set_from(key, value, reader);
    true
}

/// A command in the exec form or the shell form of a Dockerfile.
fn command(text: &str) -> Option<Value> {
    if text.starts_with('[') {
        let list: Vec<String> = serde_json::from_str(text).ok()?;
        return Some(list.into_iter().map(Value::from).collect::<Vec<_>>().into());
    }
    Some(vec![Value::from("/bin/sh"), Value::from("-c"), Value::from(text)].into())
}

/// Parses `a=b c="d e"`, or `a b` in the old form.
fn pairs(text: &str, reader: &Reader, changes: &mut Map, key: &str) -> bool {
    let mut found: Vec<(String, String)> = Vec::new();
    if text.contains('=') {
        let mut rest = text.trim();
        while !rest.is_empty() {
            let Some((name, tail)) = rest.split_once('=') else { return false };
            let quote = tail.chars().next().filter(|c| matches!(c, '"' | '\''));
            let end = match quote {
                Some(quote) => tail[1..].find(quote).map(|at| at + 2),
                None => Some(tail.find(char::is_whitespace).unwrap_or(tail.len())),
            };
            let Some(end) = end else { return false };
            found.push((unquote(name.trim()), unquote(&tail[..end])));
            rest = tail[end..].trim_start();
        }
    } else {
        let Some((name, value)) = text.split_once(char::is_whitespace) else { return false };
        found.push((name.to_owned(), unquote(value)));
    }
    // Labels and variables are visible to everyone who has the image.
    if found.iter().any(|(name, value)| ami_bake_manifest::access::credential::named(name) && !value.is_empty()) {
        reader.drop(
            "it contains a credential, which is never copied",
            "Leave it out: everyone who has the image could read it.",
        );
        return true;
    }
    changes.within(key, |map| found.into_iter().for_each(|(name, value)| map.set_from(name, value, reader)));
    true
}

fn unquote(text: &str) -> String {
    text.trim().trim_matches(['"', '\'']).to_owned()
}
