//! Findings about images that do not fit together.

use crate::fixture::refused;

#[test]
fn an_unknown_image() {
    refused(
        r##"format: 1
name: shop
images:
  base:
    source: {ami: {id: ami-0123456789abcdef0}}
  web:
    source: {image: bsae}
"##,
        r##"error[unknown-image]: the manifest has no image `bsae`
 --> bake.yml:7:21
  |
7 |     source: {image: bsae}
  |                     ^^^^
  |
  = help: Did you mean `base`?
"##,
    );
}

#[test]
fn a_circle() {
    refused(
        r##"format: 1
name: shop
images:
  a:
    source: {image: b}
  b:
    source: {image: c}
  c:
    source: {image: a}
"##,
        r##"error[image-cycle]: the images depend on each other: `a` → `b` → `c` → `a`
 --> bake.yml:5:21
  |
5 |     source: {image: b}
  |                     ^
  |
  = help: Give one of them another source.
"##,
    );
}

#[test]
fn no_source() {
    refused(
        r##"format: 1
name: shop
images:
  web:
    build: []
"##,
        r##"error[missing-key]: the image `web` has no `source`
 --> bake.yml:4:3
  |
4 |   web:
  |   ^^^
  |
  = help: Add `source` with one entry per platform, or with `image` for another image of this manifest.
"##,
    );
}

#[test]
fn no_source_on_the_platform() {
    refused(
        r##"format: 1
name: shop
images:
  web:
    source: {local: host}
"##,
        r##"error[missing-source]: the image `web` has no source for the platform `aws`
 --> bake.yml:5:5
  |
5 |     source: {local: host}
  |     ^^^^^^
  |
  = help: Add `ami: {owner: …, name: …}` below `source`, or exclude this platform with the image's `platforms`.
"##,
    );
}

#[test]
fn a_name_without_owner() {
    refused(
        r##"format: 1
name: shop
images:
  web:
    source: {ami: {name: "ubuntu-*"}}
"##,
        r##"error[ami-source]: `name` needs an `owner`
 --> bake.yml:5:14
  |
5 |     source: {ami: {name: "ubuntu-*"}}
  |              ^^^
  |
  = help: Add `owner`, such as "099720109477" (Canonical) or `amazon`. Anyone can publish an image under any name.
"##,
    );
}

#[test]
fn no_variant_with_these_values() {
    refused(
        r##"format: 1
name: shop
images:
  base:
    source: {ami: {id: ami-0123456789abcdef0}}
    matrix: {arch: [x86_64]}
  web:
    source: {image: base}
    matrix: {arch: [arm64]}
"##,
        r##"error[matrix]: no variant of `base` matches the matrix values of `web-arm64`
 --> bake.yml:8:21
  |
8 |     source: {image: base}
  |                     ^^^^
  |
  = help: Use the same values in the `matrix` of both images.
"##,
    );
}

#[test]
fn two_variants_of_one_name() {
    refused(
        r##"format: 1
name: shop
images:
  web:
    source: {ami: {id: ami-0123456789abcdef0}}
    matrix: {arch: [x86_64, arm64]}
    publish: {name: "shop-${{ version }}"}
"##,
        r##"error[same-name]: `web-x86_64` and `web-arm64` have the same name `shop-0.1.0`
 --> bake.yml:7:21
  |
7 |     publish: {name: "shop-${{ version }}"}
  |                     ^^^^^^^^^^^^^^^^^^^^^
  |
  = help: Use `${{ image }}`, a matrix value or the version in `publish.name`.
"##,
    );
}

#[test]
fn spot_that_is_stopped() {
    refused(
        r##"format: 1
name: shop
images:
  web:
    source: {ami: {id: ami-0123456789abcdef0}}
    capture: stopped
    machine: {spot: true}
"##,
        r##"error[spot-stopped]: `capture: stopped` is not supported with `machine.spot`: EC2 cannot stop a spot instance
 --> bake.yml:6:14
  |
6 |     capture: stopped
  |              ^^^^^^^
  |
  = help: Use `capture: halted`, or remove `machine.spot`.
"##,
    );
}

