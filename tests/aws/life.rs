//! One image from its source to its final name.

use crate::setting::{Setting, WEB};

#[test]
fn a_package_is_installed_tested_and_versioned() {
    let setting = Setting::new(&format!(
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
    setting.write("site/index.html", "Welcome\n");
    setting.write("site/app.map", "{}");
    setting.bake().exits(0);
    setting.holds_only(&["shop/web/0.1.0"]);

    let report = setting.report();
    assert_eq!(report["exit-code"], 0, "{report:#}");
    let image = &setting.cloud.leaks()["123456789012/us-east-1"]["images"][0];
    let tags = &image["tags"];
    for (key, value) in [("ami-bake:name", "shop"), ("ami-bake:image", "web"), ("ami-bake:version", "0.1.0")] {
        assert_eq!(tags[key], value, "{image:#}");
    }
    assert!(tags["ami-bake:tested"].is_string() && tags["ami-bake:source-ami-created"].is_string(), "{image:#}");
    assert!(tags["ami-bake:expires"].is_null(), "{image:#}");
}

#[test]
fn a_second_bake_of_an_unchanged_manifest_starts_no_machine() {
    let setting = Setting::new(&format!("{WEB}    build:\n      - run: echo hello > /opt/hello\n"));
    setting.bake().exits(0);
    let machines = setting.cloud.instances().len();
    setting.cloud.forget_calls();
    setting.bake().exits(0);
    assert_eq!(setting.cloud.instances().len(), machines);
    let calls = setting.cloud.actions();
    assert!(calls.len() <= 4, "{calls:?}");
    setting.holds_only(&["shop/web/0.1.0"]);
}

#[test]
fn a_changed_file_is_baked_under_the_next_version() {
    let setting = Setting::new(&format!("{WEB}    build:\n      - upload: hello.txt\n        to: /opt/hello.txt\n"));
    setting.write("hello.txt", "one");
    setting.bake().exits(0);
    setting.write("hello.txt", "two");
    setting.bake().exits(0);
    setting.holds_only(&["shop/web/0.1.0", "shop/web/0.1.1"]);
}

#[test]
fn the_same_content_under_another_version_is_only_registered() {
    let setting = Setting::new(&format!("{WEB}    build:\n      - run: echo hello > /opt/hello\n"));
    setting.bake().exits(0);
    let machines = setting.cloud.instances().len();
    setting.run(&["bake", "--image-version", "2.0.0"]).exits(0);
    assert_eq!(setting.cloud.instances().len(), machines);
    setting.holds_only(&["shop/web/0.1.0", "shop/web/2.0.0"]);
}

#[test]
fn a_version_with_other_content_is_refused() {
    let manifest = format!("version: 1.0.0\n{WEB}    build:\n      - run: echo hello > /opt/hello\n");
    let setting = Setting::new(&manifest);
    setting.bake().exits(0);
    setting.write("bake.yml", &manifest.replace("hello", "bye"));
    setting.bake().exits(4).says("1.0.0");
    setting.holds_only(&["shop/web/1.0.0"]);
}

#[test]
fn an_image_is_tested_against_a_manifest() {
    let manifest =
        format!("{WEB}    build:\n      - run: echo hello > /opt/hello\n    test:\n      - run: test -e /opt/hello\n");
    let setting = Setting::new(&manifest);
    setting.bake().exits(0);
    let id = setting.cloud.leaks()["123456789012/us-east-1"]["images"][0]["id"].as_str().unwrap().to_owned();
    setting.run(&["test", "--image", "web", &id]).exits(0);
    setting.write("bake.yml", &manifest.replace("test -e /opt/hello", "test -e /opt/bye"));
    setting.run(&["test", "--image", "web", &id]).exits(6);
    setting.holds_only(&["shop/web/0.1.0"]);
}
