//! Decides whether an image is baked, reused or only registered again, and under which version.

use std::time::Duration;

use jiff::Timestamp;
use semver::Version;

use crate::engine::deploy;
use crate::engine::options::{BakeContext, Options, TaggedVersion, VersionContext};
use crate::engine::published::Published;
use crate::engine::reason::changes;
use crate::error::{Error, Result};
use crate::event::Decision;
use crate::image::ImageRecord;
use crate::plan::{Digest, Draft, ImageKey, ImagePlan, ResolvedDraft, SourceQuery, Variant, VersionRule};
use crate::route::Route;
use crate::run::Run;
use crate::version::{next, prerelease};

/// Number of other versions of a base that are considered: each costs a digest of the image built on it.
const SAME_BASES: usize = 8;

/// The image of this run that another image is built on.
#[derive(Debug, Clone)]
pub(super) struct Base {
    pub image: ImageRecord,
    /// Other versions with the same content: an image built on any of them has the same content as one built on this.
    pub same: Vec<ImageRecord>,
}

/// An image with its decision, source and plan.
#[derive(Clone)]
pub(super) struct Decided {
    /// The draft with its source, from which the plan of another version can be made.
    pub draft: ResolvedDraft,
    pub plan: ImagePlan,
    pub decision: Decision,
    /// True when the version was chosen by a rule: if another bake takes it first, the next one is used.
    pub automatic: bool,
    /// Published images with the same content, highest version first.
    pub same: Vec<ImageRecord>,
}

/// Finds the source and the published images concurrently, then decides. `base` is the image of the same manifest that
/// this image is built on.
pub(super) async fn decide(
    run: &Run,
    context: &BakeContext,
    options: &Options,
    draft: &Draft,
    base: Option<&Base>,
    published: &Published,
) -> Result<Decided> {
    let variant = &draft.variant;
    let (source, published) = futures::future::try_join(
        async {
            match base {
                Some(base) => Ok(base.image.as_source()),
                None => context.platform.find_source(run, &external(&variant.source)).await,
            }
        },
        published.of(run, context, &variant.key),
    )
    .await
    .map_err(|error| if error.route().is_none() { error.at(variant.route.key("source")) } else { error })?;

    let definition = draft;
    let draft = definition.resolve(source).await?;
    let requested = requested_version(options, variant, &published, run.clock().now())?;
    let mut cache = CacheLookup {
        digests: vec![draft.digest().clone()],
        context: &options.context,
        cache_for: draft.cache_for(),
        now: run.clock().now(),
        draft: &draft,
    };
    // The digest includes the ID of the base. A base that was only registered again has a new ID.
    for same in base.iter().flat_map(|base| &base.same) {
        if options.force || published.iter().any(|image| cache.is_hit(image)) {
            break;
        }
        cache.digests.push(definition.resolve(same.as_source()).await?.digest().clone());
    }
    let replaces = context.platform.capabilities().replaces_versions;
    let (version, decision) = decide_version(&requested, &published, &cache, options.force, replaces, &variant.key)?;
    let plan = draft.at(&version)?;
    let machine = async {
        match decision {
            Decision::Bake { .. } => context.platform.preflight_machine(run, &plan).await,
            _ => Ok(()),
        }
    };
    let publication = async {
        if plan.settings.goes_further() { context.platform.preflight_publish(run, &plan).await } else { Ok(()) }
    };
    // Both to their end: what is wrong with the machine is said first, whichever answer comes first.
    let (machine, publication) = futures::future::join(machine, publication).await;
    machine.and(publication)?;
    if !options.until_validate {
        deploy::preflight(run, context, &plan).await?;
    }
    let mut same: Vec<ImageRecord> = published.into_iter().filter(|image| cache.is_hit(image)).collect();
    same.sort_by(|a, b| b.version.cmp(&a.version));
    same.truncate(SAME_BASES);
    Ok(Decided { draft, plan, decision, automatic: requested.automatic, same })
}

/// The query for a sibling that is not baked in this run (with `--image web` alone): it searches the published images.
fn external(query: &SourceQuery) -> SourceQuery {
    match query {
        SourceQuery::Baked(baked) => SourceQuery::Baked(crate::plan::BakedQuery { sibling: false, ..baked.clone() }),
        other => other.clone(),
    }
}

