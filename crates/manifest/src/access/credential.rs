//! Recognizes credentials, whose values are never copied, shown or passed to a manifest.

/// Whether a name suggests that its value is a credential.
pub fn named(name: &str) -> bool {
    let name = name.to_ascii_lowercase().replace(['-', '.', ' '], "_");
    let words: Vec<&str> = name.split('_').filter(|word| !word.is_empty()).collect();
    // Suffixes of names that only refer to a credential.
    let around = [
        "file", "path", "location", "name", "arn", "url", "uri", "user", "username", "id", "type", "dir", "folder",
        "comment", "length", "version", "enabled", "ttl", "count", "port", "region", "provider", "format", "policy",
    ];
    if words.last().is_some_and(|last| around.contains(last) && !name.ends_with("access_key_id")) {
        return false;
    }
    let single =
        ["password", "passwd", "passphrase", "secret", "secrets", "token", "credential", "credentials", "apikey"];
    words.iter().any(|word| single.contains(word) || word.ends_with("password"))
        || ["access_key", "api_key", "private_key", "secret_key", "auth_key"].iter().any(|pair| name.contains(pair))
}

/// Whether ami-bake, the runner or an SDK signs in with this environment variable. The names are those of the AWS SDKs
/// (AWS SDKs and Tools Reference Guide, environment variables), of GitHub's command line, and of the Actions runner,
/// which also passes every input of an action as `INPUT_NAME`.
pub fn signs_in(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    let has = |parts: &[&str]| parts.iter().any(|part| name.contains(part));
    let named = ["GITHUB_TOKEN", "GH_TOKEN", "GITHUB_ENTERPRISE_TOKEN", "GH_ENTERPRISE_TOKEN", "GITHUB_PAT"];
    named.contains(&name.as_str())
        || ["ACTIONS_", "INPUT_", "STATE_"].iter().any(|prefix| name.starts_with(prefix))
        || (name.starts_with("RUNNER_") && name.ends_with("TOKEN"))
        || (name.starts_with("AWS_") && has(&["KEY", "SECRET", "TOKEN", "CREDENTIAL", "AUTHORIZATION"]))
}

/// Whether a text contains a credential that is recognized by its form: an access key of AWS, a private key.
pub fn holds(text: &str) -> bool {
    let key = |prefix: &str| {
        text.match_indices(prefix).any(|(at, _)| {
            let tail = &text.as_bytes()[at + prefix.len()..];
            tail.len() >= 16 && tail[..16].iter().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
        })
    };
    key("AKIA") || key("ASIA") || (text.contains("-----BEGIN ") && text.contains("PRIVATE KEY-----"))
}

/// Whether a text assigns a value to the name of a credential: `db_password=x`, `--token=x`, `{"secret": "x"}`.
pub fn given(text: &str) -> bool {
    let ends = |c: char| c.is_whitespace() || matches!(c, '{' | '}' | ',' | ';');
    let quotes = ['"', '\'', '-'];
    // Joins `"secret": "x"` into one word.
    let text = text.replace("\": ", "\":").replace("': ", "':");
    text.split(ends).any(|word| {
        let Some((name, value)) = word.split_once(['=', ':']) else { return false };
        let value = value.trim_matches(quotes);
        let plain = name.trim_matches(quotes);
        plain.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'))
            && named(plain)
            && !matches!(value, "" | "true" | "false" | "yes" | "no")
            && !value.starts_with(['$', '@', '/'])
    })
}

/// The name of the environment variable for a credential.
pub fn variable(name: &str) -> String {
    let name: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' }).collect();
    secret(&if name.starts_with(|c: char| c.is_ascii_digit()) || name.is_empty() { format!("_{name}") } else { name })
}

/// Name of the secret with the value of an environment variable. It is another name if ami-bake or the runner signs in
/// with the variable, whose value is never passed on.
pub fn secret(variable: &str) -> String {
    if signs_in(variable) { format!("BAKE_{variable}") } else { variable.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_recognised_by_name() {
        for name in [
            "docker_hub_password",
            "aws_access_key",
            "AWS_SECRET_ACCESS_KEY",
            "token",
            "db-passwd",
            "aws_access_key_id",
        ] {
            assert!(named(name), "{name}");
        }
        for name in [
            "chef_key_location",
            "ssh_private_key_file",
            "region",
            "secret_name",
            "keyboard",
            "tokenizer",
            "HELM_SECRETS_VERSION",
            "token_ttl",
        ] {
            assert!(!named(name), "{name}");
        }
    }

    #[test]
    fn what_the_runner_and_the_sdks_sign_in_with_is_known() {
        for name in [
            "AWS_ACCESS_KEY_ID",
            "aws_secret_access_key",
            "AWS_SESSION_TOKEN",
            "AWS_CONTAINER_AUTHORIZATION_TOKEN",
            "AWS_CONTAINER_CREDENTIALS_FULL_URI",
            "AWS_WEB_IDENTITY_TOKEN_FILE",
            "ACTIONS_RUNTIME_TOKEN",
            "ACTIONS_ID_TOKEN_REQUEST_URL",
            "INPUT_TOKEN",
            "GITHUB_TOKEN",
        ] {
            assert!(signs_in(name), "{name}");
        }
        for name in ["AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE", "AWS_ACCOUNT_ID", "GITHUB_SHA", "NPM_TOKEN"] {
            assert!(!signs_in(name), "{name}");
        }
    }

    #[test]
    fn assignments_are_recognised() {
        for text in
            ["db_password=x", "a=1 'api_token=y z'", "--token=x", "{\"secret\": \"x\", \"a\": 1}", "{\"secret\":\"x\"}"]
        {
            assert!(given(text), "{text}");
        }
        for text in ["a=1", "token=", "password=$P", "--vault-password-file=x", "@secrets.yml", "https://token:8080/x"]
        {
            assert!(!given(text), "{text}");
        }
    }

    #[test]
    fn credentials_are_recognised_by_form() {
        assert!(holds("export K=AKIAIOSFODNN7EXAMPLE"));
        assert!(holds("-----BEGIN RSA PRIVATE KEY-----\nx"));
        assert!(!holds("AKIA is a prefix"));
        assert_eq!(variable("db-pass.1"), "DB_PASS_1");
        assert_eq!(
            (variable("aws-secret-access-key"), secret("db_token")),
            ("BAKE_AWS_SECRET_ACCESS_KEY".to_owned(), "db_token".to_owned())
        );
        assert!(!signs_in(&secret("GITHUB_TOKEN")));
    }
}
