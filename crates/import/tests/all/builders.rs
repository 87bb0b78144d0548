//! Tests of amazon-ebs and related builders.

use ami_bake_core::plan::AddressKind;

use crate::fixture::{ebs, template};

#[test]
fn a_source_by_filter_keeps_owner_name_and_other_filters() {
    template(
        r#"{"builders": [{"type": "amazon-ebs", "region": "eu-west-1", "instance_type": "t3.small", "ami_name": "x {{timestamp}}",
            "source_ami_filter": {"filters": {"name": "ubuntu-*", "architecture": "arm64", "root-device-type": "ebs"},
            "owners": ["099720109477"], "most_recent": true}}]}"#,
    )
    .says("      ami:\n        owner: \"099720109477\"\n        name: ubuntu-*\n        architecture: arm64\n        filters:\n          root-device-type: ebs\n");
}

#[test]
fn a_filter_without_owner_never_means_everyone() {
    template(
        r#"{"builders": [{"type": "amazon-ebs", "region": "eu-west-1", "ami_name": "x {{timestamp}}",
            "source_ami_filter": {"filters": {"name": "ubuntu-*"}}}]}"#,
    )
    .says("        owner: self\n")
    .reports("builders[0].source_ami_filter", "no owner");
}

#[test]
fn the_machine_comes_over() {
    ebs(
        r#""subnet_id": "subnet-1", "vpc_id": "vpc-1", "security_group_ids": ["sg-1", "sg-2"], "associate_public_ip_address": true,
           "iam_instance_profile": "baker", "spot_price": "auto", "ssh_timeout": "10m", "ssh_port": 2222, "ssh_interface": "private_ip",
           "temporary_security_group_source_cidrs": ["10.0.0.0/8"], "run_tags": {"team": "web"}, "run_volume_tags": {"team": "web"},
           "metadata_options": {"http_endpoint": "enabled", "http_tokens": "required", "http_put_response_hop_limit": 2},
           "ssh_bastion_host": "jump.example.com", "ssh_bastion_username": "ops""#,
        "",
    )
    .says("      type: t3.small\n      spot: true\n      user: ubuntu\n      profile: baker\n")
    .says("      metadata:\n        hops: 2\n      tags:\n        team: web\n      subnet: subnet-1\n      security-groups: [sg-1, sg-2]\n      public-ip: true\n      ingress: [\"10.0.0.0/8\"]\n")
    .says("      connect:\n        address: private\n        port: 2222\n        timeout: 10m\n        jump:\n          host: jump.example.com\n          user: ops\n          host-key: accept-new\n")
    .reports("builders[0].vpc_id", "the subnet is given by `subnet_id`");
}

#[test]
fn a_policy_for_a_temporary_profile_comes_over() {
    ebs(
        r#""temporary_iam_instance_profile_policy_document": {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": ["s3:Get*"], "Resource": "*"}]}"#,
        "",
    )
    .says("      policy:\n        Version: \"2012-10-17\"\n        Statement:\n          - Effect: Allow\n            Action: [s3:Get*]\n            Resource: \"*\"\n");
}

#[test]
fn disks_are_imported_and_the_root_disk_is_recognised() {
    ebs(
        r#""launch_block_device_mappings": [
             {"device_name": "/dev/sda1", "volume_size": 20, "volume_type": "gp3", "iops": 4000, "throughput": 200, "delete_on_termination": true},
             {"device_name": "/dev/sdf", "volume_size": "50", "encrypted": true},
             {"device_name": "/dev/sdb", "virtual_name": "ephemeral0"}],
           "ami_block_device_mappings": [{"device_name": "/dev/sdf", "volume_size": "50", "encrypted": true}, {"device_name": "/dev/sdz", "volume_size": 1}],
           "encrypt_boot": true, "kms_key_id": "alias/images""#,
        "",
    )
    .says("      disk:\n        size: 20\n        iops: 4000\n        throughput: 200\n        type: gp3\n        encrypted: true\n        kms-key: alias/images\n      volumes:\n        - device: /dev/sdf\n          size: 50\n          encrypted: true\n          delete-on-termination: false\n")
    .says("        - device: /dev/sdb\n          virtual-name: ephemeral0\n")
    .says("        - device: /dev/sdz\n          size: 1\n          delete-on-termination: false\n          empty: true\n          encrypted: true\n");
}

