//! Bad manifests and what is said of them.

use crate::common::refused;

#[test]
fn a_tab_indents() {
    refused(
        r##"format: 1
images:
	web: {}
"##,
        r##"error[syntax]: a tab can't indent YAML
 --> bake.yml:3:1
  |
3 |     web: {}
  | ^
  |
  = help: Indent with spaces, two for each level.
"##,
    );
}

#[test]
fn an_open_quote() {
    refused(
        r##"format: 1
name: "shop
images: {}
"##,
        r##"error[syntax]: the quoted text that begins here is not closed
 --> bake.yml:2:7
  |
2 | name: "shop
  |       ^
3 | images: {}
  | - it can't go on here
  |
  = help: Close the quote; inside '…' a quote is written '', inside "…" it is written \".
"##,
    );
}

#[test]
fn an_open_list() {
    refused(
        r##"format: 1
secrets: [A, B
images: {}
"##,
        r##"error[syntax]: the list that begins here is not closed
 --> bake.yml:2:10
  |
2 | secrets: [A, B
  |          ^
3 | images: {}
  |       - it can't go on here
  |
  = help: Add the `]`.
"##,
    );
}

#[test]
fn a_key_stands_twice() {
    refused(
        r##"format: 1
name: shop
images:
  web:
    source: {ami: {id: ami-0123456789abcdef0}}
    machine: {spot: true}
    machine: {spot: false}
"##,
        r##"error[duplicate-key]: `machine` stands here a second time
 --> bake.yml:7:5
  |
6 |     machine: {spot: true}
  |     ------- here it stood first
7 |     machine: {spot: false}
  |     ^^^^^^^
  |
  = help: Keep one of the two; YAML would silently take one and drop the other.
"##,
    );
}

#[test]
fn a_tag() {
    refused(
        r##"format: 1
name: shop
version: !!str 1.2
images: {web: {source: {local: host}}}
"##,
        r##"error[tag]: the tag `!!str` is not allowed
 --> bake.yml:3:10
  |
3 | version: !!str 1.2
  |          ^^^^^
  |
  = help: Quote a value that has to be text; there is nothing else that a tag could mean here.

error[wrong-value]: `1.2` is not a version
 --> bake.yml:3:16
  |
3 | version: !!str 1.2
  |                ^^^
  |
  = help: Write it like `auto`, `release` or `1.4.0`.
"##,
    );
}

#[test]
fn two_documents() {
    refused(
        r##"format: 1
name: shop
images: {web: {source: {ami: {id: ami-0123456789abcdef0}}}}
---
format: 1
"##,
        r##"error[many-documents]: a second document begins here
 --> bake.yml:4:1
  |
4 | ---
  | ^^^
  |
  = help: A manifest is one document: take the `---` out, or make two files.
"##,
    );
}

#[test]
fn an_unknown_alias() {
    refused(
        r##"format: 1
name: shop
images: {web: *base}
"##,
        r##"error[syntax]: no anchor of this name stands before the alias
 --> bake.yml:3:15
  |
3 | images: {web: *base}
  |               ^
  |
  = help: Set `&name` on the value that `*name` repeats, or quote a text that begins with `*`.
"##,
    );
}

#[test]
fn an_alias_bomb() {
    refused(
        r##"format: 1
a: &a [x, x, x, x, x, x, x, x, x, x]
b: &b [*a, *a, *a, *a, *a, *a, *a, *a, *a, *a]
c: &c [*b, *b, *b, *b, *b, *b, *b, *b, *b, *b]
d: &d [*c, *c, *c, *c, *c, *c, *c, *c, *c, *c]
e: &e [*d, *d, *d, *d, *d, *d, *d, *d, *d, *d]
"##,
        r##"error[alias]: the aliases of this file stand for more values than a manifest may have
 --> bake.yml:6:8
  |
6 | e: &e [*d, *d, *d, *d, *d, *d, *d, *d, *d, *d]
  |        ^^
  |
  = help: Use `defaults` for what all images share.
"##,
    );
}

#[test]
fn a_merge_of_text() {
    refused(
        r##"format: 1
name: shop
images:
  web:
    <<: base
"##,
        r##"error[missing-key]: the image `web` has no `source`
 --> bake.yml:4:3
  |
4 |   web:
  |   ^^^
  |
  = help: Add `source`: an entry for each platform, or `image` for another image of this manifest.

error[merge]: `<<` takes a map or a list of maps, not text
 --> bake.yml:5:9
  |
5 |     <<: base
  |         ^^^^
  |
  = help: Write `<<: *name` with the anchor of a map.
"##,
    );
}

#[test]
fn bad_indentation() {
    refused(
        r##"format: 1
name: shop
images:
  web:
    source: {local: host}
   build: []
"##,
        r##"error[syntax]: this line is not indented like the ones that it belongs to
 --> bake.yml:6:4
  |
6 |    build: []
  |    ^
  |
  = help: Keys of one map begin in the same column; quote a value that holds `: `.
"##,
    );
}

#[test]
fn an_empty_file() {
    refused(
        r##""##,
        r##"error[empty]: the manifest is empty
 --> bake.yml:1:1
  |
1 |
  | ^
  |
  = help: Write a first one with `ami-bake init`.
"##,
    );
}

#[test]
fn a_list_as_document() {
    refused(
        r##"- format: 1
"##,
        r##"error[wrong-type]: the manifest has to be a map, not a list
 --> bake.yml:1:1
  |
1 | - format: 1
  | ^^^^^^^^^^^
"##,
    );
}
