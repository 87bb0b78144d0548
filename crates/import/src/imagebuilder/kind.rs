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
}

/// What AWS's API wraps an answer in.
pub(super) const WRAPS: [(&str, Kind); 5] = [
    ("imageRecipe", Kind::Recipe),
    ("infrastructureConfiguration", Kind::Infrastructure),
    ("distributionConfiguration", Kind::Distribution),
    ("imagePipeline", Kind::Pipeline),
    ("component", Kind::Component),
];

/// The kind of a document, by the fields that only that kind has.
pub(crate) fn kind(root: &Node) -> Option<Kind> {
    let has = |key: &str| root.get(key).is_some();
    if let Some((_, kind)) = WRAPS.iter().find(|(key, _)| root.get(key).is_some_and(|node| !node.members().is_empty()))
    {
        return Some(*kind);
    }
    if has("parentImage") || (has("components") && has("semanticVersion")) {
        Some(Kind::Recipe)
    } else if has("distributions") {
        Some(Kind::Distribution)
    } else if has("imageRecipeArn") || has("infrastructureConfigurationArn") {
        Some(Kind::Pipeline)
    } else if has("instanceProfileName") || has("terminateInstanceOnFailure") || has("instanceTypes") {
        Some(Kind::Infrastructure)
    } else if has("semanticVersion") && (has("uri") || has("data") || has("platform")) {
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
        _ => return None,
    })
}
