//! Settings that apply to all steps of an image, and refused arguments of playbooks.

use std::path::PathBuf;
use std::sync::Arc;

use ami_bake_core::plan::{ImageKey, StepAction};
use ami_bake_manifest::{Manifest, Options};

use crate::fixture::draft;

/// The build steps of the image `web`, abbreviated.
fn steps(manifest: &str) -> Vec<String> {
    let loaded = Manifest::load_text("bake.yml", manifest, PathBuf::new(), &Options::default());
    let manifest = Arc::new(loaded.manifest.unwrap_or_else(|| panic!("{:#?}", loaded.findings)));
    let source = ami_bake_core::plan::SourceImage {
        id: "ami-0123456789abcdef0".to_owned(),
        name: "ubuntu".to_owned(),
        owner: "099720109477".to_owned(),
        created: None,
        tags: std::collections::BTreeMap::new(),
        architecture: None,
        identity: "ami-0123456789abcdef0".to_owned(),
        version: None,
    };
    let version = semver::Version::new(1, 0, 0);
    let plan = draft(&manifest, &ImageKey::new("web")).resolve_blocking(&source).and_then(|draft| draft.at(&version));
    let short = |one: Option<&String>| one.map_or("-", String::as_str).to_owned();
    plan.unwrap()
        .build
        .iter()
        .map(|step| match &step.action {
            StepAction::Run(run) => [run.shell.as_ref(), run.user.as_ref(), run.working_directory.as_ref()],
            other => panic!("{other:?}"),
        })
        .map(|settings| settings.map(short).join(" "))
        .collect()
}

#[test]
fn steps_have_the_settings_of_their_image_and_of_the_defaults() {
    let manifest = "format: 1\nname: shop\naws: {region: us-east-1}\nvars: {user: admin}\n\
        defaults:\n  run: {as: \"${{ vars.user }}\", working-directory: /home/x}\n\
        images:\n  web:\n    source: {ami: {id: ami-0123456789abcdef0}}\n    run: {shell: sh -e, working-directory: /srv}\n\
        \x20   build:\n      - run: a\n      - {run: b, as: root, shell: zsh}\n";
    assert_eq!(steps(manifest), ["sh -e admin /srv", "zsh root /srv"]);
    let plain = "format: 1\nname: shop\naws: {region: us-east-1}\nimages:\n  web:\n    source: {ami: {id: ami-0123456789abcdef0}}\n\
        \x20   build:\n      - run: a\n";
    assert_eq!(steps(plain), ["- - -"]);
}

/// As an extra variable, it would override the connection to the machine.
#[test]
fn a_playbook_can_not_be_given_another_connection() {
    let manifest = "format: 1\nname: shop\naws: {region: us-east-1}\nimages:\n  web:\n    source: {ami: {id: ami-0123456789abcdef0}}\n\
        \x20   build:\n      - ansible: play.yml\n        args: [-e, ansible_connection=local]\n      - ansible: play.yml\n        vars: {ansible_connection: local}\n";
    let options = Options { check: true, ..Options::default() };
    let loaded = Manifest::load_text("bake.yml", manifest, PathBuf::new(), &options);
    let found = loaded.findings.iter().filter(|finding| finding.code == "local-play");
    let routes: Vec<String> = found.map(|finding| finding.route.to_string()).collect();
    assert_eq!(routes, ["images.web.build[0].args", "images.web.build[1].vars"], "{:#?}", loaded.findings);
}
