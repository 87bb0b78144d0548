//! Variables and secrets that a bake requires: those of the images that it bakes, and no others.

use std::path::PathBuf;

use ami_bake_manifest::{Manifest, Options, Task};

const FAMILY: &str = r#"
format: 1
name: shop
platform: local
vars: {size: null, unused: null}
secrets: [DOCKER_PASSWORD, OPTIONAL, NEEDED, LISTED]
images:
  web:
    source: {local: host}
    build:
      - run: echo web
        env: {A: "${{ secrets.OPTIONAL || '' }}"}
      - run: echo other
        platforms: [docker]
        env: {A: "${{ secrets.DOCKER_PASSWORD }}"}
  db:
    source: {local: host}
    build:
      - run: echo db
        if: vars.size == 'large'
        env: {A: "x-${{ secrets.NEEDED }}", B: "${{ secrets.OPTIONAL || '' }}"}
"#;

fn load(text: &str, images: &[&str]) -> (Option<Manifest>, Vec<String>) {
    let options = Options { images: images.iter().map(ToString::to_string).collect(), ..Options::default() };
    let loaded = Manifest::load_text("bake.yml", text, PathBuf::new(), &options);
    let errors = loaded.findings.iter().filter(|finding| finding.is_error());
    let errors = errors.map(|finding| finding.message.clone()).collect();
    (loaded.manifest, errors)
}

#[test]
fn only_the_selected_images_ask_for_variables_and_secrets() {
    let family = FAMILY.replace(", unused: null", "");
    let (web, errors) = load(&family, &["web"]);
    assert_eq!(errors, [""; 0]);
    assert_eq!(web.unwrap().required_secrets(Task::Bake), ["LISTED"]);
    let (_, errors) = load(&family, &["db"]);
    assert_eq!(errors, ["the variable `size` is not set"]);
    let (_, errors) = load(&family, &[]);
    assert_eq!(errors, ["the variable `size` is not set"]);
    let (db, errors) = load(&family.replace("null", "small"), &["db"]);
    assert_eq!(errors, [""; 0]);
    assert_eq!(db.unwrap().required_secrets(Task::Bake), ["NEEDED", "LISTED"]);
}

/// To publish an image that exists no step runs, but a registry still wants its password.
#[test]
fn publishing_asks_for_its_own_secrets() {
    let text = FAMILY.replace(", unused: null", "").replace("platform: local", "platform: docker");
    let text = text.replace("{local: host}", "{docker: debian}").replace(
        "  db:\n",
        "    publish: {docker: {repository: registry.example/web, login: {username: me, password: \"${{ secrets.NEEDED }}\"}}}\n  db:\n",
    );
    let (web, errors) = load(&text, &["web"]);
    assert_eq!(errors, [""; 0]);
    let web = web.unwrap();
    assert_eq!(web.required_secrets(Task::Publish), ["NEEDED"]);
    assert_eq!(web.required_secrets(Task::Bake), ["DOCKER_PASSWORD", "NEEDED", "LISTED"]);
}

/// A name that nothing uses is probably a mistake, and the file's own settings belong to every image.
#[test]
fn what_nothing_uses_and_what_all_use_is_asked_for() {
    let (_, errors) = load(FAMILY, &["web"]);
    assert_eq!(errors, ["the variable `unused` is not set"]);
    let shared = FAMILY
        .replace(", unused: null", "")
        .replace("platform: local", "platform: local\naws: {region: \"${{ vars.size }}\"}");
    assert_eq!(load(&shared, &["web"]).1, ["the variable `size` is not set"]);
}
