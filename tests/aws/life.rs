//! The life of one image, from its source to its final name.

use crate::fixture::{Fixture, WEB};

#[test]
fn a_package_is_installed_tested_and_versioned() {
    let fixture = Fixture::new(&format!(
        "{WEB}    build:
      - name: Packages
        run: |
          cat
          apt-get update -qq
          apt-get install -y -qq --no-install-recommends figlet
        env: {{DEBIAN_FRONTEND: noninteractive}}
        timeout: 5m
        retries: 2
      - upload: site/
        to: /srv/www
        exclude: ['*.map']
    validate:
      - run: figlet ok >/dev/null
    test:
      - expect: {{package: figlet}}
      - expect: {{file: {{path: /srv/www/index.html, contains: Welcome}}}}
      - expect: {{file: {{path: /srv/www/app.map, exists: false}}}}
      - run: test \"$(id -u)\" = 0
"
    ));
    fixture.write("site/index.html", "Welcome\n");
    fixture.write("site/app.map", "{}");
    fixture.bake().exits(0);
    fixture.holds_only(&["shop/web/0.1.0"]);

    let report = fixture.report();
    assert_eq!(report["exit-code"], 0, "{report:#}");
    let image = &fixture.cloud.leaks()["123456789012/us-east-1"]["images"][0];
    let tags = &image["tags"];
    for (key, value) in [("ami-bake:name", "shop"), ("ami-bake:image", "web"), ("ami-bake:version", "0.1.0")] {
        assert_eq!(tags[key], value, "{image:#}");
    }
    assert!(tags["ami-bake:tested"].is_string() && tags["ami-bake:source-ami-created"].is_string(), "{image:#}");
    assert!(tags["ami-bake:expires"].is_null(), "{image:#}");
}

#[test]
fn a_second_bake_of_an_unchanged_manifest_starts_no_machine() {
    let fixture = Fixture::new(&format!("{WEB}    build:\n      - run: echo hello > /opt/hello\n"));
    fixture.bake().exits(0);
    let machines = fixture.cloud.instances().len();
    fixture.cloud.forget_calls();
    fixture.bake().exits(0);
    assert_eq!(fixture.cloud.instances().len(), machines);
    let calls = fixture.cloud.actions();
    assert!(calls.len() <= 4, "{calls:?}");
    fixture.holds_only(&["shop/web/0.1.0"]);
}

#[test]
fn a_changed_file_is_baked_under_the_next_version() {
    let fixture = Fixture::new(&format!("{WEB}    build:\n      - upload: hello.txt\n        to: /opt/hello.txt\n"));
    fixture.write("hello.txt", "one");
    fixture.bake().exits(0);
    fixture.write("hello.txt", "two");
    fixture.bake().exits(0);
    fixture.holds_only(&["shop/web/0.1.0", "shop/web/0.1.1"]);
}

#[test]
fn the_same_content_under_another_version_is_only_registered() {
    let fixture = Fixture::new(&format!("{WEB}    build:\n      - run: echo hello > /opt/hello\n"));
    fixture.bake().exits(0);
    let machines = fixture.cloud.instances().len();
    fixture.run(&["bake", "--image-version", "2.0.0"]).exits(0);
    assert_eq!(fixture.cloud.instances().len(), machines);
    fixture.holds_only(&["shop/web/0.1.0", "shop/web/2.0.0"]);
}

#[test]
fn a_version_with_other_content_is_refused() {
    let manifest = format!("version: 1.0.0\n{WEB}    build:\n      - run: echo hello > /opt/hello\n");
    let fixture = Fixture::new(&manifest);
    fixture.bake().exits(0);
    fixture.write("bake.yml", &manifest.replace("hello", "bye"));
    fixture.bake().exits(4).says("1.0.0");
    fixture.holds_only(&["shop/web/1.0.0"]);
}

#[test]
fn an_image_is_tested_against_a_manifest() {
    let manifest =
        format!("{WEB}    build:\n      - run: echo hello > /opt/hello\n    test:\n      - run: test -e /opt/hello\n");
    let fixture = Fixture::new(&manifest);
    fixture.bake().exits(0);
    let id = fixture.cloud.leaks()["123456789012/us-east-1"]["images"][0]["id"].as_str().unwrap().to_owned();
    fixture.run(&["test", "--image", "web", &id]).exits(0);
    fixture.write("bake.yml", &manifest.replace("test -e /opt/hello", "test -e /opt/bye"));
    fixture.run(&["test", "--image", "web", &id]).exits(6);
    fixture.holds_only(&["shop/web/0.1.0"]);
}
