//! Source images.

use crate::fixture::{Fixture, WEB};

fn from(source: &str) -> Fixture {
    let head = WEB.split("      ami:").next().unwrap();
    Fixture::new(&format!("{head}      ami: {source}\n    build:\n      - run: echo hello > /opt/hello\n"))
}

#[test]
fn by_parameter() {
    let fixture = from("{parameter: /aws/service/debian/release/12/latest/amd64}");
    fixture.bake().exits(0);
    let user = fixture.cloud.instances()[0]["user"].as_str().unwrap().to_owned();
    assert_eq!(user, "admin");
    fixture.holds_only(&["shop/web/0.1.0"]);
}

#[test]
fn by_id() {
    let fixture = Fixture::new(&format!("{WEB}    build:\n      - run: echo base > /opt/base\n"));
    fixture.bake().exits(0);
    let id = fixture.cloud.leaks()["123456789012/us-east-1"]["images"][0]["id"].as_str().unwrap().to_owned();
    let head = WEB.split("      ami:").next().unwrap().replace("name: shop", "name: other");
    fixture.write("bake.yml", &format!("{head}      ami: {{id: {id}}}\n    test:\n      - run: test -e /opt/base\n"));
    fixture.bake().exits(0);
    fixture.holds_only(&["other/web/0.1.0", "shop/web/0.1.0"]);
}

#[test]
fn the_newest_of_a_pattern() {
    let fixture = Fixture::new(&format!("{WEB}    build:\n      - run: true\n"));
    fixture.bake().exits(0);
    let image = &fixture.cloud.leaks()["123456789012/us-east-1"]["images"][0];
    let name = image["tags"]["ami-bake:source-ami-name"].as_str().unwrap();
    assert!(name.ends_with("20261101"), "{image:#}");
}

#[test]
fn by_a_range_of_our_own_versions() {
    let fixture = Fixture::new(&format!("{WEB}    build:\n      - run: echo 1 > /opt/base\n"));
    fixture.run(&["bake", "--image-version", "2.1.0"]).exits(0);
    fixture.write("bake.yml", &format!("{WEB}    build:\n      - run: echo 2 > /opt/base\n"));
    fixture.run(&["bake", "--image-version", "3.0.0"]).exits(0);
    let head = WEB.split("    source:").next().unwrap().replace("name: shop", "name: other");
    fixture.write(
        "bake.yml",
        &format!("{head}    source: {{image: web, version: \"2.x.x\", from: shop}}\n    test:\n      - run: test \"$(cat /opt/base)\" = 1\n"),
    );
    fixture.bake().exits(0);
    fixture.holds_only(&["other/web/0.1.0", "shop/web/2.1.0", "shop/web/3.0.0"]);
}

#[test]
fn what_is_not_there_is_said() {
    let fixture = from("{owner: \"099720109477\", name: ubuntu-nobel-*}");
    fixture.bake().exits(4).says("ubuntu-nobel-*").says("bake.yml:");
    fixture.holds_only(&[]);
}
