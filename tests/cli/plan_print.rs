//! `plan --print`: the manifest with everything evaluated, as a manifest.

use serde_json::Value;

use crate::fixture::Fixture;

/// Everything that is merged or evaluated, and text that YAML or an expression would read as something else.
const MANIFEST: &str = r#"format: 1
name: shop
platform: local
secrets: [TOKEN, CERT]
vars: {greeting: hello, mirror: "${{ env.MIRROR }}", odd: "${{ '${{' }} x }}"}
environments:
  production:
    vars: {greeting: welcome}
    defaults: {machine: {user: root}}
defaults:
  source: {local: host}
  run: {working-directory: /srv}
images:
  base:
    if: platform == 'local'
    matrix: {flavor: [small, large]}
    build:
      - run: mkdir -p /srv && echo ${{ matrix.flavor }} ${{ image }}
        if: matrix.flavor == 'small'
      - run: |
          echo "$GREETING"
            echo indented

          echo end
        working-directory: /
        env:
          GREETING: ${{ vars.greeting }}
          MIRROR: ${{ vars.mirror }}/x
          ODD: ${{ vars.odd }}
          TOKEN: Bearer ${{ secrets.TOKEN }}
          CERT: ${{ secrets.CERT || '' }}
          YES: "yes"
          NUMBER: "1.10"
          OCTAL: "0o17"
          NULL: "~"
          COLON: "a: b #c"
          SPACE: " x "
          EMPTY: ""
          LINES: "\n  a\n\tb\n\n"
      - reboot: true
        platforms: [aws]
    publish: {if: "matrix.flavor == 'large'", tags: {major: "v${{ version.major }}"}}
  web:
    source: {image: base}
    matrix: {flavor: [small, large]}
    build:
      - run: "true"
        env: {BASE: "${{ source.name }}", FLAVOR: "${{ matrix.flavor }}"}
      - run: "true"
        if: "source.name == 'x'"
"#;

fn fixture() -> Fixture {
    Fixture::with(MANIFEST).variable("TOKEN", "hunter2-hunter2").variable("MIRROR", "https://mirror.internal.test")
}

/// The digest of each image; none for one whose base is baked first.
fn digests(fixture: &Fixture, manifest: &[&str]) -> Vec<Value> {
    let plan = fixture.run(&[&["plan", "--json"], manifest].concat()).exits(0);
    let plan: Value = serde_json::from_str(&plan.stdout).unwrap();
    plan["images"].as_array().unwrap().iter().map(|image| image["decided"]["digest"].clone()).collect()
}

#[test]
fn a_printed_manifest_is_a_manifest_of_the_same_images() {
    let fixture = fixture();
    let print = ["plan", "--print", "--environment", "production"];
    let printed = fixture.run(&print).exits(0).stdout;
    assert!(!printed.contains("hunter2") && !printed.contains("mirror.internal"), "{printed}");
    fixture.write("printed.yml", &printed);
    let checked = fixture.run(&["check", "printed.yml"]).exits(0);
    assert!(checked.stderr.contains("valid (4 images on local)"), "{printed}\n{}", checked.stderr);
    let digests = [&["bake.yml", "--environment", "production"][..], &["printed.yml"]].map(|it| digests(&fixture, it));
    assert_eq!(digests[0], digests[1], "{printed}");
    assert_eq!(digests[0].iter().filter(|digest| digest.is_string()).count(), 2, "{digests:?}");

    let json = fixture.run(&[print.as_slice(), &["--json"]].concat()).exits(0).stdout;
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json, serde_yaml::from_str::<Value>(&printed).unwrap());
    // A printed manifest is evaluated already.
    let again = fixture.run(&["plan", "printed.yml", "--print", "--json"]).exits(0).stdout;
    assert_eq!(serde_json::from_str::<Value>(&again).unwrap()["images"], json["images"]);
    assert_eq!(json["images"]["web-small"]["source"], serde_json::json!({"image": "base-small"}));
    assert_eq!(json["images"]["base-small"]["machine"]["user"], "root");
    let env = &json["images"]["base-large"]["build"][0]["env"];
    assert_eq!((&env["GREETING"], &env["TOKEN"]), (&"welcome".into(), &"Bearer ${{ secrets.TOKEN }}".into()));
    assert_eq!((&env["ODD"], &env["LINES"]), (&"${{ '${{' }} x }}".into(), &"\n  a\n\tb\n\n".into()));
    assert_eq!(json["images"]["base-large"]["publish"], serde_json::json!({"if": true, "tags": {"major": "v0"}}));
    assert_eq!(json["images"]["web-small"]["build"][0]["env"]["BASE"], "${{ source.name }}");
    for gone in ["reboot", "matrix", "environments", "defaults"] {
        assert!(!printed.contains(gone), "{gone}: {printed}");
    }
}