/// The version according to the manifest, the flags and the kind of run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestedVersion {
    /// The version.
    pub version: Version,
    /// True when a rule chose the version and nobody named it: an unchanged image keeps its version.
    pub automatic: bool,
}

/// The version of an image that waits for its base; it does not depend on the base's result.
pub(super) async fn version_of(
    run: &Run,
    context: &BakeContext,
    options: &Options,
    variant: &Variant,
    published: &Published,
) -> Result<Version> {
    let published = published.of(run, context, &variant.key).await?;
    Ok(requested_version(options, variant, &published, run.clock().now())?.version)
}

/// The version of an image for these flags and this event; `published` are the images published under its name.
///
/// # Errors
/// When the event's tag is not a version although one is required.
pub fn requested_version(
    options: &Options,
    variant: &Variant,
    published: &[ImageRecord],
    now: Timestamp,
) -> Result<RequestedVersion> {
    let exactly = |version: &Version| RequestedVersion { version: version.clone(), automatic: false };
    let following =
        || next(published.iter().filter(|image| image.tested.is_some()).map(|image| &image.version), options.bump);
    let said = options.image_versions.get(&variant.key.to_string()).or(options.image_version.as_ref());
    if let Some(version) = said {
        return Ok(exactly(version));
    }
    let base = match &variant.version {
        VersionRule::Fixed(version) => version.clone(),
        VersionRule::Auto | VersionRule::Release => following(),
    };
    let identifiers = match &options.context {
        VersionContext::Tag(tag) if tag.is_for(&variant.key) => {
            is_not_floating(tag, published, &variant.key)?;
            return Ok(exactly(&tag.version));
        }
        VersionContext::OtherTag { tag, .. } if variant.version == VersionRule::Release => {
            return Err(Error::preflight(format!("tag {tag} is not a version, and `version: release` needs one"))
                .help("Use a tag such as v1.4.0, or NAME-v1.4.0 with the name of the manifest or of an image.")
                .at(Route::root().key("version")));
        }
        VersionContext::Tag(TaggedVersion { run, .. })
        | VersionContext::OtherTag { run, .. }
        | VersionContext::Branch { run } => format!("dev.{run}"),
        VersionContext::PullRequest { number, sha } => format!("pr.{number}.{}", commit_identifier(sha)),
        VersionContext::Default => match &variant.version {
            VersionRule::Fixed(version) => return Ok(exactly(version)),
            VersionRule::Auto => return Ok(RequestedVersion { version: base, automatic: true }),
            VersionRule::Release => format!("dev.{}", now.as_second()),
        },
    };
    Ok(RequestedVersion { version: prerelease(&base, &identifiers)?, automatic: true })
}

/// Refuses a tag without a patch number, such as `v1.4`, if another version with these numbers exists: such tags are
/// commonly moved along with patch releases. Otherwise `v1.4` means `1.4.0`.
fn is_not_floating(tag: &TaggedVersion, published: &[ImageRecord], key: &ImageKey) -> Result<()> {
    let Some(name) = &tag.short else { return Ok(()) };
    let numbers = |version: &Version| (version.major, version.minor);
    let same = published.iter().filter(|image| image.tested.is_some() && image.version.pre.is_empty());
    let other = same
        .map(|image| &image.version)
        .find(|version| numbers(version) == numbers(&tag.version) && **version != tag.version);
    match other {
        None => Ok(()),
        Some(other) => Err(Error::preflight(format!(
            "tag {name} could mean version {} of {key}, but {other} exists already",
            tag.version
        ))
        .help("Use a tag with all three numbers, such as v1.4.2.")),
    }
}

/// The first seven digits of a commit. Digits alone with a leading zero are not a valid identifier of a semantic
/// version, so they get git's `g` prefix.
fn commit_identifier(sha: &str) -> String {
    let short = sha.get(..7).unwrap_or(sha);
    if short.starts_with('0') && short.bytes().all(|byte| byte.is_ascii_digit()) {
        format!("g{short}")
    } else {
        short.to_owned()
    }
}

