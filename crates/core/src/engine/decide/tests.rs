use super::*;

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
        tags: std::collections::BTreeMap::new(),
    }
}

fn decided(
    requested: (&str, bool),
    published: &[ImageRecord],
    context: &VersionContext,
) -> Result<(Version, Decision)> {
    let digest = Digest::from_text("sha256:aa");
    let cache =
        CacheLookup { digests: vec![digest], context, cache_for: None, now: "2026-11-20T00:00:00Z".parse().unwrap() };
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
    let cache = CacheLookup {
        digests: vec![digest],
        context: &context,
        cache_for: Some(Duration::from_hours(7 * 24)),
        now: "2026-11-20T00:00:00Z".parse().unwrap(),
    };
    assert!(!cache.is_hit(&image("1.0.0", "sha256:aa")));
    assert_eq!(why(&[image("1.0.0", "sha256:aa")], &cache), "cache expired (cache-for)");
}

/// A version that somebody named never changes, whatever the reason to bake the image again; the error gives the
/// reason.
#[test]
fn a_said_version_is_not_baked_again_where_versions_stay() {
    let digest = Digest::from_text("sha256:aa");
    let context = VersionContext::Default;
    let cache_for = Some(Duration::from_hours(24));
    let cache = CacheLookup {
        digests: vec![digest],
        context: &context,
        cache_for,
        now: "2026-11-20T00:00:00Z".parse().unwrap(),
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