#[test]
fn what_is_published_comes_over() {
    ebs(
        r#""ami_description": "of {{ .SourceAMIName }}", "ami_regions": ["us-east-1", "us-west-2"], "region_kms_key_ids": {"us-east-1": "alias/a"},
           "ami_users": ["111122223333"], "ami_groups": ["all"], "imds_support": "v2.0", "deregistration_protection": {"enabled": true},
           "tags": {"source": "{{ .SourceAMI }}", "region": "{{ .BuildRegion }}", "os": "{{ .SourceAMITags.OS }}", "build": "{{build_name}}"},
           "snapshot_tags": {"build": "amazon-ebs"}, "force_deregister": true, "deprecate_at": "2030-01-01T00:00:00Z""#,
        "",
    )
    .says("    publish:\n      name: web ${{ timestamp }}\n      description: of ${{ source.name }}\n      regions:\n        - region: us-east-1\n          kms-key: alias/a\n        - us-west-2\n      share:\n        accounts: [\"111122223333\"]\n      tags:\n        source: ${{ source.id }}\n        region: ${{ region }}\n        os: ${{ source.tags.OS }}\n        build: amazon-ebs\n      protect: true\n")
    .reports("builders[0].force_deregister", "never deregisters")
    .reports("builders[0].deprecate_at", "a fixed date")
    .reports("builders[0].ami_groups", "a public image cannot be encrypted");
    ebs(r#""ami_groups": ["all"]"#, "").says("        public: true\n");
}

#[test]
fn lists_may_be_texts_with_commas() {
    template(
        r#"{"variables": {"regions": "us-east-1, us-west-2"}, "builders": [{"type": "amazon-ebs", "region": "eu-west-1", "source_ami": "ami-0123456789abcdef0",
            "ami_name": "x {{timestamp}}", "ami_regions": "{{user `regions`}}", "ami_users": ""}]}"#,
    )
    .says("      regions: ${{ vars.regions && split(replace(vars.regions, ' ', ''), ',') || null }}\n")
    .lacks("share");
}

#[test]
fn credentials_are_never_copied() {
    ebs(r#""access_key": "AKIAIOSFODNN7EXAMPLE", "secret_key": "wJalrXUtnFEMI", "token": "tok-123", "ssh_password": "hunter2", "tags": {"k": "AKIAIOSFODNN7EXAMPLE"}"#, "")
        .lacks("AKIA")
        .lacks("wJalr")
        .lacks("tok-123")
        .lacks("hunter2")
        .reports("builders[0].access_key", "credentials are not part")
        .reports("builders[0].tags.k", "contains a credential");
}

#[test]
fn builders_without_a_platform_are_named_and_the_rest_comes() {
    let done = template(
        r#"{"builders": [{"type": "openstack", "flavor": "2"}, {"type": "digitalocean"}, {"type": "amazon-instance"}, {"type": "virtualbox-iso"},
            {"type": "amazon-ebs", "name": "win", "communicator": "winrm"},
            {"type": "amazon-ebs", "region": "eu-west-1", "source_ami": "ami-0123456789abcdef0", "ami_name": "x {{timestamp}}"}],
            "provisioners": [{"type": "shell", "inline": ["true"], "only": ["openstack"]}, {"type": "shell", "inline": ["id"]}]}"#,
    );
    done.says("  amazon-ebs:\n")
        .says("      - run: id\n")
        .lacks("- run: \"true\"")
        .reports("builders[0]", "the builder type `openstack` is not supported")
        .reports("builders[1]", "`digitalocean`")
        .reports("builders[2]", "backed by S3")
        .reports("builders[3]", "`virtualbox-iso`")
        .reports("builders[4]", "Windows")
        .reports("provisioners[0]", "only runs on builders that were not imported");
    assert_eq!(done.imported.images, 1);
}

