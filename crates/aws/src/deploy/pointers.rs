//! Moves what follows a template by name: its default version, and the groups on `$Default` and `$Latest`.

use ami_bake_core::{Error, ErrorKind, Result, Run};

use super::group::{Group, RequestedVersion};
use super::template::{self, Template};
use crate::client::Client;

/// Makes a version the default. A default that somebody else changed since `before` was read is only overwritten with
/// `force`. Returns whether it was changed.
pub(super) async fn make_default(client: &Client, before: &Template, number: i64, forced: bool) -> Result<bool> {
    let now = template::find(client, &before.id).await?;
    if now.default == number {
        return Ok(false);
    }
    if now.default != before.default && !forced {
        return Err(Error::new(
            ErrorKind::Deploy,
            format!(
                "the default of the launch template {} was changed from version {} to {} by somebody else in the meantime",
                before.name, before.default, now.default
            ),
        )
        .help(format!("Check version {}; use `--force` to make version {number} the default anyway.", now.default)));
    }
    template::set_default(client, before, number).await?;
    Ok(true)
}

/// Makes a group follow `$Default` or `$Latest` again, which a refresh replaced with a number. If that is another
/// version by now, the group stays on the number, with a warning.
pub(super) async fn follow_again(
    client: &Client,
    run: &Run,
    before: &Group,
    template: &Template,
    number: i64,
) -> Result<()> {
    let follows = before.follows();
    let now = template::find(client, &template.id).await?;
    if let RequestedVersion::Number(_) = follows {
        return Ok(());
    }
    let leads = follows.number(&now);
    let version = follows.as_version();
    if leads != number {
        run.warn(
            format!("{} stays on version {number} of {}: {version} is version {leads}", before.name, template.name),
            Some(match follows {
                RequestedVersion::Default => "Set `set-default: true` to change the default, too.".to_owned(),
                _ => "Somebody created a newer version in the meantime that no refresh has tested.".to_owned(),
            }),
        );
        return Ok(());
    }
    ask_for(client, before, &version).await
}

/// Changes the version that a group requests; this replaces no machine.
pub(super) async fn ask_for(client: &Client, group: &Group, version: &str) -> Result<()> {
    let desired = group.with_version(version);
    let request = client
        .autoscaling
        .update_auto_scaling_group()
        .auto_scaling_group_name(&group.name)
        .set_launch_template(desired.launch_template)
        .set_mixed_instances_policy(desired.mixed_instances_policy);
    let doing = format!("set the group {} to {version}", group.name);
    client.call("UpdateAutoScalingGroup", &doing, request.send()).await.map(|_| ())
}
