//! Several images in one manifest.

use crate::fixture::Fixture;

const CHAIN: &str = r#"format: 1
name: shop
aws: {region: us-east-1}
images:
  base:
    source:
      ami: {owner: "099720109477", name: ubuntu/images/hvm-ssd-gp3/ubuntu-noble-24.04-amd64-server-*}
    build:
      - run: echo base > /opt/base
  web:
    source: {image: base}
    build:
      - run: echo web > /opt/web
    test:
      - run: cat /opt/base /opt/web
"#;

/// `web` has another version than `base`: commands with a version only apply to `web`.
#[test]
fn an_image_is_built_on_another_and_promoted_without_it() {
    let fixture = Fixture::new(CHAIN);
    fixture.bake().exits(0);
    fixture.holds_only(&["shop/base/0.1.0", "shop/web/0.1.0"]);
    let machines = fixture.cloud.instances().len();
    fixture.write("bake.yml", &CHAIN.replace("echo web >", "echo more >"));
    fixture.bake().exits(0);
    assert_eq!(fixture.cloud.instances().len(), machines + 2, "base is reused, web is built and tested");
    fixture.holds_only(&["shop/base/0.1.0", "shop/web/0.1.0", "shop/web/0.1.1"]);

    let environment =
        "environments:\n  production:\n    images:\n      web:\n        publish: {parameters: [/production/web]}\n";
    fixture.write("bake.yml", &format!("{}{environment}", CHAIN.replace("echo web >", "echo more >")));
    let production = ["--environment", "production"];
    let run = |arguments: &[&str]| fixture.run(&[arguments, &production].concat());
    let promoted = run(&["promote", "0.1.1"]).exits(0).says("nothing to publish or deploy");
    assert!(promoted.stderr.contains("/production/web") || promoted.stdout.contains("/production/web"));
    run(&["publish", "--image-version", "0.1.1"]).exits(0).says("nothing to publish");
    run(&["publish", "--image-version", "0.1.1", "--image", "web"]).exits(0);
    run(&["deploy", "--image-version", "0.1.1", "--image", "web"]).exits(0).says("no `deploy` section");
    // A named image is looked up, and one with something to do is not skipped.
    run(&["promote", "0.1.1", "--image", "base"]).exits(4).says("image not found");
    run(&["promote", "0.1.7"]).exits(4).says("image not found");
    let leaks = fixture.cloud.leaks();
    let images = leaks["123456789012/us-east-1"]["images"].as_array().unwrap();
    let newest = images.iter().find(|image| image["name"] == "shop/web/0.1.1").unwrap()["id"].as_str().unwrap();
    run(&["test", "--image", "web", newest]).exits(0);
    fixture.holds_only(&["shop/base/0.1.0", "shop/web/0.1.0", "shop/web/0.1.1"]);
}

#[test]
fn what_is_built_on_a_failed_image_is_not_begun() {
    let fixture = Fixture::new(&CHAIN.replace("echo base > /opt/base", "exit 3"));
    fixture.bake().exits(5).says("web");
    fixture.holds_only(&[]);
}

#[test]
fn one_of_two_is_baked_on_the_published_other() {
    let fixture = Fixture::new(CHAIN);
    fixture.run(&["bake", "--image", "base"]).exits(0);
    fixture.run(&["bake", "--image", "web"]).exits(0);
    fixture.holds_only(&["shop/base/0.1.0", "shop/web/0.1.0"]);
}
