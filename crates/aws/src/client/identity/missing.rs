//! The reason for missing credentials, in one sentence, and what to do. The SDK's own error only lists the sources that
//! it tried.

use ami_bake_core::Error;
use ami_bake_core::output::sanitize;

/// The variables of a key; one is nothing without the other.
const PAIR: [&str; 2] = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"];
/// What to do where nothing was set up yet, unless the caller has better advice.
const HELP: &str = "Grant the workflow `permissions: {id-token: write}` and add a role to the manifest (`aws: {role: …}`), or set \
     AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY. `aws sts get-caller-identity` shows whether credentials work.";

/// The error for credentials that were not found. `said` is what the SDK says with all causes, `variable` the environment,
/// `help` the caller's advice.
pub(super) fn explain(said: &str, variable: impl Fn(&str) -> Option<String>, help: Option<&str>) -> Error {
    let set = |name: &str| variable(name).is_some_and(|value| !value.is_empty());
    let profile = variable("AWS_PROFILE").filter(|name| !name.is_empty()).unwrap_or_else(|| "default".to_owned());
    let general = help.unwrap_or(HELP);
    let (cause, help) = if let [true, false] | [false, true] = PAIR.map(set) {
        let [present, missing] = if set(PAIR[0]) { PAIR } else { [PAIR[1], PAIR[0]] };
        (format!("{present} is set, but {missing} is not"), "Set both variables, or neither.".to_owned())
    } else if said.contains("could not parse profile file") {
        (
            "a profile file is not valid".to_owned(),
            "Correct ~/.aws/config or ~/.aws/credentials (AWS_CONFIG_FILE, AWS_SHARED_CREDENTIALS_FILE): `aws configure \
             list` shows the line."
                .to_owned(),
        )
    } else if let Some(name) = quoted(said, "profile `", "` was not defined").filter(|name| *name != "default") {
        let list = "`aws configure list-profiles` shows the profiles that exist.";
        let cause = if name == profile {
            format!("the profile `{name}` of AWS_PROFILE does not exist")
        } else {
            format!("the profile `{profile}` refers to the profile `{name}`, which does not exist")
        };
        (cause, list.to_owned())
    } else if let Some((name, missing)) = half_profile(said) {
        (
            format!("the profile `{name}` has no {missing}"),
            format!("Add it to the profile with `aws configure --profile {name}`."),
        )
    } else if said.contains("cargo feature") {
        let how = if said.contains("sso") { "IAM Identity Center (SSO)" } else { "a `credential_process`" };
        (
            format!("the profile `{profile}` signs in with {how}, which is not supported"),
            format!("Run `eval \"$(aws configure export-credentials --profile {profile} --format env)\"` first."),
        )
    } else if said.contains("no credentials found in chain") || said.is_empty() {
        if profile == "default" {
            return Error::preflight("no AWS credentials were found").help(general);
        }
        // Without any profile file the SDK does not say that there is no such profile.
        (
            format!("the profile `{profile}` of AWS_PROFILE does not exist, or has no credentials"),
            "`aws configure list-profiles` shows the profiles that exist.".to_owned(),
        )
    } else {
        // The last cause is the one that says what happened.
        let last = said.lines().next().unwrap_or_default().rsplit(": ").next().unwrap_or_default();
        let last = sanitize(last);
        let cause = if set("AWS_WEB_IDENTITY_TOKEN_FILE") {
            format!("the role of AWS_WEB_IDENTITY_TOKEN_FILE can't be assumed: {last}")
        } else if set("AWS_CONTAINER_CREDENTIALS_FULL_URI") || set("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI") {
            format!("the credentials of this container can't be read: {last}")
        } else {
            last
        };
        (cause, general.to_owned())
    };
    Error::preflight(format!("no usable AWS credentials: {cause}")).help(help)
}

/// "invalid credential source in `half`: profile missing aws_secret_access_key"
fn half_profile(said: &str) -> Option<(&str, &str)> {
    let name = quoted(said, "credential source in `", "`: ")?;
    let (_, missing) = said.split_once("profile missing ")?;
    Some((name, missing.split_whitespace().next()?))
}

fn quoted<'a>(text: &'a str, start: &str, end: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(start)?;
    rest.split_once(end).map(|(found, _)| found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn explained(said: &str, set: &[(&str, &str)]) -> (String, String) {
        let variable = |name: &str| set.iter().find(|(one, _)| *one == name).map(|(_, value)| (*value).to_owned());
        let error = explain(said, variable, Some("general help"));
        (error.message().to_owned(), error.help_text().unwrap().to_owned())
    }

    #[test]
    fn each_way_to_have_none_is_one_sentence() {
        let chain =
            "no credentials found in chain. Attempted:\n Profile: profile `default` was not defined: could not find it";
        assert_eq!(explained(chain, &[]), ("no AWS credentials were found".to_owned(), "general help".to_owned()));
        let (cause, help) = explained(chain, &[(PAIR[0], "AKIA")]);
        assert_eq!(cause, "no usable AWS credentials: AWS_ACCESS_KEY_ID is set, but AWS_SECRET_ACCESS_KEY is not");
        assert_eq!(help, "Set both variables, or neither.");
        let (cause, _) = explained(chain, &[(PAIR[0], ""), (PAIR[1], "x")]);
        assert!(cause.ends_with("AWS_SECRET_ACCESS_KEY is set, but AWS_ACCESS_KEY_ID is not"), "{cause}");
        let (cause, _) = explained("no credentials found in chain", &[("AWS_PROFILE", "nope")]);
        assert!(cause.ends_with("the profile `nope` of AWS_PROFILE does not exist, or has no credentials"), "{cause}");
        let undefined = chain.replace("default", "nope");
        let (cause, help) = explained(&undefined, &[("AWS_PROFILE", "nope")]);
        assert!(cause.ends_with("the profile `nope` of AWS_PROFILE does not exist"), "{cause}");
        assert!(help.contains("list-profiles"));
        let (cause, _) = explained(&undefined, &[("AWS_PROFILE", "odd")]);
        assert!(cause.ends_with("the profile `odd` refers to the profile `nope`, which does not exist"), "{cause}");
        let half = "ProfileFile provider could not be built: invalid credential source in `half`: profile missing aws_secret_access_key";
        let (cause, help) = explained(half, &[("AWS_PROFILE", "half")]);
        assert!(cause.ends_with("the profile `half` has no aws_secret_access_key"), "{cause}");
        assert!(help.contains("--profile half"));
        let sso = "This behavior requires following cargo feature(s) enabled: sso. ";
        let (cause, help) = explained(sso, &[("AWS_PROFILE", "work")]);
        assert!(cause.contains("`work` signs in with IAM Identity Center (SSO), which is not supported"), "{cause}");
        assert!(help.contains("export-credentials --profile work"));
        let (cause, help) =
            explained("an error occurred while loading credentials: No such file or directory (os error 2)", &[]);
        assert_eq!(cause, "no usable AWS credentials: No such file or directory (os error 2)");
        assert_eq!(help, "general help");
        let token = [("AWS_WEB_IDENTITY_TOKEN_FILE", "/none")];
        let (cause, _) = explained("could not read it: No such file or directory (os error 2)", &token);
        assert!(
            cause.ends_with("AWS_WEB_IDENTITY_TOKEN_FILE can't be assumed: No such file or directory (os error 2)")
        );
    }
}
