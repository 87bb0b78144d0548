//! Bad manifests and what is said of them.

use crate::fixture::refused;

#[test]
fn an_unknown_variable() {
    refused(
        r##"format: 1
name: shop
vars: {nginx: "1.24"}
images:
  web:
    source: {ami: {id: ami-0123456789abcdef0}}
    build:
      - run: echo ${{ vars.ngins }}
"##,
        r##"error[unknown-name]: unknown variable `ngins`
 --> bake.yml:8:23
  |
8 |       - run: echo ${{ vars.ngins }}
  |                       ^^^^^^^^^^
  |
  = help: Did you mean `vars.nginx`?
"##,
    );
}

#[test]
fn an_unknown_name() {
    refused(
        r##"format: 1
name: shop
vars: {nginx: "1.24"}
images:
  web:
    source: {ami: {id: ami-0123456789abcdef0}}
    build:
      - run: echo ${{ nginx }} ${{ git.shaa }}
"##,
        r##"error[unknown-name]: unknown name `nginx`
 --> bake.yml:8:23
  |
8 |       - run: echo ${{ nginx }} ${{ git.shaa }}
  |                       ^^^^^
  |
  = help: Did you mean `vars.nginx`?

error[unknown-name]: `git` has no `shaa`
 --> bake.yml:8:36
  |
8 |       - run: echo ${{ nginx }} ${{ git.shaa }}
  |                                    ^^^^^^^^
  |
  = help: Did you mean `git.sha`?
"##,
    );
}

#[test]
fn an_unknown_function() {
    refused(
        r##"format: 1
name: shop
images:
  web:
    source: {ami: {id: ami-0123456789abcdef0}}
    build:
      - run: echo ${{ lowr('A') }}
"##,
        r##"error[unknown-function]: unknown function `lowr`
 --> bake.yml:7:23
  |
7 |       - run: echo ${{ lowr('A') }}
  |                       ^^^^
  |
  = help: Did you mean `lower`?
"##,
    );
}

