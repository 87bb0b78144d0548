//! Where an image comes from.

use crate::setting::{Setting, WEB};

fn from(source: &str) -> Setting {
    let head = WEB.split("      ami:").next().unwrap();
    Setting::new(&format!("{head}      ami: {source}\n    build:\n      - run: echo hello > /opt/hello\n"))
}

#[test]
fn by_parameter() {
    let setting = from("{parameter: /aws/service/debian/release/12/latest/amd64}");
    setting.bake().exits(0);
    let user = setting.cloud.instances()[0]["user"].as_str().unwrap().to_owned();
    assert_eq!(user, "admin");
    setting.holds_only(&["shop/web/0.1.0"]);
}

#[test]
fn by_id() {
    let setting = Setting::new(&format!("{WEB}    build:\n      - run: echo base > /opt/base\n"));
    setting.bake().exits(0);
    let id = setting.cloud.leaks()["123456789012/us-east-1"]["images"][0]["id"].as_str().unwrap().to_owned();
    let head = WEB.split("      ami:").next().unwrap().replace("name: shop", "name: other");
    setting.write("bake.yml", &format!("{head}      ami: {{id: {id}}}\n    test:\n      - run: test -e /opt/base\n"));
    setting.bake().exits(0);
    setting.holds_only(&["other/web/0.1.0", "shop/web/0.1.0"]);
}

#[test]
fn the_newest_of_a_pattern() {
    let setting = Setting::new(&format!("{WEB}    build:\n      - run: true\n"));
    setting.bake().exits(0);
    let image = &setting.cloud.leaks()["123456789012/us-east-1"]["images"][0];
    let name = image["tags"]["ami-bake:source-ami-name"].as_str().unwrap();
    assert!(name.ends_with("20261101"), "{image:#}");
}

#[test]
fn by_a_range_of_our_own_versions() {
    let setting = Setting::new(&format!("{WEB}    build:\n      - run: echo 1 > /opt/base\n"));
    setting.run(&["bake", "--image-version", "2.1.0"]).exits(0);
    setting.write("bake.yml", &format!("{WEB}    build:\n      - run: echo 2 > /opt/base\n"));
    setting.run(&["bake", "--image-version", "3.0.0"]).exits(0);
    let head = WEB.split("    source:").next().unwrap().replace("name: shop", "name: other");
    setting.write(
        "bake.yml",
        &format!("{head}    source: {{image: web, version: \"2.x.x\", from: shop}}\n    test:\n      - run: test \"$(cat /opt/base)\" = 1\n"),
    );
    setting.bake().exits(0);
    setting.holds_only(&["other/web/0.1.0", "shop/web/2.1.0", "shop/web/3.0.0"]);
}

#[test]
fn what_is_not_there_is_said() {
    let setting = from("{owner: \"099720109477\", name: ubuntu-nobel-*}");
    setting.bake().exits(4).says("ubuntu-nobel-*").says("bake.yml:");
    setting.holds_only(&[]);
}
