//! Images that CIS, STIG and FIPS leave: built, sealed, captured and tested.

use crate::fixture::{Fixture, WEB, file_of};

/// A web server that listens on all addresses of the machine, on every boot.
const SERVER: &str = "      - run: |
          printf '#!/bin/sh\\ncd /srv && exec python3 -m http.server 8093 --bind 0.0.0.0\\n' > /usr/local/bin/serve
          chmod +x /usr/local/bin/serve
";

/// FIPS leaves ECDSA and RSA keys and NIST curves, and old systems know RSA alone: each machine offers its own types, and
/// a key of them works, in the build and in the test.
#[test]
fn fips_algorithms_are_spoken() {
    let fixture = Fixture::new(&format!(
        "{WEB}    build:
      - run: |
          printf 'HostKeyAlgorithms ecdsa-sha2-nistp256,rsa-sha2-512\\nPubkeyAcceptedAlgorithms ecdsa-sha2-nistp256,rsa-sha2-512\\nKexAlgorithms ecdh-sha2-nistp384\\n' > /etc/ssh/sshd_config.d/00.conf
      - reboot: true
      - run: sed -i 's/ecdsa-sha2-nistp256,//' /etc/ssh/sshd_config.d/00.conf
    test:
      - run: |
          grep -qxF 'HostKeyAlgorithms rsa-sha2-512' /etc/ssh/sshd_config.d/00.conf
          grep -qxF 'PubkeyAcceptedAlgorithms rsa-sha2-512' /etc/ssh/sshd_config.d/00.conf
"
    ));
    fixture.bake().exits(0);
    fixture.holds_only(&["shop/web/0.1.0"]);
    let image = fixture.cloud.images().into_iter().find(|image| image["name"] == "shop/web/0.1.0").unwrap();
    let keys = file_of(&image, "home/ubuntu/.ssh/authorized_keys");
    assert!(keys.is_none_or(|keys| keys.trim().is_empty()), "a login key of the bake stays in the image");
}

/// sudo in a terminal alone: the image is tested as it was built.
#[test]
fn requiretty_is_no_obstacle() {
    let fixture = Fixture::new(&format!(
        "{WEB}    build:
      - run: echo 'Defaults requiretty' > /etc/sudoers.d/zz
    test:
      - run: test \"$(id -u)\" = 0
"
    ));
    fixture.bake().exits(0);
    fixture.holds_only(&["shop/web/0.1.0"]);
}

/// The image lets nobody in: it is tested by its boot and by its ports.
#[test]
fn an_image_without_a_login_is_tested_from_outside() {
    let fixture = Fixture::new(&format!(
        "{WEB}    machine:
      user-data: |
        #!/bin/sh
        if [ -x /usr/local/bin/serve ]; then /usr/local/bin/serve >/dev/null 2>&1 </dev/null & fi
    build:
{SERVER}      - run: |
          echo 'ubuntu ALL=(ALL) ALL' > /etc/sudoers.d/ubuntu
          echo 'AllowUsers deploy' > /etc/ssh/sshd_config.d/00.conf
          rm -f /usr/sbin/sshd
    test-connect: none
    test:
      - expect: {{http: {{port: 8093}}}}
      - expect: {{port: {{port: 8092, open: false}}}}
        timeout: 10s
"
    ));
    let baked = fixture
        .bake()
        .exits(0)
        .says("EC2 status checks passed, its console shows the end of the boot")
        .says("Tested web without a login (`");
    assert!(baked.stdout.contains("tested without a login"), "{}", baked.stdout);
    fixture.holds_only(&["shop/web/0.1.0"]);
    let shown = fixture.run(&["images", "show", "web"]).exits(0);
    assert!(shown.stdout.contains(", without a login"), "{}", shown.stdout);
    assert_eq!(fixture.report()["images"][0]["image"]["tags"]["ami-bake:test-connect"], "none");
}

/// Without `test-connect` the error says what to do.
#[test]
fn a_login_that_the_image_forbids_is_explained() {
    let fixture = Fixture::new(&format!(
        "{WEB}    machine: {{connect: {{timeout: 20s}}}}
    build:
      - run: echo 'AllowUsers deploy' > /etc/ssh/sshd_config.d/00.conf
"
    ));
    fixture.bake().exits(6).says("refuses the login of user ubuntu").says("-connect: none`");
    fixture.holds_only(&[]);
}

/// The same for an image whose sudo asks for a password, and for one without an SSH server.
#[test]
fn an_image_that_the_test_can_not_use_is_explained() {
    for step in ["echo 'ubuntu ALL=(ALL) ALL' > /etc/sudoers.d/ubuntu", "rm -f /usr/sbin/sshd"] {
        let fixture = Fixture::new(&format!(
            "{WEB}    machine: {{connect: {{timeout: 15s}}}}\n    build:\n      - run: |\n          {step}\n"
        ));
        fixture.bake().exits(6).says("-connect: none`");
        fixture.holds_only(&[]);
    }
}