/// Builders with other kinds of disks would give other images.
#[test]
fn builders_of_other_disks_are_refused_by_name() {
    for (kind, why) in [
        ("amazon-ebssurrogate", "from an extra disk"),
        ("amazon-ebsvolume", "creates volumes"),
        ("amazon-chroot", "works on a volume"),
    ] {
        let done = template(&format!(
            r#"{{"builders": [{{"type": "{kind}", "region": "eu-west-1", "source_ami": "ami-0123456789abcdef0", "ami_name": "x {{{{timestamp}}}}",
                "launch_block_device_mappings": [{{"device_name": "/dev/xvdf", "volume_size": 8}}],
                "ami_root_device": {{"source_device_name": "/dev/xvdf", "device_name": "/dev/xvda"}}}}]}}"#
        ));
        assert!(done.imported.manifest.is_none());
        done.reports("builders[0]", why);
    }
}

/// The image has the same disks as Packer's: its root mapping, its further disks, and its scratch disk separately.
#[test]
fn disks_are_those_of_the_image() {
    let done = ebs(
        r#""name": "web", "launch_block_device_mappings": [
                {"device_name": "/dev/xvda", "volume_type": "gp2", "volume_size": 4, "delete_on_termination": true},
                {"device_name": "/dev/xvdb", "volume_size": 50, "volume_type": "gp3"}, {"device_name": "/dev/sdg", "volume_size": 100},
                {"device_name": "/dev/sda2", "volume_size": 3}],
            "ami_block_device_mappings": [{"device_name": "/dev/sdg", "no_device": true}, {"device_name": "/dev/sdh", "virtual_name": "ephemeral0"},
                {"device_name": "/dev/sdi", "volume_size": 7}, {"device_name": "/dev/xvda", "volume_type": "gp3", "volume_size": 20},
                {"device_name": "/dev/sdj", "no_device": true}, {"device_name": "/dev/sdk", "snapshot_id": "snap-0123456789abcdef0"}]"#,
        "",
    );
    let machine = done.plan(&[], &[]).machine;
    assert_eq!(machine.disk.size, Some(20));
    // Packer's default, which it sends of every disk.
    assert_eq!(machine.disk.delete_on_termination, Some(false));
    let volumes: Vec<_> = machine
        .volumes
        .iter()
        .map(|volume| {
            let kind = match (volume.scratch, volume.empty, volume.host.as_deref(), volume.snapshot.as_deref()) {
                (true, false, None, None) => "scratch",
                (false, true, None, None) => "empty",
                (false, false, Some(other), None) | (false, false, None, Some(other)) => other,
                (false, false, None, None) => "kept",
                _ => "several",
            };
            (volume.device.as_str(), volume.disk.size, kind, volume.disk.delete_on_termination)
        })
        .collect();
    let expected = [
        ("/dev/xvdb", Some(50), "kept", Some(false)),
        ("/dev/sdg", Some(100), "scratch", None),
        ("/dev/sda2", Some(3), "kept", Some(false)),
        ("/dev/sdh", None, "ephemeral0", None),
        ("/dev/sdi", Some(7), "empty", Some(false)),
        ("/dev/sdj", None, "scratch", None),
        ("/dev/sdk", None, "snap-0123456789abcdef0", Some(false)),
    ];
    assert_eq!(volumes, expected);
    done.reports("builders[0].ami_block_device_mappings[3]", "from the start");
}

