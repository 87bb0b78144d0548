//! Which files a manifest may read: those of its repository, and no credentials. Messages quote nothing that was read.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use ami_bake_manifest::access::{EnvLimit, VisibleEnv};
use ami_bake_manifest::diagnostic::{Style, text};
use ami_bake_manifest::{Loaded, Manifest, Options};

const HEAD: &str = "format: 1\nname: shop\nimages:\n  web:\n    source: {ami: {id: ami-0123456789abcdef0}}\n";
const SECRET: &str = "hunter2: hunter2hunter2";

/// The keys that name local files to read, each with a field that has the key.
const LOCAL: [(&str, &str); 10] = [
    ("Machine.policy", "machine: {policy: PATH}"),
    ("ScriptStep.script", "script: PATH"),
    ("UploadStep.upload", "{upload: PATH, to: /x}"),
    ("ComponentStep.component", "component: PATH"),
    ("AnsibleStep.ansible", "ansible: PATH"),
    ("AnsibleStep.requirements", "{ansible: play.yml, requirements: PATH}"),
    ("ChefStep.cookbooks", "{chef: chef-solo, cookbooks: [PATH], run-list: [x]}"),
    ("ChefStep.roles", "{chef: chef-solo, cookbooks: [../scripts], roles: PATH, run-list: [x]}"),
    ("ChefStep.data-bags", "{chef: chef-solo, cookbooks: [../scripts], data-bags: PATH, run-list: [x]}"),
    ("ChefStep.environments", "{chef: chef-solo, cookbooks: [../scripts], environments: PATH, run-list: [x]}"),
];

/// Keys whose descriptions mention files but that name no local file to read: those of machines, patterns and numbers,
/// output files, and files that may be anywhere (docs/action.md, "What a manifest may read").
const OTHER: [&str; 28] = [
    "AmiSource.parameter",
    "Aws.tags",
    "DiskSource.disk",
    "DiskSource.sha256",
    "DownloadLimits.depth",
    "DownloadLimits.files",
    "DownloadLimits.size",
    "DownloadStep.download",
    "DownloadStep.exclude",
    "DownloadStep.limits",
    "DownloadStep.to",
    "Expect.file",
    "FileExpectation.contains",
    "FileExpectation.path",
    "HttpExpectation.path",
    "Jump.key",
    "Machine.profile",
    "Publish.write",
    "Seal.allow",
    "Source.local",
    "TestLogin.key",
    "UploadStep.exclude",
    "UploadStep.mode",
    "UploadStep.to",
    "WaitTarget.file",
    "WriteTarget.as",
    "WriteTarget.file",
    "WriteTarget.pointer",
];

/// A new key that names a file must be added to one of the lists, so that it is tested.
#[test]
fn every_key_that_names_a_file_is_known() {
    let schema = ami_bake_manifest::schema();
    let words = ["path", "file", "folder", "tarball"];
    let mut found = Vec::new();
    for (name, definition) in schema["$defs"].as_object().unwrap() {
        for (key, property) in definition["properties"].as_object().into_iter().flatten() {
            let about = property["description"].as_str().unwrap_or_default().to_lowercase();
            if words.iter().any(|word| about.contains(word)) {
                found.push(format!("{name}.{key}"));
            }
        }
    }
    let mut known: Vec<&str> = LOCAL.iter().map(|(key, _)| *key).chain(OTHER).collect();
    found.sort();
    known.sort_unstable();
    assert_eq!(found, known);
}

fn load(folder: &Path, manifest: &str, options: &Options) -> (String, Loaded) {
    let loaded = Manifest::load_text("bake.yml", manifest, folder.to_owned(), options);
    (text(&loaded.findings, &loaded.sources, Style::Plain), loaded)
}

fn write(path: &Path, text: &str) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

/// Every key that names a local file, with every path out of the repository, both literal and computed.
#[test]
fn files_outside_of_the_repository_are_refused_with_their_line() {
    let around = tempfile::tempdir().unwrap();
    let at = |name: &str| around.path().join(name);
    write(&at("outside/secret"), SECRET);
    write(&at("repository/.git/config"), SECRET);
    write(&at("repository/scripts/a.sh"), "x");
    let folder = at("repository/images");
    std::fs::create_dir(&folder).unwrap();
    std::os::unix::fs::symlink("../../outside", folder.join("out")).unwrap();
    let ways =
        ["../../outside/secret", "out/secret", "../../outside", "/proc/self/environ", "../.git/config", "../../none"];
    write(&folder.join("play.yml"), "- hosts: all\n");
    let checked = |manifest: &str, allow_files: Vec<PathBuf>| {
        let options = Options { check: true, allow_files, ..Options::default() };
        load(&folder, manifest, &options)
    };
    for way in ways {
        for (_, field) in LOCAL {
            let field = match field.split_once(' ') {
                Some(("machine:", _)) => format!("    {field}\n"),
                _ => format!("    build:\n      - {field}\n"),
            };
            for written in [way.to_owned(), format!("\"${{{{ vars.at }}}}{way}\"")] {
                let manifest = HEAD.replace("images:", "vars: {at: \"\"}\nimages:") + &field.replace("PATH", &written);
                let (said, loaded) = checked(&manifest, Vec::new());
                assert!(loaded.manifest.is_none(), "{manifest}{said}");
                let why = if way.contains(".git") { "Git's own folder" } else { "is outside of" };
                assert!(said.contains(why) && said.contains("bake.yml:"), "{manifest}{said}");
                assert!(!said.contains("hunter2hunter2") && !said.contains("PATH="), "{said}");
            }
        }
    }
    let script = |path: &str| format!("{HEAD}    build: [{{script: {path}}}]\n");
    let (said, loaded) = checked(&script("../scripts/a.sh"), Vec::new());
    assert!(loaded.manifest.is_some(), "{said}");
    let (said, loaded) = checked(&script("../../outside/secret"), vec![at("outside")]);
    assert!(loaded.manifest.is_some(), "{said}");
}

