//! Tests of packages, scan and seal, in a throw-away copy of this system. They need root.

use std::fs;

use ami_bake_core::event::Event;
use ami_bake_core::plan::{ImageSettings, Keep};
use ami_bake_core::provision::{Login, Provisioner as _};
use ami_bake_testkit::shell::HostShell;

use crate::fixture::{Fixture, whole};

/// All progress messages and warnings so far.
fn reported(fixture: &mut Fixture) -> (Vec<String>, Vec<String>) {
    let (mut progress, mut warnings) = (Vec::new(), Vec::new());
    while let Some(envelope) = fixture.events.try_recv() {
        match envelope.event {
            Event::Progress { message } => progress.push(message),
            Event::Warning { message, .. } => warnings.push(message),
            _ => {}
        }
    }
    (progress, warnings)
}

fn settings(keep: &[Keep], allow: &[&str]) -> ImageSettings {
    let allow = allow.iter().map(ToString::to_string).collect();
    ImageSettings { keep: keep.to_vec(), allow, ..ImageSettings::default() }
}

/// The text of a private key, assembled so that this file does not contain one.
fn key(kind: &str) -> String {
    let body = "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWZnaGlqa2xtbm9wcXJzdHV2d3h5\n".repeat(3);
    format!("-----BEGIN {kind}-----\n{body}-----END {kind}-----\n")
}

#[tokio::test]
async fn packages_are_listed_and_sorted() {
    let fixture = Fixture::new();
    let packages = fixture.runner.packages(&fixture.run, &fixture.on()).await.unwrap();
    assert!(packages.is_sorted());
    let dpkg = packages.iter().find(|package| package.name == "dpkg").expect("this system has dpkg");
    let version = fixture.shell.sh("dpkg-query -W -f '${Version}' dpkg").await;
    assert_eq!(dpkg.version, version);
}

#[tokio::test]
async fn the_scan_finds_what_changed_and_only_that() {
    let secret = format!("hunter2-{}", std::process::id() * 7919);
    let pem = format!("line one\n{}\nend", "Zm9vYmFyYmF6cXV4".repeat(3));
    let secrets = [("TOKEN", secret.as_str()), ("PEM", pem.as_str()), ("PIN", "1234")];
    let mut fixture = Fixture::with(&secrets, HostShell::sandbox().await);
    let write = |path: &str, content: &str| {
        let path = fixture.shell.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    };
    // Written before the bake, so it is not reported.
    write("/opt/before/config", &format!("token={secret}"));
    write("/opt/before/key.pem", &key("PRIVATE KEY"));
    tokio::time::sleep(std::time::Duration::from_millis(2100)).await;
    fixture.runner.begin(&fixture.run, &fixture.on()).await.unwrap();
    fixture.runner.scan(&fixture.run, &fixture.on(), &settings(&[], &[])).await.unwrap();

    write("/etc/app/config", &format!("\0\u{1}binary token={secret}\0"));
    // An old modification time, as archives set it, does not hide a file.
    fixture.shell.sh("touch -d '2001-01-01' /etc/app/config").await;
    write("/opt/a folder/it's pem", &format!("x {} y", "Zm9vYmFyYmF6cXV4".repeat(3)));
    let error = fixture.runner.scan(&fixture.run, &fixture.on(), &settings(&[], &["/**"])).await.unwrap_err();
    let text = whole(&error);
    assert!(text.starts_with("the image would contain declared secrets, in:\n  /etc/app/config (the secret `TOKEN`)\n  /opt/a folder/it's pem (the secret `PEM`) | "), "{text}");
    assert!(!text.contains(&secret), "{text}");
    assert!(fixture.shell.commands.lock().unwrap().iter().all(|line| !line.contains(&secret)));
    fixture.shell.sh("rm -r /etc/app '/opt/a folder'").await;

    write("/root/.ssh/id_ed25519", &key("OPENSSH PRIVATE KEY"));
    write("/srv/rsa.pem", &key("RSA PRIVATE KEY").replace('\n', "\r\n"));
    write("/etc/ssh/ssh_host_new_key", &key("OPENSSH PRIVATE KEY"));
    write("/etc/ssl/private/ssl-cert-snakeoil.key", &key("PRIVATE KEY"));
    write("/srv/document", "the header is\n-----BEGIN RSA PRIVATE KEY-----\nand then base64\n");
    write("/srv/allowed/ca.key", &key("EC PRIVATE KEY"));
    let allow = settings(&[], &["/srv/allowed/*"]);
    reported(&mut fixture);
    let text = whole(&fixture.runner.scan(&fixture.run, &fixture.on(), &allow).await.unwrap_err());
    assert!(
        text.starts_with(
            "the image would contain private keys, in:\n  /root/.ssh/id_ed25519\n  /srv/rsa.pem | Delete them"
        ),
        "{text}"
    );
    let (_, warnings) = reported(&mut fixture);
    assert!(warnings.iter().any(|text| text.contains("`PIN` is too short")), "{warnings:?}");
    assert!(warnings.iter().any(|text| text.contains("ssl-cert-snakeoil.key")), "{warnings:?}");
    fixture.shell.sh("rm /root/.ssh/id_ed25519 /srv/rsa.pem").await;
    fixture.runner.scan(&fixture.run, &fixture.on(), &allow).await.unwrap();
    assert_eq!(fixture.shell.sh("ls -A /dev/shm /run | grep -c '^.ami-bake' || true").await, "0\n");
}