/// Tags beyond EC2's limit are dropped one by one, those of the machine first.
#[test]
fn tags_that_do_not_fit_are_left_out_one_by_one() {
    let tags = |name: &str, count: usize| {
        (0..count).map(|at| format!("\"{name}{at:02}\": \"x\"")).collect::<Vec<_>>().join(", ")
    };
    let tags = format!(r#""name": "web", "run_tags": {{{}}}, "tags": {{{}}}"#, tags("run", 10), tags("own", 30));
    let done = ebs(&format!("{tags}, \"ami_users\": []"), "");
    let names: Vec<String> = done.plan(&[], &[]).settings.tags.into_keys().collect();
    assert_eq!(names.len(), 32, "{names:?}");
    assert!(names.contains(&"own29".to_owned()) && names.contains(&"run01".to_owned()), "{names:?}");
    done.reports("builders[0].run_tags.run02", "EC2 allows 50").reports("builders[0].run_tags.run09", "EC2 allows 50");
    let shared = ebs(&format!("{tags}, \"ami_users\": [\"123456789012\"]"), "");
    assert_eq!(shared.plan(&[], &[]).settings.tags.len(), 25);
    shared.reports("builders[0].tags.own25", "a bake sets 25 of them");
}

#[test]
fn the_address_of_the_connection_is_that_of_the_template() {
    for (interface, expected) in
        [("public_dns", AddressKind::Public), ("private_ip", AddressKind::Private), ("ipv6", AddressKind::Ipv6)]
    {
        let done = ebs(&format!(r#""name": "web", "ssh_interface": "{interface}""#), "");
        assert_eq!(done.plan(&[], &[]).machine.connect.address, Some(expected));
    }
}

/// Settings that all images share are written once; differences stay with each image.
#[test]
fn steps_that_all_images_share_stand_once() {
    let builder = |name: &str, user: &str| {
        format!(
            r#"{{"type": "amazon-ebs", "name": "{name}", "region": "eu-west-1", "source_ami": "ami-0123456789abcdef0", "ssh_username": "{user}", "ami_name": "{name} {{{{timestamp}}}}"}}"#
        )
    };
    let all = |second: &str| {
        let text = format!(
            r#"{{"builders": [{}, {}], "provisioners": [{{"type": "shell", "inline": ["id"]}}]}}"#,
            builder("a", "ubuntu"),
            builder("b", second)
        );
        template(&text).manifest().matches("- run: id").count()
    };
    assert_eq!(all("ubuntu"), 1);
    assert_eq!(all("admin"), 2);
}

#[test]
fn one_home_region_is_used_and_the_other_reported() {
    template(
        r#"{"builders": [
            {"type": "amazon-ebs", "name": "a", "region": "eu-west-1", "source_ami": "ami-0123456789abcdef0", "ami_name": "a {{timestamp}}"},
            {"type": "amazon-ebs", "name": "b", "region": "us-east-1", "source_ami": "ami-0123456789abcdef1", "ami_name": "b {{timestamp}}"}]}"#,
    )
    .says("aws:\n  region: eu-west-1\n")
    .reports("builders[1].region", "one home region");
}

/// The image also gets the machine's tags, as in Packer; a list of tags is a map.
#[test]
fn tags_of_the_machine_are_the_image_s_too() {
    let fields = r#""run_tags": {"team": "web", "stage": "bake"}, "tags": {"stage": "done"}, "tag": [{"key": "more", "value": "x"}], "snapshot_tag": [{"key": "more", "value": "x"}]"#;
    ebs(fields, "")
        .says("      tags:\n        team: web\n        stage: bake\n")
        .says("      tags:\n        team: web\n        stage: done\n        more: x\n")
        .lacks("snapshot_tag");
    ebs(&format!(r#"{fields}, "skip_ami_run_tags": true"#), "")
        .says("    publish:\n      name: web ${{ timestamp }}\n      tags:\n        stage: done\n");
}

/// The key of the home region is the disk's, one for a region without an image is reported, and `encrypt_boot` applies
/// to every disk.
#[test]
fn encryption_means_every_disk_and_every_region() {
    ebs(
        r#""encrypt_boot": true, "kms_key_id": "alias/lost", "ami_regions": ["eu-west-1", "us-east-1", "us-west-2"],
           "region_kms_key_ids": {"eu-west-1": "alias/home", "us-east-1": "", "us-west-2": "alias/west", "us-west-1": "alias/none"},
           "launch_block_device_mappings": [{"device_name": "/dev/sda1", "volume_size": 8}, {"device_name": "/dev/sdf", "volume_size": 1}, {"device_name": "/dev/sdg", "volume_size": 2, "encrypted": false}]"#,
        "",
    )
    .says("      disk:\n        size: 8\n        delete-on-termination: false\n        encrypted: true\n        kms-key: alias/home\n")
    .says("        - device: /dev/sdf\n          size: 1\n          delete-on-termination: false\n          encrypted: true\n          kms-key: alias/lost\n        - device: /dev/sdg\n          size: 2\n          encrypted: false\n")
    .says("      regions:\n        - us-east-1\n        - region: us-west-2\n          kms-key: alias/west\n")
    .reports("builders[0].region_kms_key_ids.us-west-1", "not published");
}

#[test]
fn instance_stores_and_flags_that_are_off() {
    ebs(
        r#""ami_block_device_mappings": [{"device_name": "/dev/sdb", "virtual_name": "ephemeral0"}], "force_deregister": "{{user `off`}}",
           "ebs_optimized": false, "spot_price": "{{user `price`}}", "imds_support": "v2.0""#,
        "",
    )
    .says("        - device: /dev/sdb\n          virtual-name: ephemeral0\n")
    .reports("builders[0].spot_price", "only known during the bake")
    .lacks("ebs_optimized")
    .lacks("IMDSv2");
    ebs("", "").reports("builders[0]", "IMDSv2");
}

#[test]
fn an_owner_among_the_filters_is_the_owner() {
    template(
        r#"{"builders": [{"type": "amazon-ebs", "region": "eu-west-1", "ami_name": "x {{timestamp}}",
            "source_ami_filter": {"filters": {"name": "al2023-*", "owner-alias": "amazon"}}}]}"#,
    )
    .says("      ami:\n        owner: amazon\n        name: al2023-*\n");
}

