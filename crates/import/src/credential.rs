//! What counts as a credential: its value is never copied.

/// Whether a name suggests that its value is a credential.
pub(crate) fn named(name: &str) -> bool {
    let name = name.to_ascii_lowercase().replace(['-', '.', ' '], "_");
    let words: Vec<&str> = name.split('_').filter(|word| !word.is_empty()).collect();
    // Names of something that only refers to a credential.
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

/// Whether a text contains a credential that is known by its form: an access key of AWS, a private key.
pub(crate) fn holds(text: &str) -> bool {
    let key = |prefix: &str| {
        text.match_indices(prefix).any(|(at, _)| {
            let tail = &text.as_bytes()[at + prefix.len()..];
            tail.len() >= 16 && tail[..16].iter().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
        })
    };
    key("AKIA") || key("ASIA") || (text.contains("-----BEGIN ") && text.contains("PRIVATE KEY-----"))
}

/// Whether a text assigns a value to the name of a credential: `db_password=x`, `--token=x`, `{"secret": "x"}`.
pub(crate) fn given(text: &str) -> bool {
    let ends = |c: char| c.is_whitespace() || matches!(c, '{' | '}' | ',' | ';');
    let quotes = ['"', '\'', '-'];
    // Joins `"secret": "x"` to one word.
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
pub(crate) fn variable(name: &str) -> String {
    let name: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' }).collect();
    if name.starts_with(|c: char| c.is_ascii_digit()) || name.is_empty() { format!("_{name}") } else { name }
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
    }
}
