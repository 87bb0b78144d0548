//! Converts docker-tag and docker-push.

use crate::context::Context;
use crate::input::{FindingKind, InputValue, Location, Log, Reader};
use crate::packer::build::{Build, ImageDraft};
use crate::yaml::{Map, Value};
use ami_bake_manifest::access::credential;

/// The repository that post-processors tag and push to.
#[derive(Debug, Default)]
pub(super) struct Repository {
    map: Map,
    login: Map,
    /// The chain that pushes.
    pushes: Option<Location>,
    /// Tags with the chains that set them.
    tags: Vec<(Value, Location)>,
}

pub(super) fn tag(reader: &Reader, chain: &Location, context: &Context, into: &mut Repository) {
    if let Some(repository) = reader.get("repository")
        && let Some(value) = context.text(&repository)
    {
        if into.map.get("repository").is_some_and(|known| *known != value) {
            reader.drop(
                "an image has one repository, and an earlier `docker-tag` set another",
                "Tag the image in the workflow after the bake.",
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
                into.tags.push((tag.clone(), chain.clone()));
                if !all.contains(&tag) {
                    all.push(tag);
                }
            }
            into.map.set_from("tags", all, &tags);
        }
    }
    if let Some(force) = reader.get("force") {
        if context.flag(&force) == Some(true) {
            // A bake always moves tags.
            force.mark_used();
        } else {
            force.drop("tags always move to the new image", "");
        }
    }
    common(reader, context);
}

/// Converts the post-processors. In Packer an exported image is imported again and tagged; here it is committed and
/// tagged either way.
pub(super) fn import(
    reader: &Reader,
    chain: &Location,
    context: &Context,
    image: &mut ImageDraft,
    into: &mut Repository,
) {
    crate::packer::builder::changes(reader, context, &mut image.changes);
    tag(reader, chain, context, into);
    if let Some(platform) = reader.get("platform") {
        platform.drop("the image has the platform of its source image", "");
    }
}

pub(super) fn push(reader: &Reader, chain: &Location, context: &Context, into: &mut Repository) {
    into.pushes = Some(chain.clone());
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
                format!("Set the environment variable {secret} for the bake; it is listed in `secrets`."),
            );
        }
    }
    if let Some(platform) = reader.get("platform") {
        platform.drop("the image has the platform of its source image", "");
    }
    for key in ["login_email", "login_server"] {
        if let Some(field) = reader.get(key) {
            field.drop("the registry is part of the repository name", "");
        }
    }
    for key in ["ecr_login", "aws_access_key", "aws_secret_key", "aws_token", "aws_profile", "aws_force_use_public_ecr"]
    {
        if let Some(field) = reader.get(key) {
            field.drop(
                "the bake uses Docker's own configuration for Amazon ECR",
                "Log in with amazon-ecr-login or `docker login` before the bake.",
            );
        }
    }
    common(reader, context);
}

fn common(reader: &Reader, context: &Context) {
    if let Some(keep) = reader.get("keep_input_artifact")
        && context.flag(&keep) == Some(false)
    {
        keep.drop("the bake does not delete images", "");
    }
}

/// Writes `publish.docker`.
pub(super) fn write(repository: Repository, build: &Build, image: &mut ImageDraft, log: &Log) {
    let Repository { mut map, login, pushes, tags } = repository;
    if let Some(pushes) = pushes {
        let pushed = |tag: &Value| tags.iter().any(|(other, chain)| other == tag && *chain == pushes);
        for (_, chain) in tags.iter().filter(|(tag, chain)| *chain != pushes && !pushed(tag)) {
            let why = "its tag is pushed too: a repository is pushed with all of its tags";
            log.report(FindingKind::Changed, chain, why, "");
        }
    }
    if map.get("repository").is_none() {
        if !image.changes.is_empty()
            && let Some(changes) = build.reader.get("changes")
        {
            changes.drop(
                "they need a repository, and no `docker-tag` sets one",
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

/// Whether a post-processor only runs for builders that were not imported.
pub(super) fn is_for_others(fields: &InputValue, names: &[&str]) -> bool {
    let only: Vec<&str> =
        fields.get("only").map(InputValue::items).unwrap_or_default().iter().filter_map(InputValue::literal).collect();
    !only.is_empty() && !only.iter().any(|name| names.contains(name))
}
