//! Bad manifests and what is said of them.

use crate::common::refused;

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
fn another_verbs_key() {
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
      - upload: /etc/hostname
"##,
        r##"error[missing-key]: `to` is missing in an item of `build`
 --> bake.yml:7:9
  |
7 |       - upload: /etc/hostname
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
        r##"error[wrong-value]: `format` can't be `2`
 --> bake.yml:1:9
  |
1 | format: 2
  |         ^
  |
  = help: This ami-bake reads format 1; a newer manifest needs a newer ami-bake.
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
        r##"error[wrong-type]: `build` has to be a list, not text
 --> bake.yml:6:12
  |
6 |     build: make
  |            ^^^^
  |
  = help: Begin each item with `- `, or write `[a, b]`.

error[wrong-type]: `spot` has to be `true` or `false`, not text
 --> bake.yml:7:21
  |
7 |     machine: {spot: yes}
  |                     ^^^
  |
  = help: Write `true`: words like yes and on are text in YAML 1.2.

error[wrong-type]: `retries` has to be a whole number, not text
  --> bake.yml:10:18
   |
10 |         retries: "2"
   |                  ^^^
   |
   = help: Take the quotes out.
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
  = help: Give it a list, or take the key out.

error[wrong-type]: `machine` has no value
 --> bake.yml:7:12
  |
7 |     machine:
  |            ^
  |
  = help: Give it a map, or take the key out.
"##,
    );
}

#[test]
fn no_verb() {
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
        r##"error[no-verb]: the step has no verb
 --> bake.yml:7:9
  |
7 |       - uplaod: site
  |         ^^^^^^
  |
  = help: Did you mean `upload` where `uplaod` stands?

error[no-verb]: the step has no verb
 --> bake.yml:9:9
  |
9 |       - name: nothing
  |         ^^^^
  |
  = help: Say what it does by one of `run`, `script`, `upload`, `download`, `ansible`, `chef`, `component`, `reboot`, `wait` or `expect`.
"##,
    );
}

#[test]
fn three_verbs() {
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
        r##"error[two-verbs]: 3 verbs in one step: `run`, `reboot` and `script`
 --> bake.yml:8:9
  |
7 |       - run: a
  |         --- the step already does this
8 |         reboot: true
  |         ^^^^^^
  |
  = help: Make a step of each; they run in their order.

error[no-such-file]: there is no `b`
 --> bake.yml:9:17
  |
9 |         script: b
  |                 ^
  |
  = help: Paths are relative to the manifest's folder, here the working directory.
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
        r##"error[wrong-value]: `capture` can't be `stop`
 --> bake.yml:6:14
  |
6 |     capture: stop
  |              ^^^^
  |
  = help: It takes `halted`, `stopped` or `live`.

error[wrong-value]: an item of `keep` can't be `log`
 --> bake.yml:7:19
  |
7 |     seal: {keep: [log]}
  |                   ^^^
  |
  = help: Did you mean `logs`? It takes `logs`, `history`, `machine-id`, `caches` or `host-keys`.
"##,
    );
}

#[test]
fn values_with_a_shape() {
    refused(
        r##"format: 1
name: shop
version: 1.2
aws: {region: useast1, role: bake}
images:
  web:
    source: {ami: {id: ami-0123456789abcdef0}}
    build:
      - run: a
        timeout: 10 minutes
    machine: {ingress: [10.0.0.0], lifetime: "2"}
"##,
        r##"error[wrong-value]: `1.2` is not a version
 --> bake.yml:3:10
  |
3 | version: 1.2
  |          ^^^
  |
  = help: Write it like `auto`, `release` or `1.4.0`.

error[wrong-value]: `useast1` is not an AWS region
 --> bake.yml:4:15
  |
4 | aws: {region: useast1, role: bake}
  |               ^^^^^^^
  |
  = help: Write it like `us-east-1` or `eu-central-1`.

error[wrong-value]: `bake` is not the ARN of an IAM role
 --> bake.yml:4:30
  |
4 | aws: {region: useast1, role: bake}
  |                              ^^^^
  |
  = help: Write it like `arn:aws:iam::111122223333:role/bake`.

error[wrong-value]: `10 minutes` is not a duration
  --> bake.yml:10:18
   |
10 |         timeout: 10 minutes
   |                  ^^^^^^^^^^
   |
   = help: Write it like `30s`, `10m`, `2h` or `7d`.

error[wrong-value]: `10.0.0.0` is not a range of addresses
  --> bake.yml:11:25
   |
11 |     machine: {ingress: [10.0.0.0], lifetime: "2"}
   |                         ^^^^^^^^
   |
   = help: Write it like `203.0.113.0/24` or `2001:db8::/32`.

error[wrong-value]: `2` is not a duration
  --> bake.yml:11:46
   |
11 |     machine: {ingress: [10.0.0.0], lifetime: "2"}
   |                                              ^^^
   |
   = help: Write it like `30s`, `10m`, `2h` or `7d`.
"##,
    );
}

