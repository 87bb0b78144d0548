use std::collections::BTreeMap;
use std::sync::Arc;

use super::*;
use crate::plan::{
    DigestParts, Digester, ImageDefinition, ImageSettings, Inputs, MachineSettings, OnFailure, PartKind, Phase,
    ReadInputs, RunStep, SourceImage, Step, StepAction,
};
use crate::tags;

fn version(text: &str) -> Version {
    Version::parse(text).unwrap()
}

fn image(at: &str, digest: &str) -> ImageRecord {
    ImageRecord {
        id: format!("ami-{at}"),
        name: format!("shop/web/{at}"),
        region: None,
        account: None,
        namespace: "shop".to_owned(),
        key: ImageKey::new("web"),
        version: version(at),
        digest: Digest::from_text(digest),
        tested: Some("2026-11-01T00:00:00Z".parse().unwrap()),
        created: None,
        available: true,
        architecture: None,
        parts: Vec::new(),
        size: None,
        tags: std::collections::BTreeMap::new(),
    }
}

/// An image of one step, whose script is the content of the step.
struct Scripts(Vec<&'static str>);

impl ImageDefinition for Scripts {
    fn evaluate(&self, source: &SourceImage, version: &Version) -> Result<ImagePlan> {
        let step = |script: &&str| Step {
            name: format!("step {script}"),
            route: Route::root(),
            action: StepAction::Run(RunStep {
                script: (*script).to_owned(),
                shell: None,
                user: None,
                working_directory: None,
            }),
            env: Vec::new(),
            timeout: None,
            retries: 0,
            on_failure: OnFailure::Abort,
            cache_for: Some(Duration::from_hours(24)),
            inputs: Inputs::default(),
        };
        Ok(ImagePlan {
            key: ImageKey::new("web"),
            route: Route::root(),
            namespace: "shop".to_owned(),
            source: source.clone(),
            machine: MachineSettings::default(),
            build: self.0.iter().map(step).collect(),
            validate: Vec::new(),
            test: Vec::new(),
            settings: ImageSettings::default(),
            version: version.clone(),
            digest: Digest::from_text(""),
            parts: DigestParts::default(),
        })
    }

    fn read(&self, plan: &ImagePlan) -> Result<ReadInputs> {
        let mut digester = Digester::default();
        digester.begin(PartKind::Source, "");
        digester.part("source", &plan.source.identity);
        for (step, script) in plan.build.iter().zip(&self.0) {
            digester.begin(PartKind::Step(Phase::Build), step.name.as_str());
            digester.part("script", script);
        }
        let (digest, parts) = digester.finish_with_parts();
        Ok(ReadInputs { digest, parts, inputs: Inputs::default() })
    }
}

fn draft_of(source: &str, scripts: &[&'static str]) -> ResolvedDraft {
    let variant = Variant {
        key: ImageKey::new("web"),
        route: Route::root(),
        source: SourceQuery::Id(source.to_owned()),
        after: None,
        version: VersionRule::Auto,
    };
    let source = SourceImage { id: source.to_owned(), identity: source.to_owned(), ..SourceImage::default() };
    Draft::new(variant, Arc::new(Scripts(scripts.to_vec()))).resolve_blocking(&source).unwrap()
}

fn draft() -> ResolvedDraft {
    draft_of("ami-1", &["a"])
}

fn decided(
    requested: (&str, bool),
    published: &[ImageRecord],
    context: &VersionContext,
) -> Result<(Version, Decision)> {
    let digest = Digest::from_text("sha256:aa");
    let draft = draft();
    let cache = CacheLookup {
        digests: vec![digest],
        context,
        cache_for: None,
        now: "2026-11-20T00:00:00Z".parse().unwrap(),
        draft: &draft,
    };
    let requested = RequestedVersion { version: version(requested.0), automatic: requested.1 };
    decide_version(&requested, published, &cache, false, false, &ImageKey::new("web"))
}

#[test]
fn an_unchanged_image_keeps_its_version_under_auto() {
    let (at, decision) = decided(("1.0.2", true), &[image("1.0.1", "sha256:aa")], &VersionContext::Default).unwrap();
    assert_eq!(at, version("1.0.1"));
    assert!(matches!(decision, Decision::Reuse { .. }), "{decision:?}");
}

#[test]
fn a_said_version_of_unchanged_content_is_registered_again() {
    let (at, decision) = decided(("2.0.0", false), &[image("1.0.1", "sha256:aa")], &VersionContext::Default).unwrap();
    assert_eq!(at, version("2.0.0"));
    assert!(matches!(decision, Decision::Reregister { .. }), "{decision:?}");
}

#[test]
fn a_branch_image_becomes_the_next_final_version() {
    let branch = image("1.0.2-dev.7", "sha256:aa");
    let (at, decision) = decided(("1.0.2", true), &[branch], &VersionContext::Default).unwrap();
    assert_eq!(at, version("1.0.2"));
    assert!(matches!(decision, Decision::Reregister { .. }), "{decision:?}");
}

#[test]
fn a_version_with_other_content_is_refused() {
    let error = decided(("1.0.1", false), &[image("1.0.1", "sha256:bb")], &VersionContext::Default).unwrap_err();
    assert!(error.is_taken());
    assert_eq!(error.kind().exit_code(), 4);
}

#[test]
fn what_a_pull_request_baked_is_its_own() {
    let published = [image("1.0.2-pr.7.abcdef0", "sha256:aa")];
    let (_, decision) = decided(("1.0.2", true), &published, &VersionContext::Default).unwrap();
    assert!(matches!(decision, Decision::Bake { .. }), "{decision:?}");
    let pull = |number| VersionContext::PullRequest { number, sha: "1234567".to_owned() };
    let (_, decision) = decided(("1.0.2-pr.7.1234567", true), &published, &pull(7)).unwrap();
    assert!(matches!(decision, Decision::Reuse { .. }), "{decision:?}");
    let (_, decision) = decided(("1.0.2-pr.70.1234567", true), &published, &pull(70)).unwrap();
    assert!(matches!(decision, Decision::Bake { .. }), "{decision:?}");
}

#[test]
fn an_old_image_is_no_hit_once_cache_for_is_over() {
    let digest = Digest::from_text("sha256:aa");
    let context = VersionContext::Default;
    let draft = draft();
    let cache = CacheLookup {
        digests: vec![digest],
        context: &context,
        cache_for: Some(Duration::from_hours(7 * 24)),
        now: "2026-11-20T00:00:00Z".parse().unwrap(),
        draft: &draft,
    };
    assert!(!cache.is_hit(&image("1.0.0", "sha256:aa")));
    assert_eq!(cache.why(&[image("1.0.0", "sha256:aa")]), "cache expired (cache-for of step \"step a\")");
}

/// A published image: its version, the draft that it was baked from, and its own tags.
type Published<'a> = (&'a str, &'a ResolvedDraft, &'a [(&'a str, &'a str)]);

/// The reason to bake `draft` if these images are published.
fn reason(draft: &ResolvedDraft, published: &[Published<'_>]) -> String {
    let context = VersionContext::PullRequest { number: 7, sha: String::new() };
    let cache = CacheLookup {
        digests: vec![draft.digest().clone()],
        context: &context,
        cache_for: None,
        now: "2026-11-20T00:00:00Z".parse().unwrap(),
        draft,
    };
    let published: Vec<ImageRecord> = published
        .iter()
        .map(|(version, baked, own)| {
            let mut record = image(version, baked.digest().as_str());
            record.tags = BTreeMap::from([(tags::INPUTS.to_owned(), baked.parts().to_tag().unwrap())]);
            record.tags.extend(own.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())));
            record
        })
        .collect();
    cache.why(&published)
}