/// Credential files of common tools, each with and without a credential.
const CREDENTIALS: [(&str, &str, &str); 12] = [
    (
        ".docker/config.json",
        r#"{"auths": {"registry.test": {"auth":
        "%"}}}"#,
        r#"{"auths": {"registry.test": {}}, "credsStore": "ecr-login", "auth": ""}"#,
    ),
    (".git-credentials", "https://me:%@git.test\n", "# https://me:x@git.test\nhttps://git.test/a@b\n"),
    (
        ".npmrc",
        "//registry.test/:_authToken=%\n",
        "registry=https://registry.test\n;_auth=x\n//registry.test/:_authToken=${NPM_TOKEN}\n_password=\n",
    ),
    (".netrc", "machine git.test\n login me\n password\n  %\n", "machine git.test login me\n# password x\n"),
    (".pypirc", "[pypi]\nusername = __token__\npassword = %\n", "[pypi]\nrepository: https://pypi.test\npassword =\n"),
    (".aws/credentials", "[default]\naws_access_key_id = AKIA\naws_secret_access_key = %\n", ""),
    (".aws/config", "[default]\naws_session_token=%\n", "[default]\nregion = us-east-1\ncredential_process = /bin/x\n"),
    (
        ".kube/config",
        "users:\n- name: me\n  user:\n    token: %\n",
        "clusters: []\nusers:\n- name: me\n  user:\n    token: null\n    client-key: /var/lib/key\n# token: x\n",
    ),
    (
        ".kube/dev.kubeconfig",
        r#"{"users": [{"user": {"client-key-data": "%"}}]}"#,
        r#"{"users": [{"user": {"token": ""}}]}"#,
    ),
    (
        "infra/terraform.tfstate",
        r#"{"version": 4, "resources": [ {"instances": [{"attributes": {"x": "%"}}]}]}"#,
        r#"{"version": 4, "outputs": {}, "resources": []}"#,
    ),
    (
        "infra/terraform.tfstate.backup",
        r#"{"outputs": {"db": {"value": "%", "sensitive": true}}}"#,
        r#"{"outputs": {"url": {"value": "x"}}}"#,
    ),
    (".config/git/credentials", "https://%@git.test\n", "\n"),
];

/// Writes the credential files into these homes, and returns their paths.
fn write_credentials(fixture: &Fixture, homes: &[&str], value: Option<&str>) -> Vec<String> {
    let mut paths = Vec::new();
    for home in homes {
        for (name, with, without) in CREDENTIALS {
            let path = format!("{home}/{name}");
            let file = fixture.shell.path(&path);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, value.map_or_else(|| without.to_owned(), |value| with.replace('%', value))).unwrap();
            paths.push(path);
        }
    }
    paths.sort();
    paths
}

#[tokio::test]
async fn the_scan_knows_the_credential_files_of_common_tools() {
    let mut fixture = Fixture::with(&[], HostShell::sandbox().await);
    fixture.runner.begin(&fixture.run, &fixture.on()).await.unwrap();
    let value = "cGxhaW4tdmFsdWUtNDcxMQ";
    let homes = ["/root", "/home/web"];
    let files = write_credentials(&fixture, &homes, Some(value));
    fixture.machine.changes = Some(files.iter().map(Into::into).collect());
    let text = whole(&fixture.runner.scan(&fixture.run, &fixture.on(), &settings(&[], &[])).await.unwrap_err());
    assert!(!text.contains(value), "{text}");
    assert!(text.contains("and 4 more files | Delete them in the step"), "{text}");
    for path in &files[..20] {
        assert!(text.contains(&format!("\n  {path}\n")), "{path}: {text}");
    }
    // One home: each file by its name, files allowed by patterns, and files found by time only.
    fixture.shell.sh("rm -r /home/web").await;
    let allow = settings(&[], &["/root/**"]);
    fixture.runner.scan(&fixture.run, &fixture.on(), &allow).await.unwrap();
    fixture.machine.changes = None;
    let error = fixture.runner.scan(&fixture.run, &fixture.on(), &settings(&[], &["/root/.aws/*"])).await.unwrap_err();
    let found: Vec<&str> = error.message().lines().skip(1).map(str::trim).collect();
    let expected: Vec<&String> =
        files.iter().filter(|path| path.starts_with("/root") && !path.starts_with("/root/.aws/")).collect();
    assert_eq!(found, expected, "{}", error.message());
    write_credentials(&fixture, &["/root"], None);
    fixture.runner.scan(&fixture.run, &fixture.on(), &settings(&[], &[])).await.unwrap();
}

