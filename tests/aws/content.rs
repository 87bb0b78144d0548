//! The content of images, and what must not be in them.

use std::path::{Path, PathBuf};

use crate::fixture::{Fixture, WEB};

const SECRET: &str = "correct-horse-battery-staple";

#[test]
fn an_image_holds_no_key_and_no_secret_of_the_bake() {
    let fixture = Fixture::new(&format!(
        "secrets: [DEPLOY_TOKEN]\n{WEB}    build:
      - run: |
          test ${{#TOKEN}} = 28
          echo \"the token is $TOKEN\"
          echo something > /root/.bash_history
          echo useful > /opt/useful
        env: {{TOKEN: \"${{{{ secrets.DEPLOY_TOKEN }}}}\"}}
"
    ));
    let child = fixture.command(&["bake"]).env("DEPLOY_TOKEN", SECRET).spawn().unwrap();
    let outcome = crate::fixture::finish(child).exits(0);
    for text in [&outcome.stdout, &outcome.stderr, &fixture.report().to_string()] {
        assert!(!text.contains(SECRET), "{text}");
    }
    assert!(outcome.stderr.contains("the token is ***"), "{}", outcome.stderr);

    let layers = layers(&fixture);
    assert!(layers.iter().any(|layer| layer.join("opt/useful").exists()));
    for layer in &layers {
        for path in files(layer) {
            let content = std::fs::read(&path).unwrap_or_default();
            let text = String::from_utf8_lossy(&content);
            assert!(!text.contains(SECRET), "{} holds the secret", path.display());
            assert!(!text.contains("PRIVATE KEY"), "{} holds a private key", path.display());
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            assert!(!name.starts_with("ssh_host_"), "{}", path.display());
            assert!(name != "authorized_keys" || text.trim().is_empty(), "{}: {text}", path.display());
            assert!(name != ".bash_history" || text.is_empty(), "{}: {text}", path.display());
        }
        let machine_id = layer.join("etc/machine-id");
        assert!(!machine_id.is_file() || std::fs::read(&machine_id).unwrap().is_empty());
    }
}

#[test]
fn a_secret_left_in_a_file_fails_the_bake() {
    let fixture = Fixture::new(&format!(
        "secrets: [DEPLOY_TOKEN]\n{WEB}    build:
      - run: |
          echo \"token=$TOKEN\" > /etc/app.conf
          echo \"token=$TOKEN\" >> /var/log/app.log
          mkdir -p /opt/app/.docker /opt/app/.aws
          cd /opt/app
          echo '{{\"auths\": {{\"a.example\": {{\"auth\": \"eDp5\"}}}}}}' > .docker/config.json
          printf '[default]\\naws_secret_access_key = wJalrXUtnFEMI\\n' > .aws/credentials
          echo 'machine a.example login b password c' > .netrc
          echo '//registry.example/:_authToken=npm_0123' > .npmrc
          echo https://ada:word@git.example > .git-credentials
          echo registry=https://registry.example > /opt/.npmrc
        env: {{TOKEN: \"${{{{ secrets.DEPLOY_TOKEN }}}}\"}}
"
    ));
    let child = fixture.command(&["bake"]).env("DEPLOY_TOKEN", SECRET).spawn().unwrap();
    let outcome = crate::fixture::finish(child).exits(5).says("/etc/app.conf").says("DEPLOY_TOKEN");
    for file in [".docker/config.json", ".aws/credentials", ".netrc", ".npmrc", ".git-credentials"] {
        assert!(outcome.stderr.contains(&format!("/opt/app/{file}")), "{file}: {}", outcome.stderr);
    }
    // The log is deleted before the search, and a registry is no credential.
    for harmless in ["/var/log/app.log", "/opt/.npmrc", SECRET, "wJalrXUtnFEMI", "npm_0123"] {
        assert!(!outcome.stderr.contains(harmless), "{harmless}: {}", outcome.stderr);
    }
    fixture.holds_only(&[]);
}

#[test]
fn a_private_key_fails_the_bake_unless_it_is_allowed() {
    let manifest = format!("{WEB}    build:\n      - upload: app.key\n        to: /etc/app/tls.key\n");
    let fixture = Fixture::new(&manifest);
    fixture.write("app.key", "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIJ+DYvh6SEqVTm50DFtMDoQikTmiCqirVv9mWG9qfSnF\n-----END PRIVATE KEY-----\n");
    fixture.bake().exits(5).says("/etc/app/tls.key");
    fixture.holds_only(&[]);
    fixture.write("bake.yml", &format!("{manifest}    seal: {{allow: [\"/etc/app/*.key\"]}}\n"));
    fixture.bake().exits(0);
}

/// The folders of the only image's own layers.
fn layers(fixture: &Fixture) -> Vec<PathBuf> {
    let images = fixture.cloud.images();
    let ours: Vec<_> = images.iter().filter(|image| image["name"] == "shop/web/0.1.0").collect();
    assert_eq!(ours.len(), 1, "{images:?}");
    let snapshots = ours[0]["snapshots"].as_object().unwrap();
    let layers: Vec<PathBuf> = snapshots
        .values()
        .flat_map(|layers| layers.as_array().unwrap())
        .map(|layer| PathBuf::from(layer.as_str().unwrap()))
        // The seeds' layers have the source image's content, which all tests share.
        .filter(|layer| !layer.to_string_lossy().contains("/base"))
        .collect();
    assert!(!layers.is_empty(), "{images:?}");
    layers
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            found.extend(files(&entry.path()));
        } else if kind.is_file() {
            found.push(entry.path());
        }
    }
    found
}
