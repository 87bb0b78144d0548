//! The file provisioner.

use super::{Fields, home};
use crate::context::Context;
use crate::input::Reader;
use crate::packer::build::{Build, Image, Platform};
use crate::paths::Found;
use crate::template::{Part, Words};
use crate::yaml::{Map, Value};

pub(super) fn steps(fields: &Fields, build: &Build, context: &Context, image: &Image) -> Vec<Map> {
    fields.drop(&["generated"], "files are looked for when the step runs", "");
    fields.drop(&["content"], "a step uploads files", "Put the text into a file, or write it by a `run` step.");
    let direction = fields.get("direction").and_then(|field| context.words(&field)?.known());
    let Some(destination) = fields.get("destination") else {
        fields.reader().drop("it has no `destination`", "Write the step by hand.");
        return Vec::new();
    };
    // Packer takes `source` behind `sources`.
    let lists = [fields.get("sources"), fields.get("source")];
    let sources: Vec<Reader> = lists.iter().flatten().flat_map(Reader::items).collect();
    if direction.as_deref() == Some("download") {
        let Some(to) = context.place(&destination) else { return Vec::new() };
        return sources.iter().filter_map(|source| download(source, &to, &destination, context)).collect();
    }
    let Some(to) = context.plain(&destination) else { return Vec::new() };
    let Some(to) = absolute(to, build, image) else {
        destination.drop(
            "it is relative to the home of a login user that is not known",
            "Write the step by hand, with a path that begins with `/`.",
        );
        return Vec::new();
    };
    let mut steps: Vec<Map> = Vec::new();
    for source in sources {
        let Some((mut from, found)) = context.local(&source) else { continue };
        if found.is_some_and(|found| becomes(&found, &to, build, image)) {
            // The folder itself and its contents are the same then.
            source.changed(
                format!(
                    "nothing makes {} before, and Packer makes it of the folder itself: its contents are sent there",
                    to.manifest()
                ),
                "Take the slash off at its end where the folder is meant to be one level below.",
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
        steps.push(step);
    }
    steps
}

fn download(source: &Reader, to: &str, destination: &Reader, context: &Context) -> Option<Map> {
    let from = context.plain(source)?.manifest();
    // `logs/*` is what is in the folder.
    let from = from.strip_suffix("/*").map_or(from.clone(), |folder| format!("{folder}/"));
    if from.contains(['*', '?', '[']) {
        source.drop(
            "a download takes a file or a folder, no pattern",
            "Collect the files in a folder on the machine by a `run` step, and download that.",
        );
        return None;
    }
    let mut step = Map::default();
    step.set_from("download", from, source);
    step.set_from("to", to, destination);
    Some(step)
}

/// A destination as a path from the root: SSH begins in the login user's home, `docker cp` at the root.
fn absolute(mut to: Words, build: &Build, image: &Image) -> Option<Words> {
    let Some(Part::Text(first)) =
        to.0.first_mut().filter(|part| matches!(part, Part::Text(text) if !text.starts_with('/')))
    else {
        return Some(to);
    };
    let rest = first.trim_start_matches("~/").trim_start_matches("./").to_owned();
    let base = match (build.platform, image.user.as_deref()) {
        (Platform::Docker, _) => String::new(),
        // The user's name may be an expression, which a text must not hold.
        (Platform::Aws, Some(user)) if !user.contains("${{") => home(user),
        (Platform::Aws, _) => return None,
    };
    *first = format!("{base}/{rest}");
    Some(to)
}

/// Folders that every image has.
const THERE: [&str; 16] = [
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

/// Whether a folder becomes its destination instead of going into it: `scp -r` and `docker cp` do so where the destination
/// is not there.
fn becomes(found: &Found, to: &Words, build: &Build, image: &Image) -> bool {
    let sftp = build.reader.node.get("ssh_file_transfer_method").and_then(crate::json::Node::scalar) == Some("sftp");
    if sftp || !found.full.is_dir() || found.text.ends_with('/') {
        return false;
    }
    let Some(known) = to.known() else { return false };
    let known = known.trim_end_matches('/');
    let home = image.user.as_deref().map(home);
    let made = |step: &Value| match step {
        Value::Map(step) => ["run", "to"].iter().any(|key| match step.get(key) {
            Some(Value::Text(text)) => text.contains(known),
            _ => false,
        }),
        _ => false,
    };
    !THERE.contains(&known) && home.as_deref() != Some(known) && !image.steps.iter().any(made)
}