#[test]
fn a_syntax_error_in_a_block() {
    refused(
        r##"format: 1
name: shop
vars: {nginx: "1.24"}
images:
  web:
    source: {ami: {id: ami-0123456789abcdef0}}
    build:
      - run: |
          echo a
          echo ${{ vars.nginx = '1' }}
          echo ${{ 'open }}
"##,
        r##"error[expression]: `=` has no meaning in an expression
  --> bake.yml:10:31
   |
10 |           echo ${{ vars.nginx = '1' }}
   |                               ^
   |
   = help: Compare with `==`.

error[expression]: the expression is not closed
  --> bake.yml:11:16
   |
11 |           echo ${{ 'open }}
   |                ^^^
   |
   = help: Close it with `}}`.
"##,
    );
}

#[test]
fn an_if_without_braces() {
    refused(
        r##"format: 1
name: shop
images:
  web:
    source: {ami: {id: ami-0123456789abcdef0}}
    build:
      - run: a
        if: vars.x == "1"
      - run: b
        if: platfrom == 'aws'
"##,
        r##"error[expression]: text stands in single quotes in an expression
 --> bake.yml:8:23
  |
8 |         if: vars.x == "1"
  |                       ^
  |
  = help: Write 'text'.

error[unknown-name]: unknown name `platfrom`
  --> bake.yml:10:13
   |
10 |         if: platfrom == 'aws'
   |             ^^^^^^^^
   |
   = help: Did you mean `platform`?
"##,
    );
}

#[test]
fn a_secret_in_a_script() {
    refused(
        r##"format: 1
name: shop
secrets: [TOKEN]
images:
  web:
    source: {ami: {id: ami-0123456789abcdef0}}
    build:
      - run: echo ${{ secrets.TOKEN }}
        env: {A: "${{ format('{0}', secrets.TOKEN) }}", B: "${{ secrets.TOKN }}"}
"##,
        r##"error[secret-not-here]: a secret can't be used here
 --> bake.yml:8:23
  |
8 |       - run: echo ${{ secrets.TOKEN }}
  |                       ^^^^^^^^^^^^^
  |
  = help: Secrets go into the `env` of a step, `vars` of `ansible`, or `publish.docker.login`; the script then reads `$NAME`.

error[secret-not-here]: a secret can't be part of a larger expression
 --> bake.yml:9:37
  |
9 |         env: {A: "${{ format('{0}', secrets.TOKEN) }}", B: "${{ secrets.TOKN }}"}
  |                                     ^^^^^^^^^^^^^
  |
  = help: Write `${{ secrets.NAME }}` alone, with text around it where needed: its value is not known before the step runs.

error[unknown-name]: unknown secret `TOKN`
 --> bake.yml:9:65
  |
9 |         env: {A: "${{ format('{0}', secrets.TOKEN) }}", B: "${{ secrets.TOKN }}"}
  |                                                                 ^^^^^^^^^^^^
  |
  = help: Did you mean `secrets.TOKEN`?
"##,
    );
}

#[test]
fn a_source_too_early() {
    refused(
        r##"format: 1
name: shop
images:
  web:
    source: {ami: {id: "${{ source.id }}"}}
    if: version.major > 1
"##,
        r##"error[name-not-here]: `source` is not known here
 --> bake.yml:5:29
  |
5 |     source: {ami: {id: "${{ source.id }}"}}
  |                             ^^^^^^^^^
  |
  = help: The source is found after this has been decided; use it in the steps, `machine`, `publish` or `deploy`.

error[name-not-here]: `version` is not known here
 --> bake.yml:6:9
  |
6 |     if: version.major > 1
  |         ^^^^^^^^^^^^^
  |
  = help: The version is found after this has been decided; use it in the steps, `publish` or `deploy`.
"##,
    );
}

#[test]
fn an_unsafe_value() {
    refused(
        r##"format: 1
name: shop
vars: {who: "you & me"}
images:
  web:
    source: {ami: {id: ami-0123456789abcdef0}}
    build:
      - run: |
          echo one
          echo ${{ vars.who }}
"##,
        r##"error[unsafe-splice]: the value of `vars.who` holds " ", which the script would not take as text
  --> bake.yml:10:16
   |
10 |           echo ${{ vars.who }}
   |                ^^^^^^^^^^^^^^^ spliced into code as it stands
   |
   = help: Hand it over in the step's environment: `env: {WHO: "${{ vars.who }}"}`, and write "$WHO" in the script.
"##,
    );
}

#[test]
fn a_list_in_text() {
    refused(
        r##"format: 1
name: shop
vars: {list: [a, b]}
images:
  web:
    source: {ami: {id: ami-0123456789abcdef0}}
    build:
      - run: echo ${{ vars.list }}
"##,
        r##"error[expression]: a list can't be part of a text
 --> bake.yml:8:19
  |
8 |       - run: echo ${{ vars.list }}
  |                   ^^^^^^^^^^^^^^^^
  |
  = help: Make a text of it with `join(list, ',')`, or name the member that is meant.
"##,
    );
}

#[test]
fn a_value_of_the_wrong_kind() {
    refused(
        r##"format: 1
name: shop
vars: {n: many, t: 10}
images:
  web:
    source: {ami: {id: ami-0123456789abcdef0}}
    build:
      - run: a
        retries: ${{ vars.n }}
        timeout: ${{ vars.t }}
"##,
        r##"error[wrong-type]: `retries` has to be a whole number, not text
 --> bake.yml:9:18
  |
9 |         retries: ${{ vars.n }}
  |                  ^^^^^^^^^^^^^

error[wrong-value]: `10` is not a duration
  --> bake.yml:10:18
   |
10 |         timeout: ${{ vars.t }}
   |                  ^^^^^^^^^^^^^
   |
   = help: Write it like `30s`, `10m`, `2h` or `7d`.
"##,
    );
}

#[test]
fn a_value_that_moves() {
    refused(
        r##"format: 1
name: shop
images:
  web:
    source: {ami: {id: ami-0123456789abcdef0}}
    build:
      - run: echo ${{ git.sha }}
"##,
        r##"note[never-cached]: `git.sha` is another value in every run, so this image is baked every time
 --> bake.yml:7:14
  |
7 |       - run: echo ${{ git.sha }}
  |              ^^^^^^^^^^^^^^^^^^^
  |
  = help: Use it in `publish` (tags, description) where it only has to be told, not built in.
"##,
    );
}