fn environment(limit: Option<EnvLimit>) -> VisibleEnv {
    let all = ["AWS_SECRET_ACCESS_KEY", "GITHUB_TOKEN", "DB_PASSWORD", "AWS_REGION", "MIRROR", "AMI_BAKE_VAR_a"];
    let values: BTreeMap<String, String> =
        all.iter().map(|name| ((*name).to_owned(), "hunter2-hunter2 $x".to_owned())).collect();
    VisibleEnv::new(values, limit)
}

#[test]
fn credentials_are_never_read_and_strangers_read_what_the_workflow_allows() {
    let run = |name: &str, limit: Option<EnvLimit>| {
        let manifest = format!("{HEAD}    publish: {{tags: {{x: \"${{{{ env.{name} }}}}\"}}}}\nvars: {{a: d}}\n");
        load(Path::new(""), &manifest, &Options { check: true, env: environment(limit), ..Options::default() })
    };
    let limit = |names: &[&str]| {
        let allowed = names.iter().map(|name| (*name).to_owned()).collect();
        Some(EnvLimit { why: "Anyone can start this".to_owned(), allowed })
    };
    for name in ["AWS_SECRET_ACCESS_KEY", "aws_secret_access_key", "GITHUB_TOKEN", "DB_PASSWORD", "INPUT_SET"] {
        for limit in [None, limit(&[name])] {
            let (said, loaded) = run(name, limit);
            assert!(loaded.manifest.is_none() && said.contains("bake.yml:6:"), "{said}");
            assert!(said.contains(&format!("`{name}` is a credential")) && !said.contains("hunter2"), "{said}");
        }
    }
    for name in ["AWS_REGION", "MIRROR", "NOT_SET"] {
        let (said, loaded) = run(name, None);
        assert!(loaded.manifest.is_some(), "{said}");
        let (said, loaded) = run(name, limit(&[]));
        assert!(loaded.manifest.is_none() && said.contains(&format!("`allow-env: {name}`")), "{said}");
        assert!(run(name, limit(&[name])).1.manifest.is_some());
    }
    assert!(run("AMI_BAKE_VAR_a", limit(&[])).1.manifest.is_some());
    let options = Options { check: true, env: environment(limit(&[])), ..Options::default() };
    let tagged = |value: &str| {
        let manifest = format!("{HEAD}    publish: {{tags: {{x: \"<${{{{ {value} }}}}>\"}}}}\nvars: {{a: d}}\n");
        load(Path::new(""), &manifest, &options)
    };
    // A computed name does not bypass the limits.
    for (name, why) in [("GITHUB_TOKEN", "is a credential"), ("MIRROR", "can't be read in this workflow run")] {
        let (said, loaded) = tagged(&format!("env[format('{{0}}', '{name}')]"));
        assert!(loaded.manifest.is_none() && said.contains("bake.yml:6:") && said.contains(why), "{said}");
        assert!(!said.contains("hunter2"), "{said}");
    }
    let (said, loaded) = tagged("join(env.*)");
    let version = semver::Version::new(1, 0, 0);
    let manifest = loaded.manifest.unwrap_or_else(|| panic!("{said}"));
    assert_eq!(manifest.outlines(&version)[0].1.settings.tags["x"], "<hunter2-hunter2 $x>");
    for name in ["GITHUB_TOKEN", "AWS_SESSION_TOKEN"] {
        let (said, loaded) =
            load(Path::new(""), &HEAD.replace("images:", &format!("secrets: [{name}]\nimages:")), &Options::default());
        assert!(loaded.manifest.is_none() && said.contains(&format!("`{name}` can't be a secret")), "{said}");
    }
}