#[test]
fn profile_and_policy() {
    refused(
        r##"format: 1
name: shop
images:
  web:
    source: {ami: {id: ami-0123456789abcdef0}}
    machine: {profile: baker, policy: {Statement: []}}
"##,
        r##"error[profile-policy]: `profile` and `policy` are mutually exclusive
 --> bake.yml:6:31
  |
6 |     machine: {profile: baker, policy: {Statement: []}}
  |                               ^^^^^^
  |
  = help: `profile` uses an existing instance profile, `policy` creates a temporary one. Remove one of them.
"##,
    );
}

#[test]
fn addresses_that_cant_be() {
    refused(
        r##"format: 1
name: shop
images:
  web:
    source: {ami: {id: ami-0123456789abcdef0}}
    machine: {ingress: [300.0.0.0/8]}
    build:
      - upload: Cargo.toml
        to: /srv
        exclude: ["[a"]
"##,
        r##"error[wrong-value]: `300.0.0.0/8` is not a valid CIDR range
 --> bake.yml:6:25
  |
6 |     machine: {ingress: [300.0.0.0/8]}
  |                         ^^^^^^^^^^^
  |
  = help: Write it like `203.0.113.0/24` or `2001:db8::/32`.

error[wrong-value]: `[a` is not a valid glob: unclosed character class; missing ']'
  --> bake.yml:10:19
   |
10 |         exclude: ["[a"]
   |                   ^^^^
"##,
    );
}

#[test]
fn a_file_that_is_not_there() {
    refused(
        r##"format: 1
name: shop
images:
  web:
    source: {ami: {id: ami-0123456789abcdef0}}
    build:
      - script: install.sh
      - upload: site/
        to: /srv
"##,
        r##"error[no-such-file]: `install.sh` not found
 --> bake.yml:7:17
  |
7 |       - script: install.sh
  |                 ^^^^^^^^^^
  |
  = help: Paths are relative to the manifest's folder: the working directory.

error[no-such-file]: `site/` not found
 --> bake.yml:8:17
  |
8 |       - upload: site/
  |                 ^^^^^
  |
  = help: Paths are relative to the manifest's folder: the working directory.
"##,
    );
}

#[test]
fn an_environments_variable() {
    refused(
        r##"format: 1
name: shop
vars: {channel: null}
environments:
  staging: {vars: {chanel: beta}}
images:
  web:
    source: {ami: {id: ami-0123456789abcdef0}}
"##,
        r##"error[unknown-variable]: the environment `staging` sets the undeclared variable `chanel`
 --> bake.yml:5:20
  |
5 |   staging: {vars: {chanel: beta}}
  |                    ^^^^^^
  |
  = help: Did you mean `channel`?
"##,
    );
}

#[test]
fn a_name_that_ec2_refuses() {
    refused(
        r##"format: 1
name: shop
images:
  web:
    source: {ami: {id: ami-0123456789abcdef0}}
    publish: {name: "shop+web"}
"##,
        r##"error[wrong-value]: the image name `shop+web` contains '+'
 --> bake.yml:6:21
  |
6 |     publish: {name: "shop+web"}
  |                     ^^^^^^^^^^
  |
  = help: AMI names can contain letters, digits, spaces and ( ) [ ] . / - ' @ _
"##,
    );
}

#[test]
fn an_image_of_the_manifest_and_a_source_of_a_platform() {
    refused(
        r##"format: 1
name: shop
platform: local
images:
  base:
    source: {local: host}
  web:
    source: {local: host, image: base}
"##,
        r##"error[source]: `local` can't be combined with `image`
 --> bake.yml:8:14
  |
8 |     source: {local: host, image: base}
  |              ^^^^^
  |
  = help: An image of this manifest is the source on every platform. Remove one of the two.
"##,
    );
}

#[test]
fn a_default_list_that_an_image_replaces() {
    refused(
        r##"format: 1
name: shop
platform: local
defaults:
  build: [{run: echo common}]
images:
  base:
    source: {local: host}
  web:
    source: {local: host}
    build: [{run: echo own}]
"##,
        r##"note[defaults-replaced]: `build` replaces `defaults.build`
  --> bake.yml:11:5
   |
11 |     build: [{run: echo own}]
   |     ^^^^^
   |
   = help: Lists are not merged. Repeat the entries here, or put common steps into an image that this one is built on.
"##,
    );
}
