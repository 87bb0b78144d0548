//! Converts the file provisioner.

use std::path::Path;

use super::fields::Fields;
use super::home::{home, home_words};
use super::script::Script;
use crate::context::Context;
use crate::input::{InputValue, Reader};
use crate::packer::build::{Build, ImageDraft, Platform};
use crate::paths::FoundPath;
use crate::template::{Part, Words};
use crate::yaml::{Map, Value};

pub(super) fn steps(fields: &Fields, build: &Build, context: &Context, image: &ImageDraft) -> Vec<Map> {
    fields.drop(&["generated"], "files are read when the step runs", "");
    let direction = fields.get("direction").and_then(|field| context.words(&field)?.known());
    let Some(destination) = fields.get("destination") else {
        fields.reader().drop("it has no `destination`", "Write the step by hand.");
        return Vec::new();
    };
    // Packer appends `source` to `sources`.
    let lists = [fields.get("sources"), fields.get("source")];
    let sources: Vec<Reader> = lists.iter().flatten().flat_map(Reader::items).collect();
    if direction.as_deref() == Some("download") {
        let Some(to) = context.target(&destination) else { return Vec::new() };
        return sources.iter().filter_map(|source| download(source, &to, &destination, context)).collect();
    }
    let Some(to) = context.plain(&destination) else { return Vec::new() };
    let Some(to) = absolute(to, build, image) else {
        destination.drop(
            "it is relative to the home of an unknown login user",
            "Write the step by hand, with an absolute path.",
        );
        return Vec::new();
    };
    let mut steps: Vec<Map> = content(fields, &to, &destination, build, context, image).into_iter().collect();
    for source in sources {
        let Some((mut from, found)) = context.local(&source) else { continue };
        let links = found.as_ref().is_some_and(|found| found.exists && has_links(&found.full, LINKS));
        // `scp -r .` sends the folder's contents: `.` has no name of its own.
        let dot = context.plain(&source).and_then(|words| words.known());
        if dot.is_some_and(|known| known == "." || known.ends_with("/.")) && !from.ends_with('/') {
            from.push('/');
        } else if found.is_some_and(|found| becomes(&found, &to, build, context, image)) {
            // Uploading the folder's contents has the same result.
            source.changed(
                format!(
                    "{} does not exist yet, so Packer would create it from the folder itself; its contents are uploaded there",
                    to.manifest()
                ),
                "Remove the trailing slash if the folder should be created inside the destination.",
            );
            from.push('/');
        }
        let mut step = Map::default();
        step.set_from("upload", from, &source);
        step.set_from("to", to.manifest(), &destination);
        // Packer uploads as the login user.
        if let Some(user) = image.user.as_deref().filter(|user| *user != "root") {
            step.set("owner", user);
        }
        // Packer uploads what links point to.
        if links {
            step.set_from("follow-links", true, &source);
        }
        steps.push(step);
    }
    steps
}

/// A step that writes a text of the template to a file as the login user. The text may refer to variables and secrets,
/// so it is passed in the environment.
fn content(
    fields: &Fields,
    to: &Words,
    destination: &Reader,
    build: &Build,
    context: &Context,
    image: &ImageDraft,
) -> Option<Map> {
    let content = fields.get("content")?;
    if content.value.literal() == Some("") {
        content.drop("it is empty, so no file is written", "Create an empty file in a `run` step.");
        return None;
    }
    let words = context.words(&content)?;
    let mut script = Script::default();
    // Quoted, so that a path with a variable stays one word.
    let mut line = Words::text("umask 077\nprintf %s \"$CONTENT\" >\"");
    line.extend(to.clone());
    line.extend(Words::text("\""));
    script.line(&line);
    let mut step = Map::default();
    step.set_from("run", script.text, destination);
    step.set("shell", "sh -e");
    if let Some(user) = image.user.as_deref().filter(|user| *user != "root") {
        step.set("as", user);
    }
    if let Some(user) = image.user.as_deref().filter(|_| build.platform == Platform::Aws) {
        step.set("working-directory", home(user));
    }
    let mut env = Map::default();
    env.set_from("CONTENT", words.manifest(), &content);
    env.0.extend(script.env.0);
    step.set("env", env);
    Some(step)
}

