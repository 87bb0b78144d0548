//! Which resource a document is.

use crate::json::Node;

/// A kind of resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Recipe,
    Infrastructure,
    Distribution,
    Pipeline,
    Component,
    Lifecycle,
    /// What has no counterpart: container recipes and workflows.
    Other,
}

/// What AWS's API wraps an answer in.
pub(super) const WRAPS: [(&str, Kind); 8] = [
    ("imageRecipe", Kind::Recipe),
    ("infrastructureConfiguration", Kind::Infrastructure),
    ("distributionConfiguration", Kind::Distribution),
    ("imagePipeline", Kind::Pipeline),
    ("component", Kind::Component),
    ("lifecyclePolicy", Kind::Lifecycle),
    ("containerRecipe", Kind::Other),
    ("workflow", Kind::Other),
];

/// The kind of a document, by the fields that only that kind has.
pub(crate) fn kind(root: &Node) -> Option<Kind> {
    let has = |key: &str| root.get(key).is_some();
    if let Some((_, kind)) = WRAPS.iter().find(|(key, _)| root.get(key).is_some_and(|node| !node.members().is_empty()))
    {
        return Some(*kind);
    }
    let document = has("uri") || has("data");
    if has("containerType") || has("dockerfileTemplateData") || has("dockerfileTemplateUri") {
        Some(Kind::Other)
    } else if has("policyDetails") {
        Some(Kind::Lifecycle)
    } else if has("semanticVersion") && document && !has("platform") {
        // A workflow: components say their platform.
        Some(Kind::Other)
    } else if has("parentImage") || (has("components") && has("semanticVersion")) {
        Some(Kind::Recipe)
    } else if has("distributions") {
        Some(Kind::Distribution)
    } else if has("imageRecipeArn") || has("infrastructureConfigurationArn") {
        Some(Kind::Pipeline)
    } else if has("instanceProfileName") || has("terminateInstanceOnFailure") || has("instanceTypes") {
        Some(Kind::Infrastructure)
    } else if has("semanticVersion") && has("platform") {
        Some(Kind::Component)
    } else {
        None
    }
}

/// The kind of a CloudFormation type.
pub(super) fn of_type(name: &str) -> Option<Kind> {
    Some(match name {
        "AWS::ImageBuilder::ImageRecipe" => Kind::Recipe,
        "AWS::ImageBuilder::InfrastructureConfiguration" => Kind::Infrastructure,
        "AWS::ImageBuilder::DistributionConfiguration" => Kind::Distribution,
        "AWS::ImageBuilder::ImagePipeline" | "AWS::ImageBuilder::Image" => Kind::Pipeline,
        "AWS::ImageBuilder::Component" => Kind::Component,
        "AWS::ImageBuilder::LifecyclePolicy" => Kind::Lifecycle,
        "AWS::ImageBuilder::ContainerRecipe" | "AWS::ImageBuilder::Workflow" => Kind::Other,
        _ => return None,
    })
}
