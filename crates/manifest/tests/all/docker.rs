//! Fields of the Docker platform.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use ami_bake_core::plan::{
    CaptureMode, ContainerPublish, ImageKey, ImagePlan, SecretPart, SourceImage, SourceQuery, Value,
};
use ami_bake_core::platform::Capabilities;
use ami_bake_manifest::diagnostic::{Style, text};
use ami_bake_manifest::{Loaded, Manifest, Options};
use semver::Version;

use crate::fixture::planned;

const fn platform(name: &'static str, publish: &'static [&'static str]) -> Capabilities {
    Capabilities {
        platform: name,
        source: name,
        machine: &["network"],
        publish,
        captures: &[CaptureMode::Halted],
        init: false,
        deploy: false,
        replaces_versions: true,
        services: false,
    }
}

const MANIFEST: &str = "format: 1
name: shop
platform: docker
secrets: [TOKEN]
images:
  web:
    source: {docker: \"ubuntu:24.04\", local: host}
    build: [{run: a}]
    publish:
      docker:
        repository: registry.example.com/shop/web
        tags: [\"${{ version }}\", latest]
        login: {username: ada, password: \"${{ secrets.TOKEN }}\"}
        changes: {env: {A: b}, entrypoint: [/run], expose: [\"80\"], labels: {x: y}}
";

fn load(manifest: &str) -> (Loaded, String) {
    let capabilities = vec![platform("docker", &["docker", "tags"]), platform("local", &["tags"])];
    let options = Options { capabilities, ..Options::default() };
    let loaded = Manifest::load_text("bake.yml", manifest, PathBuf::new(), &options);
    let shown = text(&loaded.findings, &loaded.sources, Style::Plain);
    (loaded, shown)
}

fn plan(manifest: &str, version: &str) -> ImagePlan {
    let (loaded, shown) = load(manifest);
    let recipe = Arc::new(loaded.manifest.unwrap_or_else(|| panic!("{shown}")));
    let source = SourceImage {
        id: "sha256:1".to_owned(),
        name: "ubuntu:24.04".to_owned(),
        owner: "docker.io".to_owned(),
        created: None,
        tags: BTreeMap::new(),
        architecture: None,
        identity: "sha256:1".to_owned(),
        version: None,
    };
    let version = Version::parse(version).unwrap();
    planned(&recipe, &ImageKey::new("web"), &source, &version).unwrap()
}

fn container(plan: &ImagePlan) -> &ContainerPublish {
    plan.settings.container.as_ref().unwrap()
}

#[test]
fn a_plan_holds_where_the_image_goes_and_no_secret() {
    let (loaded, shown) = load(MANIFEST);
    assert!(loaded.findings.is_empty(), "{shown}");
    let variants = loaded.manifest.unwrap().variants();
    assert_eq!(variants[0].source, SourceQuery::Reference("ubuntu:24.04".to_owned()));

    let plan = plan(MANIFEST, "1.2.3");
    let docker = container(&plan);
    assert_eq!(
        (docker.tags.as_slice(), docker.push, docker.published),
        (["1.2.3", "latest"].map(str::to_owned).as_slice(), true, true)
    );
    let login = docker.login.as_ref().unwrap();
    assert_eq!(login.username, Value::Plain("ada".to_owned()));
    assert_eq!(login.password, Value::Secret(vec![SecretPart::Name("TOKEN".to_owned())]));
    assert_eq!(docker.changes.env, [("A".to_owned(), "b".to_owned())]);
    assert_eq!(
        (docker.changes.entrypoint.as_slice(), docker.changes.expose.as_slice()),
        (["/run".to_owned()].as_slice(), ["80".to_owned()].as_slice())
    );
}

/// Images of pull requests and branches are not published unless the manifest says so.
#[test]
fn a_prerelease_is_not_published() {
    let plan = plan(MANIFEST, "1.2.3-pr.7.abc");
    assert!(!container(&plan).published);
}

/// Changes of the image are in the digest; settings that only affect publishing are not.
#[test]
fn the_digest_knows_changes_and_not_tags() {
    let digest = |manifest: &str| plan(manifest, "1.2.3").digest;
    assert_eq!(digest(MANIFEST), digest(&MANIFEST.replace("latest", "stable")));
    assert_eq!(digest(MANIFEST), digest(&MANIFEST.replace("ada", "eve")));
    assert_ne!(digest(MANIFEST), digest(&MANIFEST.replace("A: b", "A: c")));
}

/// Like an entry of `source`, the entry for Docker is ignored on other platforms.
#[test]
fn elsewhere_the_entry_is_not_read() {
    let plan = plan(&MANIFEST.replace("platform: docker", "platform: local"), "1.2.3");
    assert_eq!(plan.settings.container, None);
}

#[test]
fn what_is_no_reference_repository_or_tag_is_refused_with_its_line() {
    for (from, to, said) in [
        ("ubuntu:24.04", "Ubuntu 24", "bake.yml:7:22"),
        ("registry.example.com/shop/web", "registry.example.com/Shop", "bake.yml:11:21"),
        ("latest", "a b", "bake.yml:12:34"),
    ] {
        let (loaded, shown) = load(&MANIFEST.replace(from, to));
        assert!(loaded.manifest.is_none() && shown.contains(said), "{to}: {shown}");
    }
}
