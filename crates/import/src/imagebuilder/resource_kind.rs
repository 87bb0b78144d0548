//! Recognizes the kind of a resource.

use ami_bake_manifest::tree::Node;

/// A kind of Image Builder resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ResourceKind {
    Recipe,
    Infrastructure,
    Distribution,
    Pipeline,
    Component,
    Lifecycle,
    /// Container recipes and workflows, which are not supported.
    Other,
}

/// The keys that responses of the API are wrapped in.
pub(super) const WRAPS: [(&str, ResourceKind); 8] = [
    ("imageRecipe", ResourceKind::Recipe),
    ("infrastructureConfiguration", ResourceKind::Infrastructure),
    ("distributionConfiguration", ResourceKind::Distribution),
    ("imagePipeline", ResourceKind::Pipeline),
    ("component", ResourceKind::Component),
    ("lifecyclePolicy", ResourceKind::Lifecycle),
    ("containerRecipe", ResourceKind::Other),
    ("workflow", ResourceKind::Other),
];

/// The kind of a document, by the fields that only that kind has.
pub(crate) fn kind(root: &Node) -> Option<ResourceKind> {
    let has = |key: &str| root.get(key).is_some();
    if let Some((_, kind)) = WRAPS.iter().find(|(key, _)| root.get(key).is_some_and(|node| !node.entries().is_empty()))
    {
        return Some(*kind);
    }
    let document = has("uri") || has("data");
    if has("containerType") || has("dockerfileTemplateData") || has("dockerfileTemplateUri") {
        Some(ResourceKind::Other)
    } else if has("policyDetails") {
        Some(ResourceKind::Lifecycle)
    } else if has("semanticVersion") && document && !has("platform") {
        // A workflow; components have a platform.
        Some(ResourceKind::Other)
    } else if has("parentImage") || (has("components") && has("semanticVersion")) {
        Some(ResourceKind::Recipe)
    } else if has("distributions") {
        Some(ResourceKind::Distribution)
    } else if has("imageRecipeArn") || has("infrastructureConfigurationArn") {
        Some(ResourceKind::Pipeline)
    } else if has("instanceProfileName") || has("terminateInstanceOnFailure") || has("instanceTypes") {
        Some(ResourceKind::Infrastructure)
    } else if has("semanticVersion") && has("platform") {
        Some(ResourceKind::Component)
    } else {
        None
    }
}

/// The kind for a CloudFormation type.
pub(super) fn of_type(name: &str) -> Option<ResourceKind> {
    Some(match name {
        "AWS::ImageBuilder::ImageRecipe" => ResourceKind::Recipe,
        "AWS::ImageBuilder::InfrastructureConfiguration" => ResourceKind::Infrastructure,
        "AWS::ImageBuilder::DistributionConfiguration" => ResourceKind::Distribution,
        "AWS::ImageBuilder::ImagePipeline" | "AWS::ImageBuilder::Image" => ResourceKind::Pipeline,
        "AWS::ImageBuilder::Component" => ResourceKind::Component,
        "AWS::ImageBuilder::LifecyclePolicy" => ResourceKind::Lifecycle,
        "AWS::ImageBuilder::ContainerRecipe" | "AWS::ImageBuilder::Workflow" => ResourceKind::Other,
        _ => return None,
    })
}
