//! Credentials, region and role.

use super::Image;
use crate::context::Context;
use crate::input::Reader;

/// What gives a builder its rights: never copied.
const CREDENTIALS: [&str; 10] = [
    "access_key",
    "secret_key",
    "token",
    "profile",
    "shared_credentials_file",
    "mfa_code",
    "vault_aws_engine",
    "ssh_password",
    "winrm_password",
    "ssh_agent_auth",
];

pub(super) fn read(reader: &Reader, context: &Context, image: &mut Image) {
    for key in CREDENTIALS {
        if let Some(field) = reader.get(key) {
            let help = match key {
                "profile" => "Set AWS_PROFILE for the bake.",
                "ssh_password" | "winrm_password" | "ssh_agent_auth" => {
                    "The bake makes a key of its own for each machine."
                }
                _ => {
                    "The bake takes them from the environment, a profile or a role, as every AWS tool does; see `aws.role`."
                }
            };
            field.drop("credentials are not part of a manifest", help);
        }
    }
    if let Some(region) = reader.get("region")
        && let Some(value) = context.text(&region)
    {
        image.region = Some((value, (region.file().to_owned(), region.path().to_owned())));
    }
    if let Some(role) = reader.get("assume_role") {
        for item in role.items() {
            if let Some(arn) = item.get("role_arn") {
                image.role = context.text(&arn);
            }
            for (key, value) in item.entries().into_iter().filter(|(key, _)| *key != "role_arn") {
                value.drop(
                    format!("`{key}` of an assumed role can't be set"),
                    "Set it up in the profile of the environment, where the bake needs it.",
                );
            }
        }
    }
}
