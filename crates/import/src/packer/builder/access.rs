//! Converts credentials, region and role.

use crate::context::Context;
use crate::input::Reader;
use crate::packer::build::ImageDraft;

/// Fields with credentials, which are never copied.
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

pub(super) fn read<'a>(reader: &Reader<'a>, context: &Context, image: &mut ImageDraft<'a>) {
    for key in CREDENTIALS {
        if let Some(field) = reader.get(key) {
            let help = match key {
                "profile" => "Set AWS_PROFILE for the bake.",
                "ssh_password" | "winrm_password" | "ssh_agent_auth" => "The bake creates a key pair for each machine.",
                _ => "The bake uses the environment, a profile or a role, like every AWS tool; see `aws.role`.",
            };
            field.drop("credentials are not part of a manifest", help);
        }
    }
    if let Some(region) = reader.get("region")
        && let Some(value) = context.text(&region)
    {
        image.region = Some((value, region));
    }
    if let Some(role) = reader.get("assume_role") {
        for item in role.items() {
            if let Some(arn) = item.get("role_arn") {
                image.role = context.text(&arn);
            }
            for (key, value) in item.entries().into_iter().filter(|(key, _)| *key != "role_arn") {
                value.drop(
                    format!("`{key}` of an assumed role is not supported"),
                    "If the bake needs it, configure it in an AWS profile.",
                );
            }
        }
    }
}