/// Files that the seal removes are not in the image: a secret in them does not fail the bake, unless they are kept.
#[tokio::test]
async fn a_secret_in_a_file_that_is_removed_does_not_fail_the_bake() {
    let fixture = Fixture::with(&[("TOKEN", "hunter2-4711")], HostShell::sandbox().await);
    fixture.runner.begin(&fixture.run, &fixture.on()).await.unwrap();
    let write = "mkdir -p /var/log/app /var/lib/cloud/instances/i-1; for f in /var/log/app/x.log /var/log/old.1 /tmp/t /var/tmp/t \
                 /root/.bash_history /var/lib/cloud/instances/i-1/user-data.txt; do echo hunter2-4711 >$f; done";
    fixture.shell.sh(write).await;
    let keep = settings(&[Keep::Logs], &[]);
    fixture.runner.clean(&fixture.run, &fixture.on(), &keep).await.unwrap();
    let text = whole(&fixture.runner.scan(&fixture.run, &fixture.on(), &keep).await.unwrap_err());
    assert!(text.contains("in:\n  /var/log/app/x.log (the secret `TOKEN`)\n  /var/log/old.1 (the secret"), "{text}");
    fixture.runner.clean(&fixture.run, &fixture.on(), &settings(&[], &[])).await.unwrap();
    fixture.runner.scan(&fixture.run, &fixture.on(), &settings(&[], &[])).await.unwrap();
}

/// If the machine knows the changed files, only those are searched, whatever kinds of paths are among them.
#[tokio::test]
async fn the_scan_looks_at_what_the_machine_says_was_changed() {
    let mut fixture = Fixture::with(&[("TOKEN", "hunter2-4711")], HostShell::sandbox().await);
    let script = "mkdir -p /opt/folder; echo hunter2-4711 | tee /opt/folder/other >'/opt/folder/a
b'; mkfifo /opt/pipe; ln -s folder/other /opt/link; echo x >/opt/harmless";
    fixture.shell.sh(script).await;
    fixture.runner.begin(&fixture.run, &fixture.on()).await.unwrap();
    let paths = |names: &[&str]| Some(names.iter().map(Into::into).collect());
    fixture.machine.changes = paths(&["/opt", "/opt/folder", "/opt/pipe", "/opt/link", "/opt/harmless", "/opt/gone"]);
    fixture.runner.scan(&fixture.run, &fixture.on(), &settings(&[], &[])).await.unwrap();
    fixture.machine.changes = paths(&["/opt/folder/a\nb", "/opt/pipe"]);
    let error = fixture.runner.scan(&fixture.run, &fixture.on(), &settings(&[], &[])).await.unwrap_err();
    assert!(whole(&error).contains("declared secrets"), "{}", whole(&error));
    fixture.machine.changes = paths(&[]);
    fixture.runner.scan(&fixture.run, &fixture.on(), &settings(&[], &[])).await.unwrap();
    assert_eq!(fixture.shell.sh("ls -A /dev/shm /run | grep -c '^.ami-bake' || true").await, "0\n");
}

/// Everything that a bake leaves behind.
const LITTER: &str = r#"
    useradd -m web; mkdir -p /root/.ssh /home/web/.ssh /etc/ssh /var/lib/cloud/instances/i-1 /var/lib/cloud/scripts/per-boot \
        /var/lib/systemd /var/lib/dhcp /var/log/journal/x /var/log/nginx /var/lib/apt/lists /var/cache/apt/archives /var/lib/cloud/seed
    bake='ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBakeBakeBake'
    printf '%s\n' '# admins' 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAdmin admin@x' "command=\"echo no\" $bake ami-bake" >/root/.ssh/authorized_keys
    printf '%s\n' "$bake other comment" >/home/web/.ssh/authorized_keys; chown web /home/web/.ssh/authorized_keys; chmod 600 /home/web/.ssh/authorized_keys
    for f in rsa ed25519; do echo k >/etc/ssh/ssh_host_${f}_key; echo k >/etc/ssh/ssh_host_${f}_key.pub; done
    ln -s instances/i-1 /var/lib/cloud/instance; echo s >/var/lib/cloud/scripts/per-boot/mine; echo s >/var/lib/cloud/seed/mine
    echo 0123456789abcdef0123456789abcdef >/etc/machine-id; echo r >/var/lib/systemd/random-seed; echo l >/var/lib/dhcp/dhclient.eth0.leases
    echo ls >/root/.bash_history; echo ls >/home/web/.zsh_history
    echo d >/var/cache/apt/archives/x.deb; echo l >/var/lib/apt/lists/x
    echo t >/tmp/t; mkdir -p /var/tmp/d/e; echo t >'/var/tmp/d/e/a b'
    echo l >/var/log/syslog; echo l >/var/log/syslog.1; echo l >/var/log/nginx/access.log; echo l >/var/log/journal/x/y
    mkdir -p /opt/bake; echo x >/opt/bake/file
