//! Fields of Amazon's builders that have no counterpart, with the reason of each.

use crate::context::Context;
use crate::input::Reader;

/// Field, why it does not come over, what to do.
const LEFT: [(&[&str], &str, &str); 14] = [
    (
        &["force_deregister", "force_delete_snapshot"],
        "no image is deregistered to make place for another of its name",
        "Put `${{ version }}` into the name, and set `publish.keep` for what may go.",
    ),
    (
        &["ena_support", "sriov_support", "ami_virtualization_type", "boot_mode", "tpm_support", "uefi_data"],
        "the image has what its source image has",
        "",
    ),
    (
        &[
            "ssh_keypair_name",
            "ssh_private_key_file",
            "temporary_key_pair_name",
            "temporary_key_pair_type",
            "temporary_key_pair_bits",
            "ssh_certificate_file",
            "ssh_clear_authorized_keys",
            "ssh_key_exchange_algorithms",
            "ssh_ciphers",
            "ssh_public_key",
            "ssh_private_key",
        ],
        "the bake makes a key of its own for each machine, and takes it out of the image",
        "",
    ),
    (
        &[
            "ssh_pty",
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
        "the connection looks after itself",
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
        "it is not part of `machine.connect.jump` as it stands",
        "Look at `machine.connect.jump`: a key's file, or the agent's keys.",
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
        "there are no SOCKS proxies and no Session Manager here",
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
        "how AWS is asked is not set in a manifest",
        "Endpoints and retries follow AWS's own environment variables.",
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
        "where in a region the machine runs is decided by its subnet",
        "Set `machine.subnet` to a subnet of that zone.",
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
        "it is a setting of the build machine that no image depends on",
        "",
    ),
    (
        &["disable_stop_instance"],
        "the bake stops the machine itself, and a step must not",
        "Take what stops it out of the last script.",
    ),
    (
        &["skip_create_ami"],
        "a manifest always says how an image is made",
        "Use `ami-bake bake --until validate` for a build without an image.",
    ),
    (&["skip_save_build_region"], "the home region always has the image", "Bake in a region that is meant to have it."),
    (
        &["snapshot_copy_duration_minutes", "ami_product_codes", "fast_launch"],
        "it has no counterpart in publishing",
        "",
    ),
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
        "there is only SSH here",
        "",
    ),
];

/// Tells of those that are still there.
pub(super) fn read(reader: &Reader, context: &Context) {
    let connected = reader.get("ssh_bastion_host").is_some();
    for (fields, why, help) in LEFT {
        for name in fields {
            let carried = connected
                && matches!(*name, "ssh_bastion_port" | "ssh_bastion_username" | "ssh_bastion_private_key_file");
            if carried {
                continue;
            }
            if let Some(field) = reader.get(name) {
                // Empty means unset, and a flag that is off says what holds without it. A variable may say so too.
                let value = field.node.scalar().and_then(|_| context.words(&field)).and_then(|words| words.known());
                let unset = matches!(value.as_deref(), Some("" | "false"));
                if unset && *name != "ena_support" {
                    field.tick();
                } else {
                    field.drop(why, help);
                }
            }
        }
    }
}
