//! Converts the settings of the build machine.

use ami_bake_manifest::access::FileError;

use super::tags::tags_of;
use crate::context::Context;
use crate::input::{Reader, ValueKind};
use crate::packer::build::ImageDraft;
use crate::yaml::{Map, Value};

pub(super) fn read(reader: &Reader, context: &Context, image: &mut ImageDraft) {
    let mut machine = Map::default();
    types(reader, context, &mut machine);
    if let Some(user) = reader.get("ssh_username")
        && let Some(value) = context.needed(&user)
    {
        if let Value::Text(text) = &value {
            image.user = Some(text.clone());
        }
        machine.set_from("user", value, &user);
    }
    context.set(&mut machine, "profile", reader.get("iam_instance_profile"), Context::text);
    if let Some(policy) = reader.get("temporary_iam_instance_profile_policy_document") {
        self::policy(&policy, context, &mut machine);
    }
    user_data(reader, context, &mut machine);
    if let Some(options) = reader.get("metadata_options") {
        options.items().iter().for_each(|options| metadata(options, context, &mut machine));
    }
    tags(reader, context, &mut machine);
    image.map.set_filled("machine", machine);
}

fn types(reader: &Reader, context: &Context, machine: &mut Map) {
    let one = reader.get("instance_type");
    let many = reader.get("spot_instance_types");
    if let Some(many) = &many {
        context.set(machine, "type", Some(*many), Context::texts_of);
        machine.set_from("spot", true, many);
        if let Some(one) = one {
            one.drop("`spot_instance_types` is used instead", "");
        }
    } else {
        context.set(machine, "type", one, Context::text);
    }
    if let Some(price) = reader.get("spot_price") {
        let words = context.plain(&price);
        let known = words.as_ref().and_then(crate::template::Words::known);
        if words.is_some() && known.is_none() {
            price.drop("its value is only known during the bake", "Set `machine.spot` by hand.");
        }
        if known.as_deref().is_some_and(|known| known != "0") {
            machine.set_from("spot", true, &price);
            if known.as_deref() != Some("auto") {
                price.changed("a price limit is not supported; a spot instance never costs more than on demand", "");
            }
        }
    }
    for key in [
        "spot_price_auto_product",
        "spot_allocation_strategy",
        "spot_tags",
        "spot_tag",
        "fleet_tags",
        "fleet_tag",
        "block_duration_minutes",
    ] {
        if let Some(field) = reader.get(key) {
            field.drop("options of the spot request are not supported", "");
        }
    }
}

fn policy(policy: &Reader, context: &Context, machine: &mut Map) {
    if policy.is_map() {
        let value = tree(policy, context);
        machine.set_from("policy", value, policy);
    } else if let Some(words) = context.plain(policy) {
        machine.set_from("policy", words.manifest(), policy);
    }
}

/// A value of the input, unchanged except that its texts are evaluated.
pub(crate) fn tree(reader: &Reader, context: &Context) -> Value {
    match &reader.value.kind {
        ValueKind::Map(_) => {
            if reader.entries().is_empty() {
                reader.mark_used();
            }
            let mut map = Map::default();
            for (key, value) in reader.entries() {
                let tree = tree(&value, context);
                map.set_from(key, tree, &value);
            }
            map.into()
        }
        ValueKind::List(_) => reader.items().iter().map(|item| tree(item, context)).collect::<Vec<_>>().into(),
        ValueKind::Text(_) => match context.words(reader) {
            Some(words) if words.is_secret() => {
                reader.drop("secrets are not allowed here", "Use the secret in the `env` of a step instead.");
                Value::from("")
            }
            Some(words) => words.manifest().into(),
            None => Value::from(""),
        },
        ValueKind::Null => {
            reader.mark_used();
            Value::Raw("null".to_owned())
        }
        ValueKind::Bool(_) | ValueKind::Number(_) => Value::Raw(reader.text().unwrap_or_default().to_owned()),
    }
}

/// Maximum size in bytes of user data (EC2 API, RunInstances: 16 KiB before base64).
const USER_DATA: usize = 16 * 1024;

fn user_data(reader: &Reader, context: &Context, machine: &mut Map) {
    context.set(machine, "user-data", reader.get("user_data"), Context::text);
    let Some(file) = reader.get("user_data_file") else { return };
    let Some(words) = context.plain(&file) else { return };
    let Some(known) = Context::settled(&words, &file) else {
        file.drop("the path is only known during the bake", "Write the content of the file into `machine.user-data`.");
        return;
    };
    let found = context.paths.find(&known);
    let text = context.paths.access.read(&found.full, USER_DATA as u64);
    let unfit = || {
        file.drop(
            "its content can't be copied into a manifest: it is too large or contains a credential or `${{`",
            "Write a smaller version into `machine.user-data`.",
        );
    };
    match text.map(String::from_utf8) {
        Ok(Ok(text))
            if text.len() <= USER_DATA
                && !ami_bake_manifest::access::credential::holds(&text)
                && !text.contains("${{") =>
        {
            file.log().private.add(&text, &found.text);
            machine.set_from("user-data", text, &file);
            file.changed(format!("the content of {} was copied into the manifest", found.text), "");
        }
        Ok(_) | Err(FileError::TooLarge(_)) => unfit(),
        Err(FileError::Forbidden { message, help }) => file.drop(message, help),
        Err(_) => {
            file.log().missing(&found.text);
            file.drop(
                "file not found",
                "Add the file and import again, or write its content into `machine.user-data`.",
            );
        }
    }
}

fn metadata(options: &Reader, context: &Context, machine: &mut Map) {
    let mut metadata = Map::default();
    context.set(&mut metadata, "tokens", options.get("http_tokens"), Context::text);
    context.set(&mut metadata, "hops", options.get("http_put_response_hop_limit"), Context::number);
    if let Some(endpoint) = options.get("http_endpoint")
        && context.plain(&endpoint).and_then(|words| words.known()).as_deref() != Some("enabled")
    {
        endpoint.drop("the metadata service of the build machine is always enabled: the bake needs it", "");
    }
    if let Some(tags) = options.get("instance_metadata_tags")
        && context.plain(&tags).and_then(|words| words.known()).as_deref() != Some("disabled")
    {
        tags.drop("instance tags in the metadata are not supported", "Pass the values to scripts in `env`.");
    }
    // `required` is the manifest's default.
    if metadata.get("tokens") == Some(&Value::from("required")) {
        metadata.0.retain(|entry| entry.key != "tokens");
    }
    machine.set_filled("metadata", metadata);
}

fn tags(reader: &Reader, context: &Context, machine: &mut Map) {
    let tags = tags_of(reader, context, "run_tags", "run_tag");
    let volumes = tags_of(reader, context, "run_volume_tags", "run_volume_tag");
    if !volumes.is_empty() && volumes != tags {
        for field in ["run_volume_tags", "run_volume_tag"].iter().filter_map(|key| reader.get(key)) {
            field.drop("the disks of the build machine get the tags of the machine", "Add them to `machine.tags`.");
        }
    }
    machine.set_filled("tags", tags);
}