"#;

fn login() -> Login {
    Login {
        authorized_keys: vec!["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBakeBakeBake ami-bake".to_owned()],
        files: vec!["/opt/bake".to_owned()],
        last: "echo last >/opt/last".to_owned(),
    }
}

/// Runs both parts of the seal.
async fn sealed(fixture: &Fixture, settings: &ImageSettings) {
    fixture.runner.clean(&fixture.run, &fixture.on(), settings).await.unwrap();
    fixture.runner.seal(&fixture.run, &fixture.on(), settings, &login()).await.unwrap();
}

/// Prints which of these paths exist, and which files are not empty.
const LOOK: &str = r"cd /; for f in etc/ssh/ssh_host_rsa_key etc/ssh/ssh_host_ed25519_key.pub var/lib/cloud/instance var/lib/cloud/instances
    do [ -e $f ] && echo $f; done
    for f in etc/machine-id var/lib/systemd/random-seed var/lib/dhcp/dhclient.eth0.leases root/.bash_history home/web/.zsh_history \
        var/cache/apt/archives/x.deb var/lib/apt/lists/x tmp/t var/tmp/d var/log/syslog var/log/syslog.1 var/log/nginx/access.log \
        var/log/journal/x opt/bake; do [ -s $f ] && echo $f; done; true";

#[tokio::test]
async fn the_seal_removes_everything_of_the_bake_and_nothing_else() {
    let mut fixture = Fixture::with(&[], HostShell::sandbox().await);
    fixture.shell.sh(LITTER).await;
    assert_eq!(fixture.shell.sh(LOOK).await.lines().count(), 18);
    sealed(&fixture, &settings(&[], &[])).await;
    assert_eq!(fixture.shell.sh(LOOK).await, "");
    let keys =
        fixture.shell.sh("cat /root/.ssh/authorized_keys; stat -c '%U %a %s' /home/web/.ssh/authorized_keys").await;
    assert_eq!(keys, "# admins\nssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAdmin admin@x\nweb 600 0\n");
    let stays = "stat -c '%n %s' /etc/machine-id /var/log/syslog /var/log/nginx/access.log /var/lib/cloud/scripts/per-boot/mine \
                 /var/lib/cloud/seed/mine | cut -d' ' -f2 | tr '\\n' ' '; stat -c %a /tmp; test -d /var/log/nginx";
    assert_eq!(fixture.shell.sh(stays).await, "0 0 0 2 2 1777\n");
    let (progress, _) = reported(&mut fixture);
    let sentence = progress.join(", ");
    for part in ["Removed 2 authorized keys", "SSH host key files", "cloud-init state", "the machine ID", "log files"] {
        assert!(sentence.contains(part), "{sentence}");
    }
    // The second time there is nothing to do, which is not a failure.
    sealed(&fixture, &settings(&[], &[])).await;
}

#[tokio::test]
async fn the_seal_keeps_what_the_settings_keep() {
    let fixture = Fixture::with(&[], HostShell::sandbox().await);
    fixture.shell.sh(LITTER).await;
    let keep = [Keep::Logs, Keep::History, Keep::MachineId, Keep::Caches, Keep::HostKeys];
    sealed(&fixture, &settings(&keep, &[])).await;
    let stays = "etc/ssh/ssh_host_rsa_key\netc/ssh/ssh_host_ed25519_key.pub\netc/machine-id\nroot/.bash_history\nhome/web/.zsh_history\n\
                 var/cache/apt/archives/x.deb\nvar/lib/apt/lists/x\nvar/log/syslog\nvar/log/syslog.1\nvar/log/nginx/access.log\nvar/log/journal/x\n";
    assert_eq!(fixture.shell.sh(LOOK).await, stays);
}

#[tokio::test]
async fn the_seal_refuses_a_file_that_is_the_whole_disk() {
    let fixture = Fixture::new();
    for file in ["/", "//", "/opt/../..", "relative"] {
        let login = Login { files: vec![file.to_owned()], ..Login::default() };
        assert!(fixture.runner.seal(&fixture.run, &fixture.on(), &settings(&[], &[]), &login).await.is_err(), "{file}");
    }
    assert!(fixture.shell.commands.lock().unwrap().is_empty());
}
