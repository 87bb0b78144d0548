//! Findings about invalid YAML.

use crate::fixture::refused;

#[test]
fn a_tab_indents() {
    refused(
        r##"format: 1
images:
	web: {}
"##,
        r##"error[syntax]: tabs are not allowed for indentation
 --> bake.yml:3:1
  |
3 |     web: {}
  | ^
  |
  = help: Indent with spaces, two per level.
"##,
    );
}

#[test]
fn a_tab_indents_the_line_after_a_value() {
    refused(
        r##"format: 1
name: shop
	images: {}
"##,
        r##"error[syntax]: tabs are not allowed for indentation
 --> bake.yml:3:1
  |
3 |     images: {}
  | ^
  |
  = help: Indent with spaces, two per level.
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
        r##"error[syntax]: this quoted text is not closed
 --> bake.yml:2:7
  |
2 | name: "shop
  |       ^
3 | images: {}
  | - the error was found here
  |
  = help: Close the quote. Inside '…' write '' for a quote; inside "…" write \".
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
        r##"error[syntax]: this list is not closed
 --> bake.yml:2:10
  |
2 | secrets: [A, B
  |          ^
3 | images: {}
  |       - the error was found here
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
        r##"error[duplicate-key]: duplicate key `machine`
 --> bake.yml:7:5
  |
6 |     machine: {spot: true}
  |     ------- first used here
7 |     machine: {spot: false}
  |     ^^^^^^^
  |
  = help: Remove one of the two.
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
  = help: Remove the tag. Quote a value that must be text.

error[wrong-value]: `1.2` is not a valid version
 --> bake.yml:3:16
  |
3 | version: !!str 1.2
  |                ^^^
  |
  = help: Use a value such as `auto`, `release` or `1.4.0`.
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
        r##"error[many-documents]: a second document starts here
 --> bake.yml:4:1
  |
4 | ---
  | ^^^
  |
  = help: Only one document per file: remove the `---`, or split the file.
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
        r##"error[syntax]: the alias has no anchor of this name before it
 --> bake.yml:3:15
  |
3 | images: {web: *base}
  |               ^
  |
  = help: Add `&name` to the value that `*name` repeats, or quote text that starts with `*`.
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
        r##"error[alias]: the aliases of this file expand to too many values
 --> bake.yml:6:8
  |
6 | e: &e [*d, *d, *d, *d, *d, *d, *d, *d, *d, *d]
  |        ^^
  |
  = help: Use `defaults` for settings that all images share.
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
  = help: Add `source` with one entry per platform, or with `image` for another image of this manifest.

error[merge]: `<<` must be a map or a list of maps, not text
 --> bake.yml:5:9
  |
5 |     <<: base
  |         ^^^^
  |
  = help: Write `<<: *name`, where `name` is the anchor of a map.
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
        r##"error[syntax]: wrong indentation: this line does not line up with the lines around it
 --> bake.yml:6:4
  |
6 |    build: []
  |    ^
  |
  = help: Start all keys of a map in the same column; quote a value that contains `: `.
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
  = help: Create one with `ami-bake init`.
"##,
    );
}

#[test]
fn a_list_as_document() {
    refused(
        r##"- format: 1
"##,
        r##"error[wrong-type]: the manifest must be a map, not a list
 --> bake.yml:1:1
  |
1 | - format: 1
  | ^^^^^^^^^^^
"##,
    );
}

#[test]
fn what_yaml_would_misread() {
    refused(
        "format: 1\nname: shop\nimages:\n  web:\n    build:\n      - run: echo key: value\n",
        r##"error[syntax]: a value without quotes must not contain `: `
 --> bake.yml:6:22
  |
6 |       - run: echo key: value
  |                      ^
  |
  = help: Quote the value, or write it on the next line after `|`.
"##,
    );
    refused(
        "format: 1\nname: \"sh\u{1}op\"\n",
        r##"error[syntax]: the control character `\u{1}` is not allowed
 --> bake.yml:2:10
  |
2 | name: "sh␁op"
  |          ^
  |
  = help: Remove it, or write it as an escape in double quotes, such as "\x1b".
"##,
    );
}

/// One error about a value, with advice that leads to a valid one.
#[test]
fn a_value_has_one_error() {
    refused(
        "format: \"1\"\nname: shop\nversion: 1.0\nimages: {web: {source: {ami: {id: ami-0123456789abcdef0}}}}\n",
        r##"error[wrong-type]: `format` must be an integer, not a string
 --> bake.yml:1:9
  |
1 | format: "1"
  |         ^^^
  |
  = help: Remove the quotes.

error[wrong-value]: `1.0` is not a valid version
 --> bake.yml:3:10
  |
3 | version: 1.0
  |          ^^^
  |
  = help: Use a value such as `auto`, `release` or `1.4.0`.
"##,
    );
}
