//! SSM parameters with the ID of an image.

use std::time::Duration;

use ami_bake_core::plan::ImagePlan;
use ami_bake_core::{Error, ErrorKind, Result, Run};
use aws_sdk_ssm::types::{ParameterType, Tag};
use semver::Version;

use crate::client::{Client, filter};
use crate::image;

/// Data type of the parameters. Systems Manager validates the value after it has answered (Systems Manager user guide,
/// "Native parameter support for AMI IDs"): if it is refused, the parameter keeps its old value.
const DATA_TYPE: &str = "aws:ec2:image";
/// How the program's own tags begin.
const RESERVED: &str = "ami-bake:";
/// Time that the validation may take.
const JUDGED: Duration = Duration::from_mins(1);
/// Pause between two reads; the first is immediate.
const PAUSE: Duration = Duration::from_millis(500);

/// Sets the plan's parameters to an image. One with a newer version of the same image stays, unless `force` is set.
/// Returns which were set, for messages.
pub(super) async fn point(
    client: &Client,
    run: &Run,
    plan: &ImagePlan,
    id: &str,
    force: bool,
) -> Result<Option<String>> {
    let mut set = Vec::new();
    for name in &plan.settings.distribution.parameters {
        let held = run.until_cancelled(value(client, name)).await??;
        if held.as_deref() == Some(id) {
            continue;
        }
        if let (Some(held), false) = (&held, force)
            && let Some(newer) = newer(client, plan, held).await?
        {
            run.warn(
                format!("parameter {name} in {} keeps the newer version {newer} ({held})", client.place()),
                Some(format!("Use --force to set it back to {}.", plan.version)),
            );
            continue;
        }
        run.waiting(&format!("the parameter {name} to hold {id}"), put(client, run, plan, name, id, held.is_none()))
            .await?;
        set.push(name.as_str());
    }
    Ok((!set.is_empty()).then(|| format!("in the parameter {}", set.join(", "))))
}

/// The value of a parameter; `None` if it does not exist.
async fn value(client: &Client, name: &str) -> Result<Option<String>> {
    match client.ask("GetParameter", client.ssm.get_parameter().name(name).send()).await {
        Ok(answer) => Ok(answer.parameter.and_then(|parameter| parameter.value)),
        Err(failure) if failure.not_found() => Ok(None),
        Err(failure) => Err(client.explain(*failure, &format!("read the parameter {name}")).await),
    }
}

/// The version of the image that a parameter holds, if it is a later version of the same image.
async fn newer(client: &Client, plan: &ImagePlan, held: &str) -> Result<Option<Version>> {
    if !held.starts_with("ami-") {
        return Ok(None);
    }
    let doing = format!("look up the image {held}");
    let found = image::describe(client, "self", vec![filter("image-id", held)], &doing).await?;
    let record = found.first().and_then(|image| image::record(image, client.region()));
    Ok(record
        .filter(|held| held.namespace == plan.namespace && held.key == plan.key && held.version > plan.version)
        .map(|held| held.version))
}

/// The tags of `aws.tags` for a parameter that is made: what an organization requires.
fn tags(run: &Run) -> Result<Vec<Tag>> {
    let own = run.origin().iter().filter(|(key, _)| !key.starts_with(RESERVED));
    own.map(|(key, value)| {
        let tag = Tag::builder().key(key).value(value).build();
        tag.map_err(|error| Error::internal("could not build a tag of a parameter").because(error))
    })
    .collect()
}

/// Sets a parameter, `new` where there was none a moment ago. Only a call that makes one takes tags, and such a call can't
/// overwrite (Systems Manager API, PutParameter, Tags).
async fn put(client: &Client, run: &Run, plan: &ImagePlan, name: &str, id: &str, new: bool) -> Result<()> {
    let doing = format!("set the parameter {name} to {id}");
    run.check()?;
    let tags = if new { tags(run)? } else { Vec::new() };
    let request = client
        .ssm
        .put_parameter()
        .name(name)
        .value(id)
        .r#type(ParameterType::String)
        .data_type(DATA_TYPE)
        .description(format!("{} {} {}, by ami-bake", plan.namespace, plan.key, plan.version));
    let made = if tags.is_empty() {
        false
    } else {
        match client.ask("PutParameter", request.clone().set_tags(Some(tags)).send()).await {
            Ok(_) => true,
            // Another run made it, or the answer to the first try was lost.
            Err(failure) if failure.is(&["ParameterAlreadyExists"]) => false,
            Err(failure) => return Err(client.explain(*failure, &doing).await),
        }
    };
    if !made {
        client.call("PutParameter", &doing, request.overwrite(true).send()).await?;
    }
    let begun = run.clock().elapsed();
    loop {
        if run.until_cancelled(value(client, name)).await??.as_deref() == Some(id) {
            return Ok(());
        }
        if run.clock().elapsed().saturating_sub(begun) > JUDGED {
            return Err(Error::new(ErrorKind::Publish, format!("could not {doing}: its value has not changed after a minute"))
                .help("Systems Manager rejects an image that it can't find: the role needs ec2:DescribeImages. The reason is in EventBridge."));
        }
        run.sleep(PAUSE).await?;
    }
}
