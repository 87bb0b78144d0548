//! Findings about invalid expressions.

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
        r##"error[expression]: unexpected `=` in the expression
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
        r##"error[expression]: strings in expressions are written in single quotes
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
        r##"error[secret-not-here]: secrets are not allowed here
 --> bake.yml:8:23
  |
8 |       - run: echo ${{ secrets.TOKEN }}
  |                       ^^^^^^^^^^^^^
  |
  = help: Secrets are allowed in the `env` of a step, `vars` of `ansible` and `publish.docker.login`. Scripts read them as `$NAME`.

error[secret-not-here]: a secret cannot be part of a larger expression
 --> bake.yml:9:37
  |
9 |         env: {A: "${{ format('{0}', secrets.TOKEN) }}", B: "${{ secrets.TOKN }}"}
  |                                     ^^^^^^^^^^^^^
  |
  = help: Write `${{ secrets.NAME }}` on its own, with text around it if needed, or `${{ secrets.NAME || '' }}` if it may be unset. Its value is not known before the step runs.

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
        r##"error[name-not-here]: `source` is not available here
 --> bake.yml:5:29
  |
5 |     source: {ami: {id: "${{ source.id }}"}}
  |                             ^^^^^^^^^
  |
  = help: The source is not known yet when this is evaluated. Use it in steps, `machine`, `publish` or `deploy`.

error[name-not-here]: `version` is not available here
 --> bake.yml:6:9
  |
6 |     if: version.major > 1
  |         ^^^^^^^^^^^^^
  |
  = help: The version is not known yet when this is evaluated. Use it in steps, `publish` or `deploy`.
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
        r##"error[unsafe-splice]: the value of `vars.who` contains " ", which the shell would interpret
  --> bake.yml:10:16
   |
10 |           echo ${{ vars.who }}
   |                ^^^^^^^^^^^^^^^ inserted into code unquoted
   |
   = help: Pass it as an environment variable: add `env: {WHO: "${{ vars.who }}"}` to the step and write "$WHO" in the script.
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
        r##"error[expression]: a list cannot be inserted into a string
 --> bake.yml:8:19
  |
8 |       - run: echo ${{ vars.list }}
  |                   ^^^^^^^^^^^^^^^^
  |
  = help: Convert it with `join(list, ',')`, or use one of its members.
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
        r##"error[wrong-type]: `retries` must be an integer, not a string
 --> bake.yml:9:18
  |
9 |         retries: ${{ vars.n }}
  |                  ^^^^^^^^^^^^^

error[wrong-value]: `10` is not a valid duration
  --> bake.yml:10:18
   |
10 |         timeout: ${{ vars.t }}
   |                  ^^^^^^^^^^^^^
   |
   = help: Use a value such as `30s`, `10m`, `2h` or `7d`.
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
        r##"note[never-cached]: `git.sha` changes with every run, so this image is never cached
 --> bake.yml:7:14
  |
7 |       - run: echo ${{ git.sha }}
  |              ^^^^^^^^^^^^^^^^^^^
  |
  = help: If the image itself does not need it, use it in `publish` (tags, description) instead.
"##,
    );
}
