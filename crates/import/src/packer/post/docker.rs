//! docker-tag and docker-push.

use super::Build;
use crate::context::Context;
use crate::credential;
use crate::input::Reader;
use crate::json::Kind;
use crate::packer::build::Image;
use crate::yaml::{Map, Value};

/// What the post-processors say of a repository.
#[derive(Debug, Default)]
pub(super) struct Repository {
    map: Map,
    login: Map,
    /// The chain that pushes.
    pushes: Option<String>,
    /// Tags with the chains that set them.
    tags: Vec<(Value, String)>,
}

pub(super) fn tag(reader: &Reader, context: &Context, into: &mut Repository) {
    if let Some(repository) = reader.get("repository")
        && let Some(value) = context.text(&repository)
    {
        if into.map.get("repository").is_some_and(|known| *known != value) {
            reader.drop(
                "an image goes to one repository, and another is taken already",
                "Tag it there in the workflow behind the bake.",
            );
            return;
        }
        into.map.set_from("repository", value, &repository);
    }
    for key in ["tag", "tags"] {
        if let Some(tags) = reader.get(key) {
            let mut all = match into.map.get("tags") {
                Some(Value::List(known)) => known.clone(),
                _ => Vec::new(),
            };
            for tag in context.texts(&tags) {
                into.tags.push((tag.clone(), chain(reader)));
                if !all.contains(&tag) {
                    all.push(tag);
                }
            }
            into.map.set_from("tags", all, &tags);
        }
    }
    if let Some(force) = reader.get("force") {
        if context.flag(&force) == Some(true) {
            // That is what happens.
            force.tick();
            return common(reader, context);
        }
        force.drop("a tag always moves to the new image", "");
    }
    common(reader, context);
}

/// An image that is read back from the file that the builder writes: here it is committed, and called the same.
pub(super) fn import(reader: &Reader, context: &Context, image: &mut Image, into: &mut Repository) {
    crate::packer::builder::docker::changes(reader, context, &mut image.changes);
    tag(reader, context, into);
    if let Some(platform) = reader.get("platform") {
        platform.drop("the image has its source's platform", "");
    }
}

/// What a post-processor works on: those of one list work on what the one before made.
fn chain(reader: &Reader) -> String {
    let path = reader.path();
    let end = path.strip_suffix(']').and_then(|path| path.rfind("][")).map_or(path.len(), |at| at + 1);
    path[..end].to_owned()
}

pub(super) fn push(reader: &Reader, context: &Context, into: &mut Repository) {
    into.pushes = Some(chain(reader));
    into.map.set_from("push", true, reader);
    if let Some(login) = reader.get("login") {
        let _ = context.flag(&login);
    }
    if let Some(user) = reader.get("login_username")
        && let Some(value) = context.text(&user)
    {
        into.login.set_from("username", value, &user);
    }
    if let Some(password) = reader.get("login_password")
        && let Some(words) = context.words(&password)
    {
        if words.is_secret() {
            into.login.set_from("password", words.manifest(), &password);
        } else {
            let secret = credential::variable("docker_password");
            into.login.set_from("password", format!("${{{{ secrets.{secret} }}}}"), &password);
            password.drop(
                "the value of a credential is never copied",
                format!("Set the environment variable {secret} for the bake; `secrets` names it."),
            );
        }
    }
    if let Some(platform) = reader.get("platform") {
        platform.drop("the image has its source's platform", "");
    }
    for key in ["login_email", "login_server"] {
        if let Some(field) = reader.get(key) {
            field.drop("the registry is part of the repository's name", "");
        }
    }
    for key in ["ecr_login", "aws_access_key", "aws_secret_key", "aws_token", "aws_profile", "aws_force_use_public_ecr"]
    {
        if let Some(field) = reader.get(key) {
            field.drop(
                "Docker's own configuration is used for Amazon's registry",
                "Log in by amazon-ecr-login or `docker login` before the bake.",
            );
        }
    }
    common(reader, context);
}

fn common(reader: &Reader, context: &Context) {
    if let Some(keep) = reader.get("keep_input_artifact")
        && context.flag(&keep) == Some(false)
    {
        keep.drop("nothing is thrown away", "");
    }
}

/// Writes `publish.docker`.
pub(super) fn write(repository: Repository, template: &Reader, build: &Build, image: &mut Image) {
    let Repository { mut map, login, pushes, tags } = repository;
    if let Some(pushes) = pushes {
        let others: Vec<&str> = tags
            .iter()
            .filter(|(tag, chain)| {
                *chain != pushes && !tags.iter().any(|(other, chain)| other == tag && *chain == pushes)
            })
            .map(|(_, chain)| chain.as_str())
            .collect();
        for entry in template.get("post-processors").iter().flat_map(Reader::items) {
            if others.contains(&entry.path()) {
                entry.changed("its tag is pushed too: a repository is pushed with all of its tags", "");
            }
        }
    }
    if map.get("repository").is_none() {
        if !image.changes.is_empty()
            && let Some(changes) = build.reader.get("changes")
        {
            changes.drop(
                "they belong to a repository, and no docker-tag names one",
                "Write `publish.docker` with a `repository` and `changes`.",
            );
        }
        return;
    }
    if map.get("push").is_none() {
        map.set("push", false);
    }
    if login.get("username").is_some() && login.get("password").is_some() {
        map.set("login", login);
    }
    map.set_filled("changes", image.changes.clone());
    image.map.within("publish", |publish| publish.set("docker", map));
}

/// Whether a post-processor is for builders alone that did not come over.
pub(super) fn is_left(reader: &Reader, names: &[&str]) -> bool {
    let list = |key: &str| match reader.node.get(key).map(|node| &node.kind) {
        Some(Kind::List(items)) => items.iter().filter_map(crate::json::Node::scalar).collect::<Vec<_>>(),
        _ => Vec::new(),
    };
    let only = list("only");
    !only.is_empty() && !only.iter().any(|name| names.contains(name))
}
