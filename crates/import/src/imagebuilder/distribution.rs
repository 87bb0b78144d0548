//! Converts distribution configurations: regions, accounts and sharing.

use super::intrinsic::PLACEHOLDER;
use super::project::Project;
use super::resource::{Resource, get, unsupported};
use crate::context::Context;
use crate::input::Reader;
use crate::yaml::{Map, Value};

pub(super) fn read(distribution: &Resource, project: &Project, body: &mut Map, image: &mut Map) {
    let context = &project.context;
    let mut regions: Vec<Value> = Vec::new();
    let mut deploy: Vec<Value> = Vec::new();
    let all: Vec<Reader> = distribution.get("distributions").iter().flat_map(Reader::items).collect();
    let place = |one: &Reader| get(one, "region").and_then(|region| context.words(&region));
    // The home region is that of the resources, or else the first one.
    let home = project.all.home();
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
        let (one, here) = (all[at], Some(at) == first);
        let region = get(&one, "region").and_then(|region| Some((context.text(&region)?, region)));
        let ami = get(&one, "amiDistributionConfiguration");
        let key = ami.as_ref().and_then(|ami| get(ami, "kmsKeyId")).and_then(|key| Some((context.text(&key)?, key)));
        if let Some((value, from)) = region {
            if here {
                let known = body.get("aws").is_some();
                body.within("aws", |aws| {
                    // `${{ region }}` means the region of the environment.
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
                    Some((key, _)) => {
                        let mut entry = Map::default();
                        entry.set("region", value);
                        entry.set("kms-key", key);
                        entry.into()
                    }
                    None => value,
                });
            }
        }
        if let Some(ami) = &ami {
            self::ami(ami, turn == 0, project, image);
        }
        for template in get(&one, "launchTemplateConfigurations").iter().flat_map(Reader::items) {
            deploy.extend(launch_template(&template, project));
        }
        parameters(&one, project, image);
        unsupported(
            &one,
            &[
                (
                    "containerDistributionConfiguration",
                    "containers are published with `publish.docker`",
                    "Write `publish.docker` by hand.",
                ),
                ("fastLaunchConfigurations", "it is for Windows", ""),
                (
                    "licenseConfigurationArns",
                    "license configurations are not supported",
                    "Attach licenses in the workflow after the bake.",
                ),
                (
                    "s3ExportConfiguration",
                    "exporting images is not supported",
                    "Use `aws ec2 export-image` after the bake.",
                ),
            ],
        );
    }
    image.within("publish", |publish| publish.set_filled("regions", regions));
    image.set_filled("deploy", deploy);
    distribution.report_unsupported(&[
        ("name", "publishing is part of the image", ""),
        ("description", "publishing is part of the image", ""),
        ("tags", "tags of the configuration, not of images", ""),
        ("timeoutMinutes", "publishing has no separate timeout", ""),
    ]);
}

/// Converts the AMI settings of one region; name and tags of the first region apply to all.
fn ami(ami: &Reader, first: bool, project: &Project, image: &mut Map) {
    let context = &project.context;
    let differs = |field: &Reader| field.drop("an image has the same name and tags in all regions", "");
    image.within("publish", |publish| {
        for (field, key) in [("name", "name"), ("description", "description")] {
            let Some(field) = get(ami, field) else { continue };
            let Some(value) = context.text(&field) else { continue };
            if field
                .value
                .template()
                .is_some_and(|template| template.arguments_of(PLACEHOLDER).any(|name| name == "buildDate"))
            {
                field.changed("`buildDate` is YYYYMMDDhhmmss in a manifest", "");
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
        // CloudFormation uses a longer name.
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
                    item.drop("the only supported group is `all`", "");
                }
            }
            if first {
                publish.set_filled("share", share);
            } else if publish.get("share") != Some(&Value::Map(share)) {
                permission.drop("an image is shared with the same accounts in all regions", "");
            }
        }
    });
    if let Some(accounts) = get(ami, "targetAccountIds") {
        accounts.drop(
            "copying to another account needs a role in that account",
            "Write `publish.targets` with a role for each account.",
        );
    }
}

fn launch_template(template: &Reader, project: &Project) -> Option<Value> {
    let context = &project.context;
    let id = get(template, "launchTemplateId")?;
    let mut map = Map::default();
    map.set_from("launch-template", context.text(&id)?, &id);
    context.set(&mut map, "set-default", get(template, "setDefaultVersion"), Context::switch);
    if let Some(account) = get(template, "accountId") {
        account.drop(
            "a launch template in another account needs a role in that account",
            "Set `role` of the entry in `deploy`.",
        );
    }
    Some(map.into())
}

fn parameters(one: &Reader, project: &Project, image: &mut Map) {
    let mut names: Vec<Value> = Vec::new();
    for parameter in get(one, "ssmParameterConfigurations").iter().flat_map(Reader::items) {
        if let Some(name) = get(&parameter, "parameterName")
            && let Some(value) = project.context.text(&name)
        {
            names.push(value);
        }
        if let Some(kind) = get(&parameter, "dataType")
            && kind.text() != Some("aws:ec2:image")
        {
            kind.changed("the data type of the parameter is always aws:ec2:image", "");
        }
        unsupported(&parameter, &[("amiAccountId", "parameters are set in the account of the image", "")]);
    }
    image.within("publish", |publish| publish.set_filled("parameters", names));
}