/// In Packer, images with one name differ by the second or by a random number.
#[test]
fn images_of_one_name_get_names_of_their_own() {
    let builder = |name: &str| {
        format!(
            r#"{{"type": "amazon-ebs", "name": "{name}", "region": "eu-west-1", "source_ami": "ami-0123456789abcdef0", "ami_name": "x {{{{uuid}}}}"}}"#
        )
    };
    template(&format!(r#"{{"builders": [{}, {}]}}"#, builder("a"), builder("b")))
        .says("      name: x ${{ timestamp }}\n")
        .says("      name: x ${{ timestamp }}-${{ image }}\n")
        .reports("builders[1].ami_name", "the name of the image was appended");
}

/// Every setting of the plug-in (packer-plugin-amazon 1.8, builder/ebs/builder.hcl2spec.go) is imported or reported with a
/// specific reason.
#[test]
fn every_setting_of_amazon_ebs_is_known() {
    const SETTINGS: &str = "access_key assume_role custom_endpoint_ec2 shared_credentials_file decode_authorization_messages insecure_skip_tls_verify max_retries mfa_code profile secret_key \
        skip_metadata_api_check skip_credential_validation token vault_aws_engine aws_polling ami_description ami_virtualization_type ami_users ami_groups ami_org_arns ami_ou_arns ami_product_codes \
        ami_regions skip_region_validation tags tag ena_support sriov_support force_deregister force_delete_snapshot encrypt_boot kms_key_id region_kms_key_ids skip_save_build_region imds_support \
        deprecate_at snapshot_tags snapshot_tag snapshot_users snapshot_groups snapshot_copy_duration_minutes deregistration_protection associate_public_ip_address availability_zone \
        block_duration_minutes capacity_reservation_preference capacity_reservation_group_arn capacity_reservation_id disable_stop_instance ebs_optimized enable_nitro_enclave enable_t2_unlimited \
        enable_unlimited_credits iam_instance_profile skip_profile_validation temporary_iam_instance_profile_policy_document shutdown_behavior fleet_tags fleet_tag run_tags run_tag \
        security_group_filter security_group_id security_group_ids source_ami_filter spot_allocation_strategy spot_instance_types spot_price spot_price_auto_product spot_tags spot_tag subnet_filter \
        subnet_id license_specifications placement tenancy temporary_security_group_source_cidrs temporary_security_group_source_public_ip user_data user_data_file vpc_filter vpc_id \
        windows_password_timeout metadata_options pause_before_connecting ssh_host ssh_port ssh_password ssh_keypair_name temporary_key_pair_name temporary_key_pair_type \
        temporary_key_pair_bits ssh_ciphers ssh_clear_authorized_keys ssh_key_exchange_algorithms ssh_private_key_file ssh_certificate_file ssh_pty ssh_timeout ssh_wait_timeout ssh_agent_auth \
        ssh_disable_agent_forwarding ssh_handshake_attempts ssh_bastion_host ssh_bastion_port ssh_bastion_agent_auth ssh_bastion_username ssh_bastion_password ssh_bastion_interactive \
        ssh_bastion_private_key_file ssh_bastion_certificate_file ssh_file_transfer_method ssh_proxy_host ssh_proxy_port ssh_proxy_username ssh_proxy_password ssh_keep_alive_interval \
        ssh_read_write_timeout ssh_remote_tunnels ssh_local_tunnels ssh_public_key ssh_private_key winrm_username winrm_password winrm_host winrm_no_proxy winrm_port winrm_timeout winrm_use_ssl \
        winrm_insecure winrm_use_ntlm ssh_interface pause_before_ssm session_manager_port skip_create_ami skip_ami_run_tags ami_block_device_mappings launch_block_device_mappings run_volume_tags \
        run_volume_tag no_ephemeral fast_launch";
    let value = |name: &str| match name {
        "tags" | "snapshot_tags" | "run_tags" | "fleet_tags" | "spot_tags" | "run_volume_tags" => r#"{"a": "b"}"#,
        "tag" | "snapshot_tag" | "run_tag" | "fleet_tag" | "spot_tag" | "run_volume_tag" => {
            r#"[{"key": "c", "value": "d"}]"#
        }
        "region_kms_key_ids" => r#"{"us-east-1": "alias/a"}"#,
        "assume_role" => {
            r#"{"role_arn": "arn:aws:iam::111122223333:role/x", "policy_arns": ["a"], "tags": {"a": "b"}}"#
        }
        "metadata_options" => {
            r#"{"http_endpoint": "disabled", "http_tokens": "optional", "http_put_response_hop_limit": 2, "instance_metadata_tags": "enabled"}"#
        }
        "deregistration_protection" => r#"{"enabled": true, "with_cooldown": true}"#,
        "launch_block_device_mappings" | "ami_block_device_mappings" => {
            r#"[{"device_name": "/dev/sdf", "volume_size": 1, "volume_type": "gp3", "iops": 3000, "throughput": 125, "encrypted": true, "kms_key_id": "alias/x",
                "delete_on_termination": false, "snapshot_id": "snap-1", "omit_from_artifact": true, "volume_initialization_rate": 100, "virtual_name": "", "no_device": false}]"#
        }
        "temporary_iam_instance_profile_policy_document" => r#"{"Version": "2012-10-17", "Statement": []}"#,
        "source_ami_filter" => {
            r#"{"filters": {"name": "x"}, "owners": ["self"], "most_recent": true, "include_deprecated": true}"#
        }
        _ if name.starts_with("skip_") || name.starts_with("ssh_pty") => "true",
        _ => "\"1\"",
    };
    let fields: Vec<String> = SETTINGS.split_whitespace().map(|name| format!("\"{name}\": {}", value(name))).collect();
    let done = ebs(&fields.join(", "), "");
    assert_eq!(done.unknown(), Vec::<&str>::new());
}

