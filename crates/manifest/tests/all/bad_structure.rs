//! Findings about manifests with an invalid structure.

use crate::fixture::refused;

#[test]
fn an_unknown_key() {
    refused(
        r##"format: 1
name: shop
images:
  web:
    source: {ami: {id: ami-0123456789abcdef0}}
    buidl: []
"##,
        r##"error[unknown-key]: unknown key `buidl`
 --> bake.yml:6:5
  |
6 |     buidl: []
  |     ^^^^^
  |
  = help: Did you mean `build`?
"##,
    );
}

#[test]
fn a_mistyped_key_is_reported_once_and_nothing_that_follows_from_it() {
    refused(
        r##"format: 1
name: shop
platform: aws
aws: {region: us-east-1}
vrs: {nginx: "1"}
secrts: [TOKEN]
imagess:
  web:
    source: {ami: {id: ami-0123456789abcdef0}}
    buidl:
      - run: echo ${{ vars.nginx }} ${{ version }}
        env: {TOKEN: "${{ secrets.TOKEN }}"}
"##,
        r##"error[unknown-key]: unknown key `vrs`
 --> bake.yml:5:1
  |
5 | vrs: {nginx: "1"}
  | ^^^
  |
  = help: Did you mean `vars`?

error[unknown-key]: unknown key `secrts`
 --> bake.yml:6:1
  |
6 | secrts: [TOKEN]
  | ^^^^^^
  |
  = help: Did you mean `secrets`?

error[unknown-key]: unknown key `imagess`
 --> bake.yml:7:1
  |
7 | imagess:
  | ^^^^^^^
  |
  = help: Did you mean `images`?
"##,
    );
}

#[test]
fn a_key_of_another_step_type() {
    refused(
        r##"format: 1
name: shop
images:
  web:
    source: {ami: {id: ami-0123456789abcdef0}}
    build:
      - run: make
        to: /srv
"##,
        r##"error[unknown-key]: unknown key `to`
 --> bake.yml:8:9
  |
8 |         to: /srv
  |         ^^
  |
  = help: `to` belongs to `upload` and `download`.
"##,
    );
}

#[test]
fn a_missing_key() {
    refused(
        r##"format: 1
name: shop
"##,
        r##"error[missing-key]: the manifest has no `images`
 --> bake.yml:1:1
  |
1 | format: 1
  | ^^^^^^^^^
  |
  = help: Add `images`: the images, by name.
"##,
    );
}

#[test]
fn a_missing_key_of_a_step() {
    refused(
        r##"format: 1
name: shop
images:
  web:
    source: {ami: {id: ami-0123456789abcdef0}}
    build:
      - upload: Cargo.toml
"##,
        r##"error[missing-key]: an item of `build` has no `to`
 --> bake.yml:7:9
  |
7 |       - upload: Cargo.toml
  |         ^^^^^^
  |
  = help: Add `to`: the path on the machine.
"##,
    );
}

#[test]
fn a_newer_format() {
    refused(
        r##"format: 2
images: {web: {source: {local: host}}}
"##,
        r##"error[wrong-value]: `2` is not valid for `format`
 --> bake.yml:1:9
  |
1 | format: 2
  |         ^
  |
  = help: This version of ami-bake reads format 1. A newer format needs a newer ami-bake.
"##,
    );
}

#[test]
fn a_wrong_type() {
    refused(
        r##"format: 1
name: shop
images:
  web:
    source: {ami: {id: ami-0123456789abcdef0}}
    build: make
    machine: {spot: yes}
    test:
      - run: make
        retries: "2"
"##,
        r##"error[wrong-type]: `build` must be a list, not a string
 --> bake.yml:6:12
  |
6 |     build: make
  |            ^^^^
  |
  = help: Start each item with `- `, or write `[a, b]`.

error[wrong-type]: `spot` must be `true` or `false`, not a string
 --> bake.yml:7:21
  |
7 |     machine: {spot: yes}
  |                     ^^^
  |
  = help: Write `true`: in YAML 1.2, words like yes and on are strings.

error[wrong-type]: `retries` must be an integer, not a string
  --> bake.yml:10:18
   |
10 |         retries: "2"
   |                  ^^^
   |
   = help: Remove the quotes.
"##,
    );
}

#[test]
fn no_value() {
    refused(
        r##"format: 1
name: shop
images:
  web:
    source: {ami: {id: ami-0123456789abcdef0}}
    build:
    machine:
"##,
        r##"error[wrong-type]: `build` has no value
 --> bake.yml:6:10
  |
6 |     build:
  |          ^
  |
  = help: Set it to a list, or remove the key.

error[wrong-type]: `machine` has no value
 --> bake.yml:7:12
  |
7 |     machine:
  |            ^
  |
  = help: Set it to a map, or remove the key.
"##,
    );
}

#[test]
fn no_step_type() {
    refused(
        r##"format: 1
name: shop
images:
  web:
    source: {ami: {id: ami-0123456789abcdef0}}
    build:
      - uplaod: site
        to: /srv
      - name: nothing
"##,
        r##"error[no-step-type]: missing step type
 --> bake.yml:7:9
  |
7 |       - uplaod: site
  |         ^^^^^^
  |
  = help: Did you mean `upload`?

error[no-step-type]: missing step type
 --> bake.yml:9:9
  |
9 |       - name: nothing
  |         ^^^^
  |
  = help: Add one of `run`, `script`, `upload`, `download`, `ansible`, `chef`, `component`, `reboot`, `wait` or `expect`.
"##,
    );
}

#[test]
fn three_step_types() {
    refused(
        r##"format: 1
name: shop
images:
  web:
    source: {ami: {id: ami-0123456789abcdef0}}
    build:
      - run: a
        reboot: true
        script: b
"##,
        r##"error[two-step-types]: 3 step types in one step: `run`, `reboot` and `script`
 --> bake.yml:8:9
  |
7 |       - run: a
  |         --- first step type
8 |         reboot: true
  |         ^^^^^^
  |
  = help: Split it into one step for each.

error[no-such-file]: `b` not found
 --> bake.yml:9:17
  |
9 |         script: b
  |                 ^
  |
  = help: Paths are relative to the manifest's folder: the working directory.
"##,
    );
}

#[test]
fn words_of_a_list() {
    refused(
        r##"format: 1
name: shop
images:
  web:
    source: {ami: {id: ami-0123456789abcdef0}}
    capture: stop
    seal: {keep: [log]}
"##,
        r##"error[wrong-value]: `stop` is not valid for `capture`
 --> bake.yml:6:14
  |
6 |     capture: stop
  |              ^^^^
  |
  = help: Valid values: `halted`, `stopped` or `live`.

error[wrong-value]: `log` is not valid for an item of `keep`
 --> bake.yml:7:19
  |
7 |     seal: {keep: [log]}
  |                   ^^^
  |
  = help: Did you mean `logs`? Valid values: `logs`, `history`, `machine-id`, `caches` or `host-keys`.
"##,
    );
}
