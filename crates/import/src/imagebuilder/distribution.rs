//! Distribution configurations: where the image goes.

use super::resource::{get, left};
use super::{Making, Resource, entry};
use crate::input::Reader;
use crate::yaml::{Map, Value};

pub(super) fn read(distribution: &Resource, making: &Making, body: &mut Map, image: &mut Map) {
    let context = &making.context;
    let mut regions: Vec<Value> = Vec::new();
    let mut deploy: Vec<Value> = Vec::new();
    let all: Vec<Reader> = distribution.get("distributions").iter().flat_map(Reader::items).collect();
    let place = |one: &Reader| get(one, "region").and_then(|region| context.words(&region));
    // Where the resources themselves are, or the first.
    let home = making.all.home();
    let is_home = |one: &&Reader| {
        place(one).is_some_and(|words| {
            words.single().is_some_and(|expr| expr.code == "region") || (home.is_some() && words.known() == home)
        })
    };
    let first = all.iter().position(|one| is_home(&one)).or_else(|| home.is_none().then_some(0));
    if let (None, Some(home)) = (first, home) {
        body.within("aws", |aws| aws.set("region", home));
    }
    let mut order: Vec<usize> = (0..all.len()).collect();
    order.sort_by_key(|at| Some(*at) != first);
    for (turn, at) in order.into_iter().enumerate() {
        let (one, here) = (all[at].clone(), Some(at) == first);
        let region = get(&one, "region").and_then(|region| Some((context.text(&region)?, region)));
        let ami = get(&one, "amiDistributionConfiguration");
        let key = ami.as_ref().and_then(|ami| get(ami, "kmsKeyId")).and_then(|key| Some((context.text(&key)?, key)));
        if let Some((value, from)) = region {
            if here {
                let known = body.get("aws").is_some();
                body.within("aws", |aws| {
                    // `${{ region }}` is the region of the environment.
                    if !known && value != Value::from("${{ region }}") {
                        aws.set_from("region", value.clone(), &from);
                    }
                });
                if let Some((value, key)) = key {
                    image.within("machine", |machine| {
                        machine.within("disk", |disk| disk.set_from("kms-key", value, &key));
                    });
                }
            } else {
                regions.push(match key {
                    Some((key, _)) => entry(&[("region", value), ("kms-key", key)]).into(),
                    None => value,
                });
            }
        }
        if let Some(ami) = &ami {
            self::ami(ami, turn == 0, making, image);
        }
        for template in get(&one, "launchTemplateConfigurations").iter().flat_map(Reader::items) {
            deploy.extend(launch_template(&template, making));
        }
        parameters(&one, making, image);
        left(
            &one,
            &[
                (
                    "containerDistributionConfiguration",
                    "containers are published by `publish.docker`",
                    "Write it by hand.",
                ),
                ("fastLaunchConfigurations", "it is for Windows", ""),
                (
                    "licenseConfigurationArns",
                    "licences are not attached to images",
                    "Do it in the workflow behind the bake.",
                ),
                ("s3ExportConfiguration", "images are not exported", "Use `aws ec2 export-image` behind the bake."),
            ],
        );
    }
    image.within("publish", |publish| publish.set_filled("regions", regions));
    image.set_filled("deploy", deploy);
    left(
        &distribution.reader,
        &[
            ("name", "publishing is part of the image", ""),
            ("description", "publishing is part of the image", ""),
            ("tags", "they are tags of the configuration, not of images", ""),
            ("timeoutMinutes", "publishing has no limit of its own", ""),
            ("clientToken", "it belongs to the call of the API", ""),
            ("arn", "AWS made it", ""),
            ("dateCreated", "AWS made it", ""),
            ("dateUpdated", "AWS made it", ""),
        ],
    );
}

/// One region's image; what the first says holds for all.
fn ami(ami: &Reader, first: bool, making: &Making, image: &mut Map) {
    let context = &making.context;
    let differs = |field: &Reader| field.drop("an image is called and tagged alike in all regions", "");
    image.within("publish", |publish| {
        for (field, key) in [("name", "name"), ("description", "description")] {
            let Some(field) = get(ami, field) else { continue };
            let Some(value) = context.text(&field) else { continue };
            if field.node.scalar().is_some_and(|text| text.contains("imagebuilder `buildDate`")) {
                field.changed("`buildDate` is YYYYMMDDhhmmss here", "");
            }
            if first {
                publish.set_from(key, value, &field);
            } else if publish.get(key) != Some(&value) {
                differs(&field);
            }
        }
        if let Some(tags) = get(ami, "amiTags") {
            let map = context.map(&tags);
            if first {
                publish.within("tags", |known| map.0.into_iter().for_each(|entry| known.0.push(entry)));
            } else if publish.get("tags") != Some(&Value::Map(map)) {
                differs(&tags);
            }
        }
        // CloudFormation's name of it is longer.
        let permission = get(ami, "launchPermission").or_else(|| get(ami, "launchPermissionConfiguration"));
        if let Some(permission) = permission {
            let mut share = Map::default();
            for (field, key) in [
                ("userIds", "accounts"),
                ("organizationArns", "organizations"),
                ("organizationalUnitArns", "organizational-units"),
            ] {
                if let Some(list) = get(&permission, field) {
                    let all = context.texts(&list);
                    if !all.is_empty() {
                        share.set_from(key, all, &list);
                    }
                }
            }
            for (words, item) in get(&permission, "userGroups").iter().flat_map(|list| context.list(list)) {
                if words.known().as_deref() == Some("all") {
                    share.set_from("public", true, &item);
                } else {
                    item.drop("only `all` is known as a group of users", "");
                }
            }
            if first {
                publish.set_filled("share", share);
            } else if publish.get("share") != Some(&Value::Map(share)) {
                permission.drop("an image is shared alike in all regions", "");
            }
        }
    });
    if let Some(accounts) = get(ami, "targetAccountIds") {
        accounts.drop(
            "an image of another account's own needs a role to assume there",
            "Write `publish.targets` with a role of each account that the bake may assume.",
        );
    }
}

fn launch_template(template: &Reader, making: &Making) -> Option<Value> {
    let context = &making.context;
    let id = get(template, "launchTemplateId")?;
    let mut map = Map::default();
    map.set_from("launch-template", context.text(&id)?, &id);
    if let Some(default) = get(template, "setDefaultVersion")
        && let Some(value) = context.switch(&default)
    {
        map.set_from("set-default", value, &default);
    }
    if let Some(account) = get(template, "accountId") {
        account
            .drop("a template of another account needs a role to assume there", "Set `role` of the entry in `deploy`.");
    }
    Some(map.into())
}

fn parameters(one: &Reader, making: &Making, image: &mut Map) {
    let mut names: Vec<Value> = Vec::new();
    for parameter in get(one, "ssmParameterConfigurations").iter().flat_map(Reader::items) {
        if let Some(name) = get(&parameter, "parameterName")
            && let Some(value) = making.context.text(&name)
        {
            names.push(value);
        }
        if let Some(kind) = get(&parameter, "dataType")
            && kind.text() != Some("aws:ec2:image")
        {
            kind.changed("the parameter's data type is aws:ec2:image", "");
        }
        left(&parameter, &[("amiAccountId", "parameters are set in the image's own account", "")]);
    }
    image.within("publish", |publish| publish.set_filled("parameters", names));
}