/// A source image that would be looked up with a part of its filter is another image.
#[test]
fn a_filter_that_is_not_whole_must_be_replaced() {
    let hcl = crate::hcl::whole(
        r#"source_ami_filter {
            owners  = ["099720109477"]
            filters = { name = local.names[var.system], virtualization-type = "hvm" }
        }"#,
        "",
        r#"variable "system" { type = string }
        locals { names = { noble = "ubuntu-noble-*", jammy = "ubuntu-jammy-*" } }"#,
    );
    let done = crate::hcl::template(&hcl.replace("source_ami    = \"ami-0123456789abcdef0\"", ""));
    done.says("        id: ${{ vars.source-ami }}\n")
        .says("  # The source image of web.\n  source-ami: null\n")
        .lacks("name: \"*\"")
        .reports("source.amazon-ebs.web.source_ami_filter", "the source image must be set");
    let refused = done.try_plan("web", &[], &[]).unwrap_err();
    assert!(refused.contains("source-ami"), "{refused}");
    done.plan(&[], &[("source-ami", "ami-0123456789abcdef0")]);
}

/// Snapshots are shared with those who get the image; anything else is reported, and nothing that is imported is.
#[test]
fn snapshots_are_shared_with_the_image() {
    let reported = |fields: &str| -> Vec<String> {
        let done = ebs(fields, "");
        let own = done.imported.findings.iter().filter(|finding| finding.path.contains("_users"));
        own.map(|finding| format!("{}: {}", finding.path, finding.why)).collect()
    };
    let none: Vec<String> = Vec::new();
    assert_eq!(reported(r#""ami_users": ["111122223333"], "snapshot_users": "111122223333""#), none);
    assert_eq!(reported(r#""ami_users": "{{user `a`}}", "snapshot_users": "{{user `a`}}""#), none);
    assert_eq!(reported(r#""ami_users": "", "snapshot_users": [], "region_kms_key_ids": {}"#), none);
    let why = "builders[0].snapshot_users: snapshots are shared with the same accounts as the image";
    assert_eq!(reported(r#""ami_users": ["111122223333"], "snapshot_users": "{{user `a`}}""#), [why]);
}

/// Networks that are found by their tags.
#[test]
fn subnets_and_vpcs_may_be_filters() {
    let subnet = |fields: &str| ebs(fields, "");
    subnet(r#""subnet_filter": {"filters": {"tag:Class": "build", "tag:Zone": "{{user `z`}}"}, "most_free": true},
        "vpc_filter": {"filters": {"tag:Name": "images"}}"#)
        .says("      subnet:\n        tags:\n          Class: build\n          Zone: ${{ vars.z }}\n        vpc:\n          tags:\n            Name: images\n");
    subnet(r#""subnet_filter": {"filters": {"vpc-id": "vpc-0123456789abcdef0", "tag:A": "b"}, "random": true}"#)
        .says("        tags:\n          A: b\n        vpc: vpc-0123456789abcdef0\n")
        .reports("builders[0].subnet_filter", "the one with the most free addresses first");
    subnet(r#""vpc_id": "vpc-0123456789abcdef0""#).says("      subnet:\n        vpc: vpc-0123456789abcdef0\n");
    subnet(r#""subnet_id": "subnet-0123456789abcdef0", "vpc_filter": {"filters": {"isDefault": "true"}}"#)
        .says("      subnet: subnet-0123456789abcdef0\n")
        .reports("builders[0].vpc_filter", "the subnet is given by `subnet_id`");
    // A part of a filter would find other networks.
    subnet(r#""subnet_filter": {"filters": {"tag:A": "b", "availability-zone": "eu-west-1a"}, "most_free": true}"#)
        .lacks("subnet:")
        .reports("builders[0].subnet_filter", "`availability-zone` of networks is not supported");
    subnet(r#""subnet_filter": {"filters": {"tag:A": "b"}}, "vpc_filter": {"filters": {"tag:B": "c", "isDefault": "false"}}"#)
        .lacks("subnet:")
        .lacks("are tried")
        .reports("builders[0].vpc_filter", "`isDefault` of networks is not supported")
        .reports("builders[0].subnet_filter", "the network filter that belongs to it is not imported");
    subnet(r#""security_group_filter": {"filters": {"tag:A": "b"}}"#)
        .reports("builders[0].security_group_filter", "filters for security groups are not supported");
}
