//! Values that do not fit: shapes, numbers, names, and what comes later.

use crate::fixture::refused;

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
fn a_deployment_that_cannot_be_carried_out() {
    refused(
        r##"format: 1
name: shop
images:
  web:
    source: {ami: {id: ami-0123456789abcdef0}}
    deploy:
      - launch-template: web
        auto-scaling-group: web
        refresh: {max-healthy: 150, checkpoints: [50, 20, 100], pause: 30m, wait: 1h}
      - {launch-template: web, strategy: replace, refresh: {min-healthy: 110}}
"##,
        r##"error[deploy]: `max-healthy` needs a `min-healthy` that is at most 100 below it
 --> bake.yml:9:32
  |
9 |         refresh: {max-healthy: 150, checkpoints: [50, 20, 100], pause: 30m, wait: 1h}
  |                                ^^^
  |
  = help: For example `min-healthy: 100` with `max-healthy: 200`.

error[deploy]: its checkpoints pause for 1h in all, which is no less than it waits (1h)
 --> bake.yml:9:83
  |
9 |         refresh: {max-healthy: 150, checkpoints: [50, 20, 100], pause: 30m, wait: 1h}
  |                                                                                   ^^
  |
  = help: Give a longer `wait` or a shorter `pause`; without `wait` it is an hour and the pauses.

error[deploy]: `strategy: replace` needs a group to replace
  --> bake.yml:10:42
   |
10 |       - {launch-template: web, strategy: replace, refresh: {min-healthy: 110}}
   |                                          ^^^^^^^
   |
   = help: Name it: `auto-scaling-group: web-production`.

error[deploy]: no more than 100 percent of a group can stay healthy
  --> bake.yml:10:74
   |
10 |       - {launch-template: web, strategy: replace, refresh: {min-healthy: 110}}
   |                                                                          ^^^
   |
   = help: Give 0 to 100; what the group may grow to is `max-healthy`.
"##,
    );
}