/// Wherever a value is invalid, and whatever an expression made of it.
#[test]
fn findings_name_where_a_value_came_from_and_do_not_quote_it() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(
        file.path(),
        "f: \"hunter2-hunter2 $x\"\nn: hunter2-hunter2 $x\nwrong: 1.20 # hunter2-hunter2\nunknown: hunter2-hunter2\n",
    )
    .unwrap();
    let options =
        Options { check: true, env: environment(None), var_files: vec![file.path().to_owned()], ..Options::default() };
    for value in
        ["env.MIRROR", "vars.a", "vars.f", "format('<{0}>', env.MIRROR)", "replace(vars.f, 'x', 'y')", "vars.d"]
    {
        for field in [
            "machine: {type: \"VALUE\", lifetime: \"VALUE\", user: \"VALUE\"}",
            "machine: {ingress: [\"VALUE\"], disk: {size: \"VALUE\", type: \"VALUE\"}}",
            "build: [{run: \"echo VALUE\"}]",
            "build: [{run: x, timeout: \"VALUE\", retries: \"VALUE\"}]",
            "build: [{run: \"${{ join(split('a,b', ','), VALUE) }}\", on-failure: \"VALUE\"}]",
            "build: [{upload: \"VALUE\", to: /x, mode: \"VALUE\"}]",
            "build: [{script: \"VALUE\"}]",
            "matrix: {x: [\"VALUE\"]}\n    publish: {name: \"${{ matrix.x }}\", regions: [\"VALUE\"]}",
        ] {
            let manifest = HEAD
                .replace("images:", "vars: {a: '', f: '', n: 1, wrong: '', d: \"${{ env.MIRROR }}\"}\nimages:")
                + &format!(
                    "    {}\n",
                    field
                        .replace("VALUE", &format!("${{{{ {value} }}}}"))
                        .replace("(split('a,b', ','), ${{ ", "(split('a,b', ','), ")
                        .replace(" }}) }}", ") }}")
                );
            let (said, _) = load(Path::new(""), &manifest, &options);
            assert!(said.contains("error["), "{manifest}{said}");
            assert!(!said.contains("hunter2") && !said.contains("1.20"), "{manifest}{said}");
        }
    }
}

/// A manifest or a variable file that is a link does not bypass the limits: its content would be quoted.
#[test]
fn a_link_out_of_the_repository_is_no_manifest() {
    let around = tempfile::tempdir().unwrap();
    let at = |name: &str| around.path().join(name);
    write(&at("secret"), SECRET);
    write(&at("repository/.git/config"), SECRET);
    write(&at("repository/images/bake.yml"), HEAD);
    let link = |to: &str, from: &str| std::os::unix::fs::symlink(to, at(from)).unwrap();
    link("../secret", "repository/out.yml");
    link("/proc/self/environ", "repository/environ.yml");
    link("images/bake.yml", "repository/bake.yml");
    let shown = |name: &str, options: &Options| {
        let loaded = Manifest::load(&at(name), options);
        (text(&loaded.findings, &loaded.sources, Style::Plain), loaded.manifest.is_some())
    };
    let check = Options { check: true, ..Options::default() };
    for name in ["repository/out.yml", "repository/environ.yml"] {
        let (said, valid) = shown(name, &check);
        assert!(!valid && said.contains("is a link that leads out of") && said.contains("--allow-files"), "{said}");
        assert!(!said.contains("hunter2") && !said.contains("PATH="), "{said}");
        let (said, valid) = shown("repository/bake.yml", &Options { var_files: vec![at(name)], ..check.clone() });
        assert!(!valid && said.contains("is a link that leads out of") && !said.contains("hunter2"), "{said}");
    }
    let (said, valid) = shown("repository/bake.yml", &check);
    assert!(valid, "{said}");
}

/// The content of such a file is in the digest. What it names is not, which is said.
#[test]
fn a_playbooks_files_outside_of_the_repository_are_not_read_for_further_names() {
    let around = tempfile::tempdir().unwrap();
    let at = |name: &str| around.path().join(name);
    write(&at("outside/tasks.yml"), "- copy: {src: far.txt, dest: /x}\n");
    write(&at("outside/far.txt"), "x");
    write(&at("repository/.git/config"), SECRET);
    write(&at("repository/play.yml"), "- hosts: all\n  tasks: [{import_tasks: ../outside/tasks.yml}]\n");
    let folder = at("repository");
    let manifest = format!("{HEAD}    build: [{{ansible: play.yml}}]\n");
    let said = |allow_files: Vec<PathBuf>| {
        let options = Options { check: true, allow_files, ..Options::default() };
        let (said, loaded) = load(&folder, &manifest, &options);
        assert!(loaded.manifest.is_some(), "{said}");
        said
    };
    let noted = said(Vec::new());
    assert!(noted.contains("note[unread-file]") && noted.contains("bake.yml:6:"), "{noted}");
    assert!(noted.contains("outside/tasks.yml` names are not part of the digest: "), "{noted}");
    assert!(!said(vec![at("outside")]).contains("note["), "with --allow-files");
}
