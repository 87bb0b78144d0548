//! Whether an image is baked, reused, or only registered again, and under which version.

use std::time::Duration;

use jiff::Timestamp;
use semver::Version;

use crate::engine::deploy;
use crate::engine::options::{BakeContext, Options, VersionContext};
use crate::engine::published::Published;
use crate::error::{Error, Result};
use crate::event::Decision;
use crate::image::ImageRecord;
use crate::plan::{Digest, Draft, ImageKey, ImagePlan, ResolvedDraft, SourceQuery, Variant, VersionRule};
use crate::run::Run;
use crate::version::{next, prerelease};

/// An image with everything decided.
#[derive(Clone)]
pub(super) struct Decided {
    /// The draft with its source, for the plan of another version.
    pub draft: ResolvedDraft,
    pub plan: ImagePlan,
    pub decision: Decision,
    /// True when a rule made the version: when another bake takes it, the next one is used.
    pub automatic: bool,
}

/// Finds source and published images at once, then decides. `base` is the image of this manifest that it is built on.
pub(super) async fn decide(
    run: &Run,
    context: &BakeContext,
    options: &Options,
    draft: &Draft,
    base: Option<&ImageRecord>,
    published: &Published,
) -> Result<Decided> {
    let variant = &draft.variant;
    let (source, published) = futures::future::try_join(
        async {
            match base {
                Some(record) => Ok(record.as_source()),
                None => context.platform.find_source(run, &external(&variant.source)).await,
            }
        },
        published.of(run, context, &variant.key),
    )
    .await
    .map_err(|error| if error.route().is_none() { error.at(variant.route.key("source")) } else { error })?;

    let draft = draft.resolve(source).await?;
    let requested = requested_version(run, options, variant, &published)?;
    let cache = CacheLookup {
        digest: draft.digest(),
        context: &options.context,
        cache_for: draft.cache_for(),
        now: run.clock().now(),
    };
    let replaces = context.platform.capabilities().replaces_versions;
    let (version, decision) = decide_version(&requested, &published, &cache, options.force, replaces, &variant.key)?;
    let plan = draft.at(&version)?;
    if plan.settings.goes_further() {
        context.platform.preflight_publish(run, &plan).await?;
    }
    if !options.until_validate {
        deploy::preflight(run, context, &plan).await?;
    }
    Ok(Decided { draft, plan, decision, automatic: requested.automatic })
}

/// A sibling that wasn't baked in this run (`--image web` alone) is looked for among the published ones.
fn external(query: &SourceQuery) -> SourceQuery {
    match query {
        SourceQuery::Baked(baked) => SourceQuery::Baked(crate::plan::BakedQuery { sibling: false, ..baked.clone() }),
        other => other.clone(),
    }
}

/// The version that the manifest, the flags or the kind of run ask for.
#[derive(Debug)]
struct RequestedVersion {
    version: Version,
    /// True when a rule made it and nobody named it: an unchanged image keeps the version that it has.
    automatic: bool,
}

/// The version of an image that waits for its base: it does not depend on what that becomes.
pub(super) async fn version_of(
    run: &Run,
    context: &BakeContext,
    options: &Options,
    variant: &Variant,
    published: &Published,
) -> Result<Version> {
    Ok(requested_version(run, options, variant, &published.of(run, context, &variant.key).await?)?.version)
}

fn requested_version(
    run: &Run,
    options: &Options,
    variant: &Variant,
    published: &[ImageRecord],
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
        VersionContext::Tag(version) => return Ok(exactly(version)),
        VersionContext::PullRequest { number, sha } => format!("pr.{number}.{}", commit_identifier(sha)),
        VersionContext::Branch { run } => format!("dev.{run}"),
        VersionContext::Default => match &variant.version {
            VersionRule::Fixed(version) => return Ok(exactly(version)),
            VersionRule::Auto => return Ok(RequestedVersion { version: base, automatic: true }),
            VersionRule::Release => format!("dev.{}", run.clock().now().as_second()),
        },
    };
    Ok(RequestedVersion { version: prerelease(&base, &identifiers)?, automatic: true })
}

/// Seven digits of a commit. Digits alone with a leading zero are no semantic version identifier, so they get git's `g`.
fn commit_identifier(sha: &str) -> String {
    let short = sha.get(..7).unwrap_or(sha);
    if short.starts_with('0') && short.bytes().all(|byte| byte.is_ascii_digit()) {
        format!("g{short}")
    } else {
        short.to_owned()
    }
}

/// Which published images can be reused: those of the same digest that are tested, available and not expired.
struct CacheLookup<'a> {
    digest: &'a Digest,
    context: &'a VersionContext,
    cache_for: Option<Duration>,
    now: Timestamp,
}

impl CacheLookup<'_> {
    fn is_hit(&self, image: &ImageRecord) -> bool {
        let Some(tested) = image.tested else { return false };
        image.available && image.digest == *self.digest && self.is_fresh(tested) && self.is_ours(&image.version)
    }

    fn is_fresh(&self, tested: Timestamp) -> bool {
        let age = self.now.duration_since(tested);
        self.cache_for.is_none_or(|limit| Duration::try_from(age).unwrap_or_default() < limit)
    }

    /// What a pull request baked is a hit for that pull request alone: nothing unmerged reaches anybody else.
    fn is_ours(&self, version: &Version) -> bool {
        let Some(rest) = version.pre.strip_prefix("pr.") else { return true };
        matches!(self.context, VersionContext::PullRequest { number, .. }
            if rest.split('.').next() == Some(number.to_string().as_str()))
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
            return Err(taken_by(key, taken, cache.digest, force));
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
    Ok((requested.version.clone(), Decision::Bake { reason: why(published, cache) }))
}

fn taken_by(key: &ImageKey, taken: &ImageRecord, digest: &Digest, force: bool) -> Error {
    let why = match (taken.digest == *digest, force) {
        (false, _) => format!("with different content (digest {})", taken.digest.short()),
        (true, true) => "and --force would bake it again".to_owned(),
        (true, false) => "and its cache expired (cache-for), so it would be baked again".to_owned(),
    };
    Error::taken(format!("version {} of {key} already exists as {}, {why}", taken.version, taken.id))
        .help("A published version never changes. Raise the version, use `version: auto`, or delete the image.")
}

fn why(published: &[ImageRecord], cache: &CacheLookup<'_>) -> String {
    let tested: Vec<&ImageRecord> = published.iter().filter(|image| image.tested.is_some()).collect();
    let Some(latest) = tested.iter().max_by_key(|image| image.tested) else {
        return "nothing is published yet".to_owned();
    };
    if tested.iter().any(|image| image.digest == *cache.digest && image.tested.is_some_and(|at| !cache.is_fresh(at))) {
        return "cache expired (cache-for)".to_owned();
    }
    format!("the digest changed since {} ({})", latest.version, latest.digest.short())
}

#[cfg(test)]
mod tests;
