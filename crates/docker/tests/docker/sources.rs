//! Source images of machines.

use ami_bake_core::plan::{Architecture, SourceQuery};
use ami_bake_core::platform::Platform;
use ami_bake_docker::{Docker, Settings};
use ami_bake_testkit::docker::{BASE, Engine, Registry};
use ami_bake_testkit::runs;

use crate::fixture::{docker, settings};

fn reference(text: &str) -> SourceQuery {
    SourceQuery::Reference(text.to_owned())
}

#[tokio::test]
async fn a_reference_and_an_id_are_the_same_image() {
    let engine = Engine::get();
    let docker = docker(&engine).await;
    let (run, _events) = runs::run();
    let named = docker.find_source(&run, &reference(BASE)).await.unwrap();
    let by_id = docker.find_source(&run, &reference(&named.id)).await.unwrap();
    assert_eq!((&named.identity, named.name.as_str()), (&by_id.identity, BASE));
    assert!(named.id.starts_with("sha256:") && named.created.is_some());
    assert!(matches!(named.architecture, Some(Architecture::X86_64 | Architecture::Arm64)));
    let unknown = format!("sha256:{}", "0".repeat(64));
    for (query, why) in [(unknown.as_str(), "no image with the ID"), ("Not/A Reference", "not a valid image reference")]
    {
        let error = docker.find_source(&run, &reference(query)).await.unwrap_err();
        assert!(error.message().contains(why) && error.help_text().is_some(), "{error}");
    }
}

/// A missing image is pulled with the credentials of Docker's configuration, and refused without them.
#[tokio::test]
async fn what_is_missing_is_pulled() {
    let engine = Engine::get();
    let registry = Registry::guarded("ada", "geheim-4711");
    let name = format!("{}/private/base:1", registry.address());
    let config = tempfile::tempdir().unwrap();
    let pair = "YWRhOmdlaGVpbS00NzEx";
    let text = format!(r#"{{"auths": {{"{}": {{"auth": "{pair}"}}}}}}"#, registry.address());
    std::fs::write(config.path().join("config.json"), text).unwrap();
    let folder = config.path().display().to_string();
    engine.docker(&["tag", BASE, &name]).unwrap();
    let push = std::process::Command::new("docker")
        .args(["--config", &folder, "--host", engine.host(), "push", "--quiet", &name])
        .output()
        .unwrap();
    assert!(push.status.success(), "{}", String::from_utf8_lossy(&push.stderr));
    engine.docker(&["rmi", &name]).unwrap();

    let (run, _events) = runs::run();
    let without = docker(&engine).await;
    let error = without.find_source(&run, &reference(&name)).await.unwrap_err();
    assert_eq!(error.kind().exit_code(), 4);
    assert!(error.help_text().unwrap().contains("docker login"), "{error}");
    let with = Settings { config: Some(config.path().to_owned()), ..settings(&engine) };
    let found = Docker::connect(with).await.unwrap().find_source(&run, &reference(&name)).await.unwrap();
    assert_eq!((found.name.as_str(), found.owner.as_str()), (name.as_str(), registry.address()));
    engine.docker(&["rmi", &name]).unwrap();
}

/// An image without a shell can't be a machine, and the attempt leaves nothing behind.
#[tokio::test]
async fn an_image_without_a_shell_is_explained() {
    use ami_bake_core::plan::{ImageKey, MachineSettings, Phase};
    use ami_bake_core::platform::Launch;
    let engine = Engine::get();
    let docker = docker(&engine).await;
    let (run, _events) = runs::run();
    let folder = tempfile::tempdir().unwrap();
    let (archive, name) = (folder.path().join("empty.tar"), "ami-bake-test/empty:1");
    let mut builder = tar::Builder::new(std::fs::File::create(&archive).unwrap());
    let mut header = tar::Header::new_gnu();
    header.set_size(2);
    builder.append_data(&mut header, "file", &b"x\n"[..]).unwrap();
    builder.finish().unwrap();
    engine.docker(&["import", archive.to_str().unwrap(), name]).unwrap();
    let source = docker.find_source(&run, &reference(name)).await.unwrap();
    let (key, machine) = (ImageKey::new("web"), MachineSettings::default());
    let lifetime = std::time::Duration::from_mins(30);
    let launch =
        Launch { key: &key, namespace: "t", phase: Phase::Build, source: &source, machine: &machine, lifetime };
    let error = match docker.launch(&run, &launch).await {
        Ok(machine) => {
            let error = machine.connect(&run).await.err().unwrap();
            machine.destroy(&run).await.unwrap();
            error
        }
        Err(error) => error,
    };
    assert!(error.help_text().unwrap().contains("/bin/sh"), "{error}");
    assert!(run.ledger().open_entries().is_empty());
    engine.docker(&["rmi", name]).unwrap();
}