/// Maximum number of files and folders that are searched for links.
const LINKS: usize = 10_000;

/// Whether a folder contains symbolic links.
fn has_links(folder: &Path, limit: usize) -> bool {
    let mut open = vec![folder.to_owned()];
    let mut left = limit;
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            let Ok(kind) = entry.file_type() else { continue };
            if kind.is_symlink() || left == 0 {
                return kind.is_symlink();
            }
            left -= 1;
            if kind.is_dir() {
                open.push(entry.path());
            }
        }
    }
    false
}

fn download(source: &Reader, to: &str, destination: &Reader, context: &Context) -> Option<Map> {
    let from = context.plain(source)?.manifest();
    // `logs/*` means the contents of the folder.
    let from = from.strip_suffix("/*").map_or(from.clone(), |folder| format!("{folder}/"));
    if from.contains(['*', '?', '[']) {
        source.drop(
            "patterns are not supported for downloads",
            "Copy the files to a folder on the machine with a `run` step, and download that folder.",
        );
        return None;
    }
    let mut step = Map::default();
    step.set_from("download", from, source);
    step.set_from("to", to, destination);
    Some(step)
}

/// A destination as an absolute path: over SSH it is relative to the login user's home, with `docker cp` to the root.
fn absolute(mut to: Words, build: &Build, image: &ImageDraft) -> Option<Words> {
    let Some(Part::Text(first)) =
        to.0.first_mut().filter(|part| matches!(part, Part::Text(text) if !text.starts_with('/')))
    else {
        return Some(to);
    };
    let rest = first.trim_start_matches("~/").trim_start_matches("./").to_owned();
    let base = match (build.platform, image.user.as_deref()) {
        (Platform::Docker, _) => Words::default(),
        (Platform::Aws, Some(user)) => home_words(user),
        (Platform::Aws, None) => return None,
    };
    let mut all = base;
    all.extend(Words::text(format!("/{rest}")));
    to.0.remove(0);
    all.extend(to);
    Some(all)
}

/// Folders that every image has.
const EXISTING: [&str; 16] = [
    "",
    "/tmp",
    "/var/tmp",
    "/opt",
    "/srv",
    "/root",
    "/etc",
    "/usr",
    "/usr/local",
    "/usr/local/bin",
    "/usr/bin",
    "/var",
    "/var/lib",
    "/home",
    "/mnt",
    "/etc/systemd/system",
];

/// Whether a folder is renamed to its destination instead of being copied into it: `scp -r` and `docker cp` do so when
/// the destination does not exist.
fn becomes(found: &FoundPath, to: &Words, build: &Build, context: &Context, image: &ImageDraft) -> bool {
    let sftp = build.reader.value.get("ssh_file_transfer_method").and_then(InputValue::literal) == Some("sftp");
    if sftp || !found.exists || !found.full.is_dir() || found.text.ends_with('/') {
        return false;
    }
    let Some(known) = to.known() else { return false };
    let known = known.trim_end_matches('/');
    let login = build.reader.get("ssh_username").and_then(|user| context.words(&user)?.known());
    let home = login.or_else(|| image.user.clone()).map(|user| home(&user));
    let written = to.manifest();
    let made = |step: &Value| match step {
        Value::Map(step) => ["run", "to"].iter().any(|key| match step.get(key) {
            // Both with variables evaluated and as they are written.
            Some(Value::Text(text)) => text.contains(known) || text.contains(written.trim_end_matches('/')),
            _ => false,
        }),
        _ => false,
    };
    // A folder that was uploaded with its parent folder.
    let sent = |step: &Value| match step {
        Value::Map(step) => match (step.get("upload"), step.get("to")) {
            (Some(Value::Text(from)), Some(Value::Text(to))) => {
                let inner = known.strip_prefix(to.trim_end_matches('/')).and_then(|rest| rest.strip_prefix('/'));
                inner.is_some_and(|inner| !inner.contains("..") && context.paths.output.join(from).join(inner).is_dir())
            }
            _ => false,
        },
        _ => false,
    };
    !EXISTING.contains(&known)
        && !image.steps.iter().any(sent)
        && home.as_deref() != Some(known)
        && !image.steps.iter().any(made)
}
