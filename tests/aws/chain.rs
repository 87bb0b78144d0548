//! Several images of one manifest.

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

#[test]
fn an_image_is_built_on_another() {
    let fixture = Fixture::new(CHAIN);
    fixture.bake().exits(0);
    fixture.holds_only(&["shop/base/0.1.0", "shop/web/0.1.0"]);
    let machines = fixture.cloud.instances().len();
    fixture.write("bake.yml", &CHAIN.replace("echo web >", "echo more >"));
    fixture.bake().exits(0);
    assert_eq!(fixture.cloud.instances().len(), machines + 2, "base is reused, web is built and tested");
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