#[test]
fn the_reason_names_what_changed() {
    let before = draft_of("ami-1", &["a", "b"]);
    let since = |now: &ResolvedDraft, own| reason(now, &[("1.4.0", &before, own)]);
    let source: &[(&str, &str)] = &[(tags::SOURCE, "ami-1")];
    assert_eq!(since(&draft_of("ami-2", &["a", "b"]), source), "changed since 1.4.0: source ami-1 → ami-2");
    assert_eq!(since(&draft_of("ami-1", &["a", "c"]), &[]), "changed since 1.4.0: step \"step c\"");
    assert_eq!(since(&draft_of("ami-1", &["a", "b", "c"]), &[]), "changed since 1.4.0: step \"step c\" added");
    assert_eq!(since(&draft_of("ami-1", &[]), &[]), "changed since 1.4.0: a build step removed (2×)");
    let many = draft_of("ami-2", &["1", "2", "3", "4", "5", "6", "7"]);
    let said = since(&many, source);
    assert!(said.starts_with("changed since 1.4.0: source ami-1 → ami-2, step \"step 1\", "), "{said}");
    assert!(said.ends_with(" and 3 more"), "{said}");
}

#[test]
fn an_image_without_parts_gives_no_reason() {
    let (before, now) = (draft_of("ami-1", &["a"]), draft_of("ami-1", &["b"]));
    let said = |tag: &str| reason(&now, &[("1.4.0", &before, &[(tags::INPUTS, tag)])]);
    assert_eq!(said(""), "changed since 1.4.0: reason unknown (baked before ami-bake stored what an image is made of)");
    assert_eq!(said("9.zAAA"), "changed since 1.4.0: reason unknown (baked by another version of ami-bake)");
}

/// Another pull request's image is not what this one changed.
#[test]
fn the_reason_compares_with_an_image_that_could_have_been_used() {
    let (before, other, now) = (draft_of("ami-1", &["a"]), draft_of("ami-1", &["b"]), draft_of("ami-1", &["c"]));
    assert_eq!(reason(&now, &[("1.4.1-pr.8.abcdef0", &other, &[])]), "nothing is published yet");
    let published = [("1.4.0", &before, &[][..]), ("1.4.1-pr.8.abcdef0", &other, &[])];
    assert_eq!(reason(&now, &published), "changed since 1.4.0: step \"step c\"");
}

/// A version that somebody named never changes, whatever the reason to bake the image again; the error gives the
/// reason.
#[test]
fn a_said_version_is_not_baked_again_where_versions_stay() {
    let digest = Digest::from_text("sha256:aa");
    let context = VersionContext::Default;
    let cache_for = Some(Duration::from_hours(24));
    let draft = draft();
    let cache = CacheLookup {
        digests: vec![digest],
        context: &context,
        cache_for,
        now: "2026-11-20T00:00:00Z".parse().unwrap(),
        draft: &draft,
    };
    let requested = RequestedVersion { version: version("1.0.0"), automatic: false };
    let published = [image("1.0.0", "sha256:aa")];
    let decided_with =
        |force, replaces| decide_version(&requested, &published, &cache, force, replaces, &ImageKey::new("web"));
    let message = decided_with(false, false).unwrap_err().to_string();
    assert!(message.ends_with("and its cache expired (cache-for), so it would be baked again"), "{message}");
    assert!(decided_with(true, false).unwrap_err().to_string().ends_with("and --force would bake it again"));
    assert!(
        matches!(decided_with(false, true).unwrap().1, Decision::Bake { .. }),
        "where versions are replaced it is baked"
    );
}

#[test]
fn commits_are_valid_identifiers() {
    assert_eq!(commit_identifier("0123456789"), "g0123456");
    assert_eq!(commit_identifier("0a23456789"), "0a23456");
}
