//! Fields of Amazon's builders that are not imported, with the reason for each.

use crate::context::Context;
use crate::input::Reader;

/// Fields, why they are not imported, what to do.
const UNSUPPORTED: [(&[&str], &str, &str); 14] = [
    (
        &["force_deregister", "force_delete_snapshot"],
        "the bake never deregisters an image to reuse its name",
        "Use `${{ version }}` in the name, and set `publish.keep` to delete old images.",
    ),
    (
        &["ena_support", "sriov_support", "ami_virtualization_type", "boot_mode", "tpm_support", "uefi_data"],
        "the image inherits it from the source image",
        "",
    ),
    (
        &[
            "ssh_keypair_name",
            "ssh_private_key_file",
            "temporary_key_pair_name",
            "temporary_key_pair_bits",
            "ssh_certificate_file",
            "ssh_clear_authorized_keys",
            "ssh_key_exchange_algorithms",
            "ssh_ciphers",
            "ssh_public_key",
            "ssh_private_key",
        ],
        "the bake creates a key pair for each machine and removes it from the image",
        "",
    ),
    (
        &[
            "ssh_handshake_attempts",
            "ssh_keep_alive_interval",
            "ssh_read_write_timeout",
            "ssh_file_transfer_method",
            "ssh_disable_agent_forwarding",
            "ssh_local_tunnels",
            "ssh_remote_tunnels",
            "ssh_host",
            "pause_before_connecting",
        ],
        "the bake manages the connection itself",
        "",
    ),
    (
        &[
            "ssh_bastion_port",
            "ssh_bastion_username",
            "ssh_bastion_private_key_file",
            "ssh_bastion_password",
            "ssh_bastion_agent_auth",
            "ssh_bastion_interactive",
            "ssh_bastion_certificate_file",
        ],
        "not supported for `machine.connect.jump`",
        "`machine.connect.jump` uses a key file or the keys of the SSH agent.",
    ),
    (
        &[
            "ssh_proxy_host",
            "ssh_proxy_port",
            "ssh_proxy_username",
            "ssh_proxy_password",
            "session_manager_port",
            "pause_before_ssm",
        ],
        "SOCKS proxies and Session Manager are not supported",
        "Use `machine.connect.jump`.",
    ),
    (
        &[
            "aws_polling",
            "max_retries",
            "skip_region_validation",
            "skip_metadata_api_check",
            "skip_credential_validation",
            "skip_profile_validation",
            "decode_authorization_messages",
            "custom_endpoint_ec2",
            "insecure_skip_tls_verify",
        ],
        "settings of the AWS client are not part of a manifest",
        "Use the environment variables of the AWS SDK for endpoints and retries.",
    ),
    (
        &[
            "availability_zone",
            "placement",
            "tenancy",
            "capacity_reservation_preference",
            "capacity_reservation_id",
            "capacity_reservation_group_arn",
            "license_specifications",
        ],
        "the subnet decides where the machine runs",
        "Set `machine.subnet` to a subnet in that zone.",
    ),
    (
        &[
            "ebs_optimized",
            "enable_nitro_enclave",
            "enable_unlimited_credits",
            "enable_t2_unlimited",
            "shutdown_behavior",
            "no_ephemeral",
        ],
        "a setting of the build machine that does not affect the image",
        "",
    ),
    (
        &["disable_stop_instance"],
        "the bake stops the machine itself; steps must not stop it",
        "Remove the shutdown from the last script.",
    ),
    (
        &["skip_create_ami"],
        "a manifest always describes an image",
        "Use `ami-bake bake --until validate` to run the steps without creating an image.",
    ),
    (&["skip_save_build_region"], "the home region always has the image", "Choose a home region that should have it."),
    (&["snapshot_copy_duration_minutes", "ami_product_codes", "fast_launch"], "not supported", ""),
    (
        &[
            "winrm_username",
            "winrm_timeout",
            "winrm_use_ssl",
            "winrm_insecure",
            "winrm_port",
            "winrm_host",
            "winrm_no_proxy",
            "winrm_use_ntlm",
            "windows_password_timeout",
        ],
        "only SSH is supported",
        "",
    ),
];

/// Reports the unsupported fields of a builder.
pub(super) fn read(reader: &Reader, context: &Context) {
    let connected = reader.get("ssh_bastion_host").is_some();
    for (fields, why, help) in UNSUPPORTED {
        for name in fields {
            // Without a key file the jump host gets the keys of the SSH agent.
            let agent = *name == "ssh_bastion_agent_auth" && reader.get("ssh_bastion_private_key_file").is_none();
            if let Some(field) = reader.get(name).filter(|_| connected && agent) {
                field.mark_used();
                continue;
            }
            let carried = connected
                && matches!(*name, "ssh_bastion_port" | "ssh_bastion_username" | "ssh_bastion_private_key_file");
            if carried {
                continue;
            }
            if let Some(field) = reader.get(name) {
                // Empty and `false` mean unset; a variable's value may be empty, too.
                let value = Some(&field).filter(|field| field.value.is_scalar()).and_then(|field| context.words(field));
                let value = value.and_then(|words| words.known());
                let unset = matches!(value.as_deref(), Some("" | "false"));
                if unset && *name != "ena_support" {
                    field.mark_used();
                } else {
                    field.drop(why, help);
                }
            }
        }
    }
}
