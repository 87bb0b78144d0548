//! What is said to somebody who has no usable credentials: one sentence with the cause, and what to do.

use std::process::Command;

use ami_bake_testkit::test_dir::{CommandOutcome, TestDir};

use crate::fixture::{WEB, binary};

/// A bake with these variables and this `~/.aws/config`.
fn contact(config: &str, variables: &[(&str, &str)]) -> CommandOutcome {
    let dir = TestDir::new();
    dir.write("bake.yml", &format!("{WEB}    build: [{{run: 'true'}}]\n"));
    dir.write(".aws/config", config);
    let mut command: Command = dir.command(binary(), &["plan"]);
    // Nothing listens there: what asks AWS all the same fails at once.
    command.env("AWS_ENDPOINT_URL", "http://127.0.0.1:9").env("AWS_EC2_METADATA_DISABLED", "true");
    command.envs(variables.iter().copied());
    CommandOutcome::of(command.spawn().unwrap())
}

/// The marks of Rust's debug output in a text.
fn debug_text(text: &str) -> Option<&str> {
    text.lines().find(|line| {
        // The line of the manifest is the user's own.
        let own = line.trim_start().starts_with(|c: char| c.is_ascii_digit()) || line.contains("role: …");
        !own && ["{", "Some(", "Err(", "Ok(", "Error("].iter().any(|mark| line.contains(mark))
    })
}

#[test]
fn every_way_to_have_no_credentials_is_one_sentence() {
    let half = "[profile half]\naws_access_key_id = AKIAX\n";
    let sso = "[profile work]\nsso_session = s\nsso_account_id = 111111111111\nsso_role_name = r\n[sso-session s]\nsso_region = us-east-1\nsso_start_url = https://x.example\n";
    let odd = "[profile odd]\nrole_arn = arn:aws:iam::111111111111:role/x\nsource_profile = nowhere\n";
    for (config, variables, cause, help) in [
        ("", &[][..], "no AWS credentials were found", "set AWS_PROFILE, or AWS_ACCESS_KEY_ID"),
        (
            "",
            &[("AWS_ACCESS_KEY_ID", "AKIAX")],
            "AWS_ACCESS_KEY_ID is set, but AWS_SECRET_ACCESS_KEY is not",
            "Set both variables, or neither.",
        ),
        (
            "",
            &[("AWS_SECRET_ACCESS_KEY", "x")],
            "AWS_SECRET_ACCESS_KEY is set, but AWS_ACCESS_KEY_ID is not",
            "Set both variables, or neither.",
        ),
        (
            "",
            &[("AWS_PROFILE", "nope")],
            "the profile `nope` of AWS_PROFILE does not exist",
            "aws configure list-profiles",
        ),
        (
            half,
            &[("AWS_PROFILE", "half")],
            "the profile `half` has no aws_secret_access_key",
            "aws configure --profile half",
        ),
        (
            odd,
            &[("AWS_PROFILE", "odd")],
            "the profile `odd` refers to the profile `nowhere`",
            "aws configure list-profiles",
        ),
        ("[profile broken\n", &[], "a profile file is not valid", "Correct ~/.aws/config"),
        (
            sso,
            &[("AWS_PROFILE", "work")],
            "the profile `work` signs in with IAM Identity Center (SSO), which is not supported",
            "aws configure export-credentials --profile work",
        ),
        (
            "[profile p]\ncredential_process = /bin/false\n",
            &[("AWS_PROFILE", "p")],
            "the profile `p` signs in with a `credential_process`, which is not supported",
            "export-credentials --profile p",
        ),
        (
            "",
            &[("AWS_WEB_IDENTITY_TOKEN_FILE", "/nonexistent"), ("AWS_ROLE_ARN", "arn:aws:iam::111111111111:role/x")],
            "the role of AWS_WEB_IDENTITY_TOKEN_FILE can't be assumed: No such file or directory",
            "aws sts get-caller-identity",
        ),
        (
            "",
            &[("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://127.0.0.1:9/x")],
            "the credentials of this container can't be read: ",
            "aws sts get-caller-identity",
        ),
    ] {
        let said = contact(config, variables).exits(4).says(cause).says(help);
        assert_eq!(debug_text(&said.stderr), None, "{}", said.stderr);
    }
}