/// Decides which published images can be reused: those of the same digest that are tested, available and not expired.
struct CacheLookup<'a> {
    /// The image's own digest first, then its digests on other versions of its base with the same content.
    digests: Vec<Digest>,
    context: &'a VersionContext,
    cache_for: Option<Duration>,
    now: Timestamp,
    /// What the image would be made of.
    draft: &'a ResolvedDraft,
}

impl CacheLookup<'_> {
    fn has_digest(&self, image: &ImageRecord) -> bool {
        self.digests.contains(&image.digest)
    }

    fn is_hit(&self, image: &ImageRecord) -> bool {
        let Some(tested) = image.tested else { return false };
        image.available && self.has_digest(image) && self.is_fresh(tested) && self.is_ours(&image.version)
    }

    fn is_fresh(&self, tested: Timestamp) -> bool {
        let age = self.now.duration_since(tested);
        self.cache_for.is_none_or(|limit| Duration::try_from(age).unwrap_or_default() < limit)
    }

    /// Images of a pull request are reused by that pull request alone: nothing unmerged reaches other runs.
    fn is_ours(&self, version: &Version) -> bool {
        let Some(rest) = version.pre.strip_prefix("pr.") else { return true };
        matches!(self.context, VersionContext::PullRequest { number, .. }
            if rest.split('.').next() == Some(number.to_string().as_str()))
    }

    /// Why there is no hit: compared with the image that was tested last, of those that could have been one.
    fn why(&self, published: &[ImageRecord]) -> String {
        let tested = || published.iter().filter(|image| image.tested.is_some() && self.is_ours(&image.version));
        let Some(latest) = tested().max_by_key(|image| image.tested) else {
            return "nothing is published yet".to_owned();
        };
        if tested().any(|image| self.has_digest(image) && image.tested.is_some_and(|at| !self.is_fresh(at))) {
            return match self.draft.step_with_shortest_cache() {
                Some(step) => format!("cache expired (cache-for of step {:?})", step.name),
                None => "cache expired (cache-for)".to_owned(),
            };
        }
        if let Some(image) = tested().find(|image| self.has_digest(image)) {
            return format!("{} ({}) is not available", image.version, image.id);
        }
        changes(latest, self.draft)
    }
}

fn decide_version(
    requested: &RequestedVersion,
    published: &[ImageRecord],
    cache: &CacheLookup<'_>,
    force: bool,
    replaces: bool,
    key: &ImageKey,
) -> Result<(Version, Decision)> {
    // Final versions before pre-releases of the same content, then the highest.
    let hit = published.iter().filter(|image| cache.is_hit(image)).max_by_key(|image| &image.version);
    let same_version = published.iter().find(|image| image.version == requested.version && image.tested.is_some());

    if let (Some(taken), false) = (same_version, requested.automatic) {
        if cache.is_hit(taken) && !force {
            return Ok((requested.version.clone(), Decision::Reuse { image: taken.clone() }));
        }
        if !replaces {
            return Err(taken_by(key, taken, cache, force));
        }
    }
    if force {
        return Ok((requested.version.clone(), Decision::Bake { reason: "forced (--force)".to_owned() }));
    }
    if let Some(hit) = hit {
        let keeps_version = requested.automatic && (hit.version.pre.is_empty() || !requested.version.pre.is_empty());
        return Ok(if keeps_version {
            (hit.version.clone(), Decision::Reuse { image: hit.clone() })
        } else {
            (requested.version.clone(), Decision::Reregister { image: hit.clone() })
        });
    }
    Ok((requested.version.clone(), Decision::Bake { reason: cache.why(published) }))
}

fn taken_by(key: &ImageKey, taken: &ImageRecord, cache: &CacheLookup<'_>, force: bool) -> Error {
    let why = match (cache.has_digest(taken), force) {
        (false, _) => {
            format!("with different content (digest {}; {})", taken.digest.short(), changes(taken, cache.draft))
        }
        (true, true) => "and --force would bake it again".to_owned(),
        (true, false) => "and its cache expired (cache-for), so it would be baked again".to_owned(),
    };
    Error::taken(format!("version {} of {key} already exists as {}, {why}", taken.version, taken.id))
        .help("A published version never changes. Raise the version, use `version: auto`, or delete the image.")
}

#[cfg(test)]
mod tests;