#[test]
fn text_that_yaml_changes() {
    refused(
        r##"format: 1
name: shop
images:
  web:
    source: {ami: {id: ami-0123456789abcdef0}}
    machine: {tags: {a: 1.20, b: 0123, c: 1e3, d: 0x1F, e: 8, f: True, g: true}}
"##,
        r##"error[unquoted]: YAML reads `1.20` as the value `1.2`
 --> bake.yml:6:25
  |
6 |     machine: {tags: {a: 1.20, b: 0123, c: 1e3, d: 0x1F, e: 8, f: True, g: true}}
  |                         ^^^^
  |
  = help: Quote it: "1.20"

error[unquoted]: YAML reads `0123` as the value `123`
 --> bake.yml:6:34
  |
6 |     machine: {tags: {a: 1.20, b: 0123, c: 1e3, d: 0x1F, e: 8, f: True, g: true}}
  |                                  ^^^^
  |
  = help: Quote it: "0123"

error[unquoted]: YAML reads `1e3` as the value `1000.0`
 --> bake.yml:6:43
  |
6 |     machine: {tags: {a: 1.20, b: 0123, c: 1e3, d: 0x1F, e: 8, f: True, g: true}}
  |                                           ^^^
  |
  = help: Quote it: "1e3"

error[unquoted]: YAML reads `0x1F` as the value `31`
 --> bake.yml:6:51
  |
6 |     machine: {tags: {a: 1.20, b: 0123, c: 1e3, d: 0x1F, e: 8, f: True, g: true}}
  |                                                   ^^^^
  |
  = help: Quote it: "0x1F"

error[unquoted]: YAML reads `True` as the value `true`
 --> bake.yml:6:66
  |
6 |     machine: {tags: {a: 1.20, b: 0123, c: 1e3, d: 0x1F, e: 8, f: True, g: true}}
  |                                                                  ^^^^
  |
  = help: Quote it: "True"
"##,
    );
}

#[test]
fn values_of_variables_and_booleans() {
    refused(
        r##"format: 1
name: shop
vars: {nginx: 1.20}
images:
  web:
    source: {ami: {id: ami-0123456789abcdef0}}
    machine: {spot: True}
"##,
        r##"error[unquoted]: YAML reads `1.20` as the value `1.2`
 --> bake.yml:3:15
  |
3 | vars: {nginx: 1.20}
  |               ^^^^
  |
  = help: Quote it: "1.20"

error[unquoted]: YAML reads `True` as the value `true`
 --> bake.yml:7:21
  |
7 |     machine: {spot: True}
  |                     ^^^^
  |
  = help: Write `true`.
"##,
    );
}

#[test]
fn numbers_out_of_range() {
    refused(
        r##"format: 1
name: shop
images:
  web:
    source: {ami: {id: ami-0123456789abcdef0}}
    machine: {disk: {size: 0}, metadata: {hops: 65}}
"##,
        r##"error[wrong-value]: `size` can't be 0: the least is 1
 --> bake.yml:6:28
  |
6 |     machine: {disk: {size: 0}, metadata: {hops: 65}}
  |                            ^

error[wrong-value]: `hops` can't be 65: the most is 64
 --> bake.yml:6:49
  |
6 |     machine: {disk: {size: 0}, metadata: {hops: 65}}
  |                                                 ^^
"##,
    );
}

#[test]
fn two_assertions() {
    refused(
        r##"format: 1
name: shop
images:
  web:
    source: {ami: {id: ami-0123456789abcdef0}}
    test:
      - expect: {port: 80, service: nginx}
      - expect: {}
"##,
        r##"error[too-many-keys]: `expect` holds `port` and `service`, but takes one of them
 --> bake.yml:7:9
  |
7 |       - expect: {port: 80, service: nginx}
  |         ^^^^^^
  |
  = help: Make a step of each.

error[empty]: `expect` is empty
 --> bake.yml:8:9
  |
8 |       - expect: {}
  |         ^^^^^^
  |
  = help: It takes one of `http`, `port`, `service`, `package`, `file`, `user` or `command`.
"##,
    );
}

#[test]
fn an_owner_without_zeros() {
    refused(
        r##"format: 1
name: shop
images:
  web:
    source: {ami: {owner: 099720109477, name: "ubuntu-*"}}
"##,
        r##"error[unquoted]: YAML reads `099720109477` as the value `99720109477`
 --> bake.yml:5:27
  |
5 |     source: {ami: {owner: 099720109477, name: "ubuntu-*"}}
  |                           ^^^^^^^^^^^^
  |
  = help: Quote it: "099720109477"
"##,
    );
}

#[test]
fn names_that_cant_be() {
    refused(
        r##"format: 1
name: shop
images:
  "a b":
    source: {ami: {id: ami-0123456789abcdef0}}
    publish: {tags: {"aws:x": y}}
"##,
        r##"error[wrong-key]: `a b` is not an image's name
 --> bake.yml:4:3
  |
4 |   "a b":
  |   ^^^^^
  |
  = help: Write it like `web`.

error[wrong-key]: `aws:x` is not free for your own tags: `aws:` and `ami-bake:` are reserved
 --> bake.yml:6:22
  |
6 |     publish: {tags: {"aws:x": y}}
  |                      ^^^^^^^
  |
  = help: Write it like `team`.
"##,
    );
}

#[test]
fn what_comes_later() {
    refused(
        r##"format: 1
name: shop
images:
  web:
    source: {ami: {id: ami-0123456789abcdef0}}
    build:
      - ansible: web.yml
    publish: {targets: []}
    deploy: []
"##,
        r##"error[not-supported-yet]: `ansible` is not supported yet
 --> bake.yml:7:9
  |
7 |       - ansible: web.yml
  |         ^^^^^^^
  |
  = help: It is part of format 1 and comes with a later version; take it out until then.

error[not-supported-yet]: `publish.targets` is not supported yet
 --> bake.yml:8:15
  |
8 |     publish: {targets: []}
  |               ^^^^^^^
  |
  = help: It is part of format 1 and comes with a later version; take it out until then.

error[not-supported-yet]: `deploy` is not supported yet
 --> bake.yml:9:5
  |
9 |     deploy: []
  |     ^^^^^^
  |
  = help: It is part of format 1 and comes with a later version; take it out until then.
"##,
    );
}
