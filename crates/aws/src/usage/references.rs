//! References to images that EC2 itself tracks: instances, launch templates, parameters, Image Builder recipes.

use ami_bake_core::Result;
use aws_sdk_ec2::types::{
    ImageReference, ImageReferenceOptionName, ImageReferenceResourceType, ResourceTypeOption, ResourceTypeRequest,
};
use futures::future::try_join_all;

use super::users::Users;
use crate::client::{Client, pages};

/// Maximum number of images per call (EC2 API, DescribeImageReferences, `ImageId.N`).
const BATCH: usize = 10;
/// Number of newest versions of each launch template to search: all. EC2's default is 10.
const ALL_VERSIONS: &str = "10000";
/// States of an instance that still uses its image. A terminated one is listed for an hour.
const ALIVE: [&str; 5] = ["pending", "running", "shutting-down", "stopping", "stopped"];

/// The references to each of these images.
pub(super) async fn references(client: &Client, images: &[String]) -> Result<Users> {
    let found = try_join_all(images.chunks(BATCH).map(|batch| ask(client, batch))).await?;
    let mut users = Users::new();
    for one in found.into_iter().flatten() {
        if let Some(image) = one.image_id() {
            users.entry(image.to_owned()).or_default().insert(in_words(&one));
        }
    }
    Ok(users)
}

async fn ask(client: &Client, images: &[String]) -> Result<Vec<ImageReference>> {
    let doing = format!("find out who uses the images {}", images.join(", "));
    let doing = doing.as_str();
    pages(|page| async move {
        let request = client
            .ec2
            .describe_image_references()
            .set_image_ids(Some(images.to_vec()))
            .include_all_resource_types(true)
            .resource_types(option(
                ImageReferenceResourceType::Ec2Instance,
                ImageReferenceOptionName::StateName,
                &ALIVE,
            ))
            .resource_types(option(
                ImageReferenceResourceType::Ec2LaunchTemplate,
                ImageReferenceOptionName::VersionDepth,
                &[ALL_VERSIONS],
            ))
            .set_next_token(page);
        let answer = client.call("DescribeImageReferences", doing, request.send()).await?;
        Ok((answer.image_references.unwrap_or_default(), answer.next_token))
    })
    .await
}

fn option(kind: ImageReferenceResourceType, name: ImageReferenceOptionName, values: &[&str]) -> ResourceTypeRequest {
    let option = ResourceTypeOption::builder()
        .option_name(name)
        .set_option_values(Some(values.iter().map(ToString::to_string).collect()));
    ResourceTypeRequest::builder().resource_type(kind).resource_type_options(option.build()).build()
}

/// A reference for messages: "instance i-0123", from the kind and the last part of the ARN.
fn in_words(reference: &ImageReference) -> String {
    let resource = reference.arn().unwrap_or_default().splitn(6, ':').nth(5).unwrap_or_default();
    let (kind, rest) = resource.split_once('/').unwrap_or(("", resource));
    match reference.resource_type() {
        // The name of a parameter with a path begins with the slash after the kind.
        Some(ImageReferenceResourceType::SsmParameter) if rest.contains('/') => format!("parameter /{rest}"),
        Some(ImageReferenceResourceType::SsmParameter) => format!("parameter {rest}"),
        Some(ImageReferenceResourceType::Ec2LaunchTemplate) => format!("launch template {rest}"),
        Some(ImageReferenceResourceType::Ec2Instance) => format!("instance {rest}"),
        _ if kind.is_empty() => "something".to_owned(),
        _ => format!("{} {rest}", kind.replace('-', " ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_named() {
        let named =
            |kind: &str, arn: &str| in_words(&ImageReference::builder().resource_type(kind.into()).arn(arn).build());
        assert_eq!(named("ec2:Instance", "arn:aws:ec2:us-east-1:1:instance/i-1"), "instance i-1");
        assert_eq!(named("ec2:LaunchTemplate", "arn:aws:ec2:us-east-1:1:launch-template/lt-1"), "launch template lt-1");
        assert_eq!(named("ssm:Parameter", "arn:aws:ssm:us-east-1:1:parameter/images/web"), "parameter /images/web");
        assert_eq!(named("ssm:Parameter", "arn:aws:ssm:us-east-1:1:parameter/web"), "parameter web");
        assert_eq!(
            named("imagebuilder:ImageRecipe", "arn:aws:imagebuilder:us-east-1:1:image-recipe/web/1.0.0"),
            "image recipe web/1.0.0"
        );
    }
}
