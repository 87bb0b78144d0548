//! The canonical form of a manifest.

use std::path::{Path, PathBuf};

use ami_bake_manifest::diagnostic::{FileId, Sources};
use ami_bake_manifest::{TEMPLATE, canonical, tree};
use serde_json::{Map, Value};

fn formatted(text: &str) -> Result<String, String> {
    canonical("bake.yml", text, &mut Sources::default()).map_err(|findings| findings[0].message.clone())
}

/// The document, read without the formatter. Maps are equal in any order.
fn value(text: &str) -> Option<Value> {
    let mut findings = Vec::new();
    let root = tree::parse(FileId::default(), text, &mut findings);
    assert!(!findings.iter().any(|finding| finding.code != "tag"), "{findings:?}\n{text}");
    root.map(|root| root.to_json())
}

/// Number of lines with only a comment.
fn comments(text: &str) -> usize {
    text.trim_start_matches('\u{feff}').lines().filter(|line| line.trim_start().starts_with('#')).count()
}

/// Formats a text; it must mean the same, keep its comments, and be canonical afterwards.
#[track_caller]
fn keeps(name: &str, text: &str) -> String {
    let once = formatted(text).unwrap_or_else(|message| panic!("{name}: {message}\n{text}"));
    assert_eq!(value(text), value(&once), "{name}");
    assert_eq!(comments(text), comments(&once), "{name}");
    assert_eq!(formatted(&once).as_ref(), Ok(&once), "{name} is not canonical after it was formatted");
    once
}

fn examples() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples");
    let named = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path().join("bake.yml"));
    let found: Vec<PathBuf> = named.filter(|path| path.is_file()).collect();
    assert!(found.len() > 8, "{found:?}");
    found
}

/// Keys in the opposite order, written by a program.
fn reversed(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            Value::Object(map.iter().rev().map(|(key, value)| (key.clone(), reversed(value))).collect::<Map<_, _>>())
        }
        Value::Array(items) => items.iter().map(reversed).collect(),
        other => other.clone(),
    }
}

#[test]
fn the_meaning_of_every_example_stays_however_it_is_written() {
    let mut widened = 0;
    for path in examples() {
        let name = path.display().to_string();
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(keeps(&name, &text), text, "{name} is not canonical: run `ami-bake fmt {name}`");
        let windows = text.replace('\n', "\r\n");
        assert_eq!(keeps(&name, &windows), windows, "{name}");
        assert_eq!(keeps(&name, &format!("\u{feff}{text}")), text, "{name}");
        // The shape of another program, and lists that are not indented.
        let other = serde_yaml::to_string(&reversed(&value(&text).unwrap())).unwrap();
        let canonical = keeps(&name, &other);
        let straight = keeps(&name, &serde_yaml::to_string(&value(&text).unwrap()).unwrap());
        let order = |text: &str| -> Vec<String> {
            let keys = value(text).unwrap();
            keys.as_object()
                .unwrap()
                .keys()
                .chain(keys["images"].as_object().unwrap().values().flat_map(|image| image.as_object().unwrap().keys()))
                .cloned()
                .collect()
        };
        let mut both = [order(&canonical), order(&straight)];
        // The images themselves are in the order of the file.
        for order in &mut both {
            order.sort_by_key(|key| canonical.find(&format!("{key}:")));
        }
        assert_eq!(both[0], both[1], "{name}");
        // Twice as wide, where the content of scalars allows it.
        let wide: Vec<String> =
            other.lines().map(|line| format!("{}{line}\n", " ".repeat(line.len() - line.trim_start().len()))).collect();
        let wide = wide.concat();
        let mut findings = Vec::new();
        let read = tree::parse(FileId::default(), &wide, &mut findings).map(|root| root.to_json());
        if findings.is_empty() && read == value(&other) {
            widened += 1;
            assert_eq!(keeps(&name, &wide), canonical, "{name}");
        }
    }
    assert!(widened > 0);
    assert_eq!(keeps("the template", TEMPLATE), TEMPLATE);
}

