//! Several images of one manifest.

use crate::setting::Setting;

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
    let setting = Setting::new(CHAIN);
    setting.bake().exits(0);
    setting.holds_only(&["shop/base/0.1.0", "shop/web/0.1.0"]);
    let machines = setting.cloud.instances().len();
    setting.write("bake.yml", &CHAIN.replace("echo web >", "echo more >"));
    setting.bake().exits(0);
    assert_eq!(setting.cloud.instances().len(), machines + 2, "base is reused, web is built and tested");
    setting.holds_only(&["shop/base/0.1.0", "shop/web/0.1.0", "shop/web/0.1.1"]);
}

#[test]
fn what_is_built_on_a_failed_image_is_not_begun() {
    let setting = Setting::new(&CHAIN.replace("echo base > /opt/base", "exit 3"));
    setting.bake().exits(5).says("web");
    setting.holds_only(&[]);
}

#[test]
fn one_of_two_is_baked_on_the_published_other() {
    let setting = Setting::new(CHAIN);
    setting.run(&["bake", "--image", "base"]).exits(0);
    setting.run(&["bake", "--image", "web"]).exits(0);
    setting.holds_only(&["shop/base/0.1.0", "shop/web/0.1.0"]);
}
