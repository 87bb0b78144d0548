//! Findings about invalid values: types, numbers, names, and values that are only known later.

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
        r##"error[wrong-value]: `1.2` is not a valid version
 --> bake.yml:3:10
  |
3 | version: 1.2
  |          ^^^
  |
  = help: Use a value such as `auto`, `release` or `1.4.0`.

error[wrong-value]: `useast1` is not a valid AWS region
 --> bake.yml:4:15
  |
4 | aws: {region: useast1, role: bake}
  |               ^^^^^^^
  |
  = help: Use a value such as `us-east-1` or `eu-central-1`.

error[wrong-value]: `bake` is not a valid IAM role ARN
 --> bake.yml:4:30
  |
4 | aws: {region: useast1, role: bake}
  |                              ^^^^
  |
  = help: Use a value such as `arn:aws:iam::111122223333:role/bake`.

error[wrong-value]: `10 minutes` is not a valid duration
  --> bake.yml:10:18
   |
10 |         timeout: 10 minutes
   |                  ^^^^^^^^^^
   |
   = help: Use a value such as `30s`, `10m`, `2h` or `7d`.

error[wrong-value]: `10.0.0.0` is not a valid CIDR range
  --> bake.yml:11:25
   |
11 |     machine: {ingress: [10.0.0.0], lifetime: "2"}
   |                         ^^^^^^^^
   |
   = help: Use a value such as `203.0.113.0/24` or `2001:db8::/32`.

error[wrong-value]: `2` is not a valid duration
  --> bake.yml:11:46
   |
11 |     machine: {ingress: [10.0.0.0], lifetime: "2"}
   |                                              ^^^
   |
   = help: Use a value such as `30s`, `10m`, `2h` or `7d`.
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
        r##"error[wrong-value]: `size` must be at least 1, not 0
 --> bake.yml:6:28
  |
6 |     machine: {disk: {size: 0}, metadata: {hops: 65}}
  |                            ^

error[wrong-value]: `hops` must be at most 64, not 65
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
        r##"error[too-many-keys]: `expect` has `port` and `service`, but only one of them is allowed
 --> bake.yml:7:9
  |
7 |       - expect: {port: 80, service: nginx}
  |         ^^^^^^
  |
  = help: Split it into one step for each.

error[empty]: `expect` is empty
 --> bake.yml:8:9
  |
8 |       - expect: {}
  |         ^^^^^^
  |
  = help: Add one of `http`, `port`, `service`, `package`, `file`, `user` or `command`.
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
        r##"error[wrong-key]: `a b` is not a valid image name
 --> bake.yml:4:3
  |
4 |   "a b":
  |   ^^^^^
  |
  = help: Use a name such as `web`.

error[wrong-key]: `aws:x` is not a valid tag key (`aws:` and `ami-bake:` are reserved)
 --> bake.yml:6:22
  |
6 |     publish: {tags: {"aws:x": y}}
  |                      ^^^^^^^
  |
  = help: Use a name such as `team`.
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
        r##"error[deploy]: `min-healthy` must be at most 100 below `max-healthy`
 --> bake.yml:9:32
  |
9 |         refresh: {max-healthy: 150, checkpoints: [50, 20, 100], pause: 30m, wait: 1h}
  |                                ^^^
  |
  = help: For example, use `min-healthy: 100` with `max-healthy: 200`.

error[deploy]: the pauses at checkpoints take 1h in total, but `wait` is 1h
 --> bake.yml:9:83
  |
9 |         refresh: {max-healthy: 150, checkpoints: [50, 20, 100], pause: 30m, wait: 1h}
  |                                                                                   ^^
  |
  = help: Use a longer `wait` or a shorter `pause`. Default `wait`: one hour plus the pauses.

error[deploy]: `strategy: replace` needs an `auto-scaling-group`
  --> bake.yml:10:42
   |
10 |       - {launch-template: web, strategy: replace, refresh: {min-healthy: 110}}
   |                                          ^^^^^^^
   |
   = help: Add the group, for example `auto-scaling-group: web-production`.

error[deploy]: `min-healthy` must be at most 100
  --> bake.yml:10:74
   |
10 |       - {launch-template: web, strategy: replace, refresh: {min-healthy: 110}}
   |                                                                          ^^^
   |
   = help: Use 0 to 100. The size that the group may grow to is `max-healthy`.
"##,
    );
}

#[test]
fn limits_of_a_download() {
    refused(
        r##"format: 1
name: shop
images:
  web:
    source: {local: host}
    build:
      - {download: /x, to: y, limits: {size: 10GB, files: 0}}
"##,
        r##"error[wrong-value]: `10GB` is not a valid size
 --> bake.yml:7:46
  |
7 |       - {download: /x, to: y, limits: {size: 10GB, files: 0}}
  |                                              ^^^^
  |
  = help: Use a value such as `500MiB` or `20GiB`.

error[wrong-value]: `files` must be at least 1, not 0
 --> bake.yml:7:59
  |
7 |       - {download: /x, to: y, limits: {size: 10GB, files: 0}}
  |                                                           ^
"##,
    );
}