#[test]
fn keys_and_indentation_are_canonical_and_comments_stay() {
    let text = "\
# Images of the shop.

images:
    # The server.
    web:   # next to its key
        test:
        -   expect: {file: /srv}
            # Below the test.
        # After the tests.
        build:
        # First of all.
        -   timeout: 10m
            # why
            run: |
                echo a
                  echo b

                # of the script
            # not of the script
            name: Install
            env:
                Z: 1
                A: 2
              # of A

        -   # a step
            as: root
            run: >-
                folded
                text
        - upload: site/
          to:
            /srv
          exclude: [a,
                    b]
        # - run: not yet
        source: {ami: {id: ami-1}}
        tags-of-no-schema: \"two
            lines\"
# The name.
name: shop
format: 1
# The end.
";
    let expected = "\
# Images of the shop.

format: 1
# The name.
name: shop
images:
  # The server.
  web:   # next to its key
    # - run: not yet
    source: {ami: {id: ami-1}}
    # After the tests.
    build:
      # First of all.
      # not of the script
      - name: Install
        # why
        run: |
          echo a
            echo b

          # of the script
        env:
          Z: 1
          A: 2
          # of A
        timeout: 10m

      - # a step
        run: >-
          folded
          text
        as: root
      - upload: site/
        to:
          /srv
        exclude: [a,
                  b]
    test:
      - expect: {file: /srv}
        # Below the test.
    tags-of-no-schema: \"two
        lines\"
# The end.
";
    assert_eq!(keeps("the text", text), expected);
}

#[test]
fn unusual_yaml_keeps_its_meaning() {
    let texts = [
        "",
        "# only a comment\n",
        "---\n",
        "--- # here\nimages: {web: {}}\nformat: 1\n...\n# after\n",
        "---\n{images: {web: {}}, format: 1}\n",
        "{\"images\": {\n  \"web\": {}}, \"format\": 1}\n",
        // Anchors stay before their aliases.
        "images:\n  web: &web\n    test: &steps\n    - run: a\n    build: *steps\n  two:\n    <<: *web\n    source: {local: host}\nname: x\nformat: 1\n",
        "images:\n  web: {build: [&b {run: x}]}\nenvironments:\n  one:\n    images: {web: {build: [*b]}}\nformat: 1\n",
        // Scalars that end with blank lines, have an indentation of their own, or spaces in empty lines.
        "images:\n  web:\n    test:\n      - run: |+\n          a\n\n\n    build:\n      - run: |2-\n            b\n\n          c\n      - run: |\n          a\n             \n          b\nformat: 1\n",
        "images:\n  web:\n    test:\n      - run: |+\n          a\n\n\n",
        "name: |\nformat: 1\n",
        "name: >\n\n  a\n\n    b\n\nformat: 1\n",
        "name: one\n  two\n\n  three # why\nformat: 1\n",
        "name: \"one\\  \n  two\\\n  three\"\nformat: 1\n",
        "name: 'one   \n\n    two'\nformat: 1\n",
        // Without values.
        "images:\n  web:\n    build:\n    -\n    - run: a\n    -\n    test:\nname:\n# below\nformat:\n",
        "images:\n  web:\n    build:\n      # nothing yet\n    test:\n",
        "images:\n  web:\n    build:\n    - - a\n      - b\n    - -\n        c: d\n        e: f\n      - g\n",
        "? images\n: web:\n    test: []\n    source: {}\nformat: 1\n",
        "images:\n  ? web\n  : test: []\n    source: {}\nformat: 1\n",
        "? |\n  images\n: 1\nformat: 1\n",
        "images:\n  web: !!map\n    test: []\n",
        "images:\n  web:\n    # a\n\n    # b\n    test: []\n\n\n    # c\n    source: {}\n      # d\n\n  # e\n# f\n\nformat: 1\n\n\n",
        "\"images\": # c\n  'web' :\n      test: [] \nformat: 1   \n",
        "name: a # b\nformat: 1\nimages:\n  w: &a\n    # c\n    source: {}\n  v: *a\n",
        "name: x\nvars:\n  b: 1\n  a: 2\n  format: 3\nformat: 1\n",
        "images:\n  web:\n    build:\n    - &s\n      as: root\n      run: x\n    - *s\n    - & t\n",
        "images:\n  web:\n    build:\n    - &s as: root\n      run: x\n    - *s\n",
        "name: x\rformat: 1\r",
        "name: \"\u{2028}\"\nformat: 1\n",
        "format: 1\nname: ü # ö\nimages:\n    wéb:\n        test: [] # é\n        source: {} \n",
    ];
    for text in texts {
        match formatted(text) {
            Ok(_) => drop(keeps(text, text)),
            Err(message) => {
                let mut findings = Vec::new();
                tree::parse(FileId::default(), text, &mut findings);
                assert!(!findings.is_empty(), "{message}\n{text}");
            }
        }
    }
    assert_eq!(formatted("a: 1\n---\nb: 1\n").unwrap_err(), "a second document starts here");
}

/// The order of variables, of environment variables and of a matrix may mean something.
#[test]
fn the_order_of_own_keys_stays() {
    let text = "format: 1\nvars:\n  name: 1\n  format: 2\n  b: 3\n  a: 4\nimages:\n  z:\n    matrix: {b: [1], a: [2]}\n  a:\n    build:\n      - run: x\n        env:\n          timeout: 1\n          name: 2\n";
    assert_eq!(keeps("the text", text), text);
}
