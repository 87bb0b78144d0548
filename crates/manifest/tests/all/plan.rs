//! Plans of valid manifests.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ami_bake_core::plan::{
    AddressKind, Architecture, Digest, HttpProbe, ImageKey, ImagePlan, Price, Probe, RunStep, SecretPart, SourceImage,
    SourceQuery, StepAction, UploadStep, Value, VersionRule,
};
use ami_bake_manifest::diagnostic::{Style, text};
use ami_bake_manifest::{Git, Manifest, Options, TEMPLATE};
use semver::Version;

use crate::fixture::{draft, planned};

fn load(manifest: &str, options: &Options) -> Result<Manifest, String> {
    let loaded = Manifest::load_text("bake.yml", manifest, PathBuf::new(), options);
    let shown = text(&loaded.findings, &loaded.sources, Style::Plain);
    loaded.manifest.ok_or(shown)
}

fn good(manifest: &str, options: &Options) -> Arc<Manifest> {
    Arc::new(load(manifest, options).unwrap_or_else(|shown| panic!("{shown}")))
}

pub(crate) fn source() -> SourceImage {
    SourceImage {
        id: "ami-0123456789abcdef0".to_owned(),
        name: "ubuntu-24.04".to_owned(),
        owner: "099720109477".to_owned(),
        created: None,
        tags: BTreeMap::from([("os".to_owned(), "noble".to_owned())]),
        architecture: Some(Architecture::X86_64),
        identity: "ami-0123456789abcdef0".to_owned(),
        version: None,
    }
}

fn plan(manifest: &Arc<Manifest>, image: &str) -> ImagePlan {
    let version = Version::new(1, 2, 3);
    planned(manifest, &ImageKey::new(image), &source(), &version).unwrap()
}

fn resolved(manifest: &Arc<Manifest>) -> Digest {
    draft(manifest, &ImageKey::new("web")).resolve_blocking(&source()).unwrap().digest().clone()
}

fn digest(manifest: &str, options: &Options) -> Digest {
    resolved(&good(manifest, options))
}

fn script(plan: &ImagePlan, index: usize) -> &str {
    match &plan.build[index].action {
        StepAction::Run(RunStep { script, .. }) => script,
        other => panic!("{other:?}"),
    }
}

const HEAD: &str = "format: 1\nname: shop\nimages:\n  web:\n    source: {ami: {id: ami-0123456789abcdef0}}\n";

#[test]
fn a_plan_holds_what_the_manifest_says() {
    let manifest = good(
        &format!(
            "{HEAD}    machine: {{type: [t3.small, t3a.small], disk: {{size: 20, type: gp3}}, lifetime: 3h, connect: private, ingress: [10.0.0.0/8]}}\n    build:\n      - name: Packages\n        run: apt-get install -y nginx\n        env: {{DEBIAN_FRONTEND: noninteractive, N: 1}}\n        timeout: 10m\n        retries: 2\n        on-failure: continue\n      - upload: Cargo.toml\n        to: /srv\n        mode: \"0644\"\n      - reboot: true\n      - wait: {{port: 80}}\n        interval: 2s\n    test:\n      - expect: {{http: {{status: 200, headers: {{Server: nginx}}}}}}\n      - expect: {{service: nginx}}\n      - expect: {{port: 80}}\n    publish: {{tags: {{team: web}}, description: \"v${{{{ version }}}} of ${{{{ source.name }}}}\"}}\n"
        ),
        &Options::default(),
    );
    let plan = plan(&manifest, "web");
    assert_eq!(plan.machine.types, ["t3.small", "t3a.small"]);
    assert_eq!((plan.machine.disk.size, plan.machine.disk.kind.as_deref()), (Some(20), Some("gp3")));
    assert_eq!(plan.machine.lifetime.map(|time| time.as_secs()), Some(10_800));
    assert_eq!(plan.machine.connect.address, Some(AddressKind::Private));
    assert_eq!(plan.settings.name, "shop/web/1.2.3");
    assert_eq!(plan.settings.description, "v1.2.3 of ubuntu-24.04");
    let step = &plan.build[0];
    assert_eq!((step.name.as_str(), step.retries, step.timeout.map(|time| time.as_secs())), ("Packages", 2, Some(600)));
    assert_eq!(step.env[0], ("DEBIAN_FRONTEND".to_owned(), Value::Plain("noninteractive".to_owned())));
    assert_eq!(step.env[1], ("N".to_owned(), Value::Plain("1".to_owned())));
    assert!(matches!(&plan.build[1].action, StepAction::Upload(UploadStep { mode: Some(0o644), contents: false, .. })));
    assert!(matches!(plan.build[2].action, StepAction::Reboot));
    assert_eq!(plan.build[3].route.to_string(), "images.web.build[3]");
    let StepAction::Expect(expectation) = &plan.test[0].action else { panic!() };
    let Probe::Http(HttpProbe { port: 80, path, headers, .. }) = &expectation.probe else { panic!() };
    assert_eq!((path.as_str(), headers["server"].as_str()), ("/", "nginx"));
    assert_eq!(plan.test[1].name, "expect service nginx");
}

#[test]
fn variables_come_from_the_nearest_place() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "c: file\nd: file\ne: file\n").unwrap();
    let manifest = "format: 1\nname: shop\nvars: {a: default, b: default, c: default, d: default, e: default, n: 1}\nenvironments:\n  staging: {vars: {b: env, c: env, d: env, e: env}}\nimages:\n  web:\n    source: {ami: {id: ami-0123456789abcdef0}}\n    build:\n      - run: echo ${{ vars.a }} ${{ vars.b }} ${{ vars.c }} ${{ vars.d }} ${{ vars.e }}\n        retries: ${{ vars.n }}\n";
    let options = Options {
        environment: Some("staging".to_owned()),
        var_files: vec![file.path().to_path_buf()],
        env: BTreeMap::from([
            ("AMI_BAKE_VAR_d".to_owned(), "process".to_owned()),
            ("AMI_BAKE_VAR_e".to_owned(), "process".to_owned()),
        ])
        .into(),
        sets: vec![("e".to_owned(), "set".to_owned()), ("n".to_owned(), "3".to_owned())],
        ..Options::default()
    };
    let plan = plan(&good(manifest, &options), "web");
    assert_eq!(script(&plan, 0), "echo default env file process set");
    assert_eq!(plan.build[0].retries, 3);
}

#[test]
fn a_variable_that_must_be_given_is_asked_for() {
    let manifest = HEAD.replace("images:", "vars: {channel: null}\nimages:")
        + "    build: [{run: \"echo ${{ vars.channel }}\"}]\n";
    let shown = load(&manifest, &Options::default()).err().unwrap();
    assert!(shown.contains("the variable `channel` is not set"), "{shown}");
    assert!(shown.contains("bake.yml:3:8"), "{shown}");
    load(&manifest, &Options { check: true, ..Options::default() }).unwrap_or_else(|shown| panic!("{shown}"));
    let given = Options { sets: vec![("channel".to_owned(), "beta".to_owned())], ..Options::default() };
    assert_eq!(script(&plan(&good(&manifest, &given), "web"), 0), "echo beta");
}

#[test]
fn unknown_variables_are_refused_wherever_they_come_from() {
    let set = Options { sets: vec![("x".to_owned(), "1".to_owned())], ..Options::default() };
    assert!(load(HEAD, &set).err().unwrap().contains("--set sets the undeclared variable `x`"));
    let env =
        Options { env: BTreeMap::from([("AMI_BAKE_VAR_x".to_owned(), "1".to_owned())]).into(), ..Options::default() };
    assert!(load(HEAD, &env).err().unwrap().contains("AMI_BAKE_VAR_x"));
}

#[test]
fn defaults_and_environments_are_laid_under_and_over() {
    let manifest = "format: 1\nname: shop\nplatform: aws\nenvironments:\n  production:\n    aws: {region: eu-west-1}\n    images: {web: {machine: {spot: true}}}\naws: {region: us-east-1, role: \"arn:aws:iam::111122223333:role/bake\", hourly: {m5.large: 0.096}}\ndefaults:\n  machine: {type: [t3.small], disk: {size: 10, encrypted: true}}\nimages:\n  web:\n    source: {ami: {id: ami-0123456789abcdef0}}\n    machine: {type: m5.large, disk: {size: 20}}\n";
    let production = Options { environment: Some("production".to_owned()), ..Options::default() };
    let manifest = good(manifest, &production);
    assert_eq!(manifest.region(), Some("eu-west-1"));
    assert_eq!(manifest.role(), Some("arn:aws:iam::111122223333:role/bake"));
    let machine = plan(&manifest, "web").machine;
    assert_eq!(machine.types, ["m5.large"]);
    assert_eq!(machine.hourly, BTreeMap::from([("m5.large".to_owned(), Price::of_text("0.096").unwrap())]));
    assert_eq!((machine.disk.size, machine.disk.encrypted, machine.spot), (Some(20), Some(true), true));
}

#[test]
fn a_family_is_built_in_order_and_variant_by_leg() {
    let manifest = "format: 1\nname: shop\nimages:\n  web:\n    source: {image: base}\n    matrix: {arch: [x86_64, arm64], php: [\"8.2\", \"8.3\"]}\n  base:\n    source: {ami: {owner: amazon, name: \"al2023-*\", architecture: \"${{ matrix.arch }}\"}}\n    matrix: {arch: [x86_64, arm64]}\n  old:\n    source: {image: web, version: 2.x.x, from: legacy}\n";
    let all = good(manifest, &Options::default());
    let variants = all.variants();
    let keys: Vec<String> = variants.iter().map(|variant| variant.key.to_string()).collect();
    assert_eq!(
        keys,
        ["base-x86_64", "base-arm64", "web-x86_64-8.2", "web-x86_64-8.3", "web-arm64-8.2", "web-arm64-8.3", "old"]
    );
    assert_eq!(variants[4].after.as_ref().unwrap().to_string(), "base-arm64");
    assert!(matches!(&variants[1].source, SourceQuery::Newest { architecture: Some(Architecture::Arm64), .. }));
    let SourceQuery::Baked(old) = &variants[6].source else { panic!() };
    assert_eq!((old.namespace.as_str(), old.sibling), ("legacy", false));
    assert!(old.version.as_ref().unwrap().matches(&Version::new(2, 9, 0)));
    let one = good(manifest, &Options { images: vec!["web-arm64-8.3".to_owned()], ..Options::default() });
    let keys: Vec<String> = one.variants().iter().map(|variant| variant.key.to_string()).collect();
    assert_eq!(keys, ["base-arm64", "web-arm64-8.3"]);
}

#[test]
fn what_depends_on_the_source_is_validated_when_it_is_found() {
    let step =
        "    build: [{run: a, timeout: \"${{ source.tags.limit }}\", env: {LIMIT: \"${{ source.tags.limit }}\"}}]\n";
    let manifest = good(&format!("{HEAD}{step}"), &Options::default());
    let version = Version::new(1, 0, 0);
    let key = ImageKey::new("web");
    let mut found = source();
    let unset = planned(&manifest, &key, &found, &version).unwrap();
    assert_eq!((unset.build[0].timeout, &unset.build[0].env[0].1), (None, &Value::Plain(String::new())));
    found.tags.insert("limit".to_owned(), "many".to_owned());
    let error = planned(&manifest, &key, &found, &version).unwrap_err();
    assert!(error.message().starts_with("bake.yml:6:31: `many` is not a valid duration"), "{error}");
    assert_eq!(error.route().unwrap().to_string(), "images.web.build[0].timeout");
    found.tags.insert("limit".to_owned(), "5m".to_owned());
    let plan = planned(&manifest, &key, &found, &version).unwrap();
    assert_eq!(plan.build[0].timeout.map(|time| time.as_secs()), Some(300));
}

#[test]
fn secrets_stay_references() {
    let manifest = HEAD.replace("images:", "secrets: [TOKEN]\nimages:")
        + "    build:\n      - run: curl -H \"$AUTH\" https://example.com\n        env: {AUTH: \"Bearer ${{ secrets.TOKEN }}!\"}\n";
    let options =
        Options { env: BTreeMap::from([("TOKEN".to_owned(), "hunter2".to_owned())]).into(), ..Options::default() };
    let plan = plan(&good(&manifest, &options), "web");
    let parts = vec![
        SecretPart::Text("Bearer ".to_owned()),
        SecretPart::Name("TOKEN".to_owned()),
        SecretPart::Text("!".to_owned()),
    ];
    assert_eq!(plan.build[0].env[0].1, Value::Secret(parts));
    assert!(!format!("{plan:?}").contains("hunter2"));
}

#[test]
fn steps_run_where_and_when_they_are_meant() {
    let manifest = "format: 1\nname: shop\nvars: {debug: false}\nimages:\n  web:\n    source: {ami: {id: ami-0123456789abcdef0}, local: host}\n    build:\n      - run: a\n        if: vars.debug\n      - run: b\n        platforms: [local]\n      - run: c\n        if: platform == 'aws' && !vars.debug\n";
    let on_aws = plan(&good(manifest, &Options::default()), "web");
    assert_eq!((on_aws.build.len(), script(&on_aws, 0)), (1, "c"));
    assert_eq!(on_aws.build[0].route.to_string(), "images.web.build[2]");
    let on_local = plan(&good(manifest, &Options { platform: Some("local".to_owned()), ..Options::default() }), "web");
    assert_eq!((on_local.build.len(), script(&on_local, 0)), (1, "b"));
}

#[test]
fn the_digest_covers_what_changes_the_image_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a.txt"), "one").unwrap();
    let upload = |to: &str| {
        format!(
            "{HEAD}    build:\n      - upload: {}/\n        to: {to}\n        exclude: [\"*.map\"]\n",
            folder.path().display()
        )
    };
    let options = Options { allow_files: vec![folder.path().to_owned()], ..Options::default() };
    let first = digest(&upload("/srv"), &options);
    assert_eq!(first, digest(&upload("/srv"), &options));
    assert_ne!(first, digest(&upload("/opt"), &options));
    std::fs::write(folder.path().join("a.map"), "left out").unwrap();
    assert_eq!(first, digest(&upload("/srv"), &options), "what is excluded is not in the image");
    std::fs::write(folder.path().join("a.txt"), "two").unwrap();
    assert_ne!(first, digest(&upload("/srv"), &options));

    let download = |more: &str| format!("{HEAD}    build: [{{download: /var/log/, to: logs{more}}}]\n");
    let limited = download(", limits: {files: 7, size: 2MiB}");
    assert_eq!(digest(&download(""), &options), digest(&limited, &options), "a limit changes no image");
    let StepAction::Download(step) = &plan(&good(&limited, &options), "web").build[0].action else { unreachable!() };
    assert_eq!((step.limits.files, step.limits.size, step.limits.depth), (7, 2 << 20, 64));

    let plain = digest(HEAD, &options);
    assert_eq!(plain, digest(&format!("{HEAD}    publish: {{tags: {{team: web}}}}\n"), &options));
    assert_eq!(plain, digest(&format!("{HEAD}    machine: {{type: m5.large}}\n"), &options));
    assert_ne!(plain, digest(&format!("{HEAD}    machine: {{disk: {{size: 40}}}}\n"), &options));
    let git = |sha: &str| Options { git: Git { sha: sha.to_owned(), ..Git::default() }, ..Options::default() };
    let with_sha = format!("{HEAD}    build: [{{run: \"echo ${{{{ git.sha }}}}\"}}]\n");
    assert_ne!(digest(&with_sha, &git("aaa")), digest(&with_sha, &git("bbb")));
}

/// A folder that the program itself writes into, or Git, has the same digest after a bake.
#[test]
fn the_digest_of_the_project_s_own_folder_is_that_of_its_files() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str| {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, name).unwrap();
    };
    write("deep/a.txt");
    let uploads = |exclude: &str| -> Vec<Digest> {
        let upload = |follow: bool| {
            let step = format!("{{upload: ./, to: /srv, exclude: [{exclude}], follow-links: {follow}}}");
            let manifest = format!("{HEAD}    build: [{step}]\n");
            let loaded = Manifest::load_text("bake.yml", &manifest, folder.path().to_owned(), &Options::default());
            let shown = text(&loaded.findings, &loaded.sources, Style::Plain);
            resolved(&Arc::new(loaded.manifest.unwrap_or_else(|| panic!("{shown}"))))
        };
        [false, true].map(upload).to_vec()
    };
    let (plain, repository, nested) = (uploads(""), uploads("'!/.git'"), uploads("deep"));
    for name in [
        "bake-report.json",
        "i-0123456789abcdef0.key",
        "deep/bake-report.json",
        ".bakeignore",
        ".git/config",
        "deep/.git",
        "data/HEAD",
        "data/objects/x",
        "data/refs/x",
    ] {
        write(name);
    }
    assert_eq!(plain, uploads(""));
    assert_ne!(repository, uploads("'!/.git'"), "the repository is sent when the manifest asks for it");
    // What is sent and what is in the digest are one: a pattern is that of `.gitignore` for both.
    assert_eq!(nested, uploads("deep"));
    let exclude = uploads("a.txt");
    std::fs::write(folder.path().join("deep/a.txt"), "changed").unwrap();
    assert_eq!(exclude, uploads("a.txt"), "a name without a slash is excluded in every folder");
    std::fs::write(folder.path().join(".bakeignore"), "*.txt\n").unwrap();
    let ignored = uploads("");
    std::fs::write(folder.path().join("deep/a.txt"), "changed again").unwrap();
    assert_eq!(ignored, uploads(""));
}

#[test]
fn an_automatic_version_is_not_in_the_digest_and_a_fixed_one_is() {
    let step = "    build: [{run: \"echo ${{ version }}\"}]\n";
    let auto = good(&format!("{HEAD}{step}"), &Options::default());
    let key = ImageKey::new("web");
    let (one, two) = (Version::new(1, 0, 0), Version::new(2, 0, 0));
    let plan = |version| planned(&auto, &key, &source(), version).unwrap();
    assert_eq!(plan(&one).digest, plan(&two).digest);
    assert_eq!(plan(&one).digest, resolved(&auto));
    assert_eq!(script(&plan(&two), 0), "echo 2.0.0");
    let fixed = |version: &str| {
        digest(&(HEAD.replace("images:", &format!("version: \"{version}\"\nimages:")) + step), &Options::default())
    };
    assert_ne!(fixed("1.0.0"), fixed("2.0.0"));
    let release = good(&HEAD.replace("images:", "version: release\nimages:"), &Options::default());
    assert_eq!(release.variants()[0].version, VersionRule::Release);
}

/// `cache-for` is compared with the image's age; the digest only describes its content, at any time.
#[test]
fn the_digest_does_not_depend_on_the_clock() {
    let step = |more: &str| format!("{HEAD}    build:\n      - run: apt-get update\n{more}");
    let at = |seconds: i64| Options { now: jiff::Timestamp::from_second(seconds).unwrap(), ..Options::default() };
    let week = 7 * 86_400;
    let manifest = step("        cache-for: 7d\n");
    assert_eq!(digest(&manifest, &at(week)), digest(&manifest, &at(2 * week)));
    assert_eq!(
        digest(&manifest, &at(week)),
        digest(&step(""), &at(week)),
        "how long it may stand makes no other image"
    );
    let plan = plan(&good(&manifest, &Options::default()), "web");
    assert_eq!(plan.build[0].cache_for, Some(std::time::Duration::from_hours(7 * 24)));
}

#[test]
fn anchors_and_merge_keys_do_what_users_expect() {
    let manifest = "format: 1\nname: shop\nimages:\n  base: &base\n    source: {ami: {id: ami-0123456789abcdef0}}\n    machine: &machine {type: t3.small, spot: true}\n    build: [{run: a}]\n  web:\n    <<: *base\n    machine: {<<: *machine, spot: false}\n";
    let plan = plan(&good(manifest, &Options::default()), "web");
    assert_eq!((plan.machine.types[0].as_str(), plan.machine.spot, plan.build.len()), ("t3.small", false, 1));
}

#[test]
fn the_template_and_the_examples_pass_the_check_and_the_schema() {
    let schema = jsonschema::validator_for(&ami_bake_manifest::schema()).unwrap();
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples");
    let mut files = vec![(PathBuf::from("template"), TEMPLATE.to_owned(), PathBuf::new())];
    for entry in std::fs::read_dir(&examples).unwrap() {
        let folder = entry.unwrap().path();
        let path = folder.join("bake.yml");
        // The folder `workflows` contains workflows, not manifests.
        if path.is_file() && !folder.ends_with("workflows") {
            files.push((path.clone(), std::fs::read_to_string(&path).unwrap(), folder));
        }
    }
    for (path, manifest, folder) in files {
        let options = Options { check: true, ..Options::default() };
        let loaded = Manifest::load_text("bake.yml", &manifest, folder, &options);
        let shown = text(&loaded.findings, &loaded.sources, Style::Plain);
        assert!(loaded.manifest.is_some(), "{}:\n{shown}", path.display());
        let value: serde_json::Value = serde_yaml::from_str(&manifest).unwrap();
        let problems: Vec<String> =
            schema.iter_errors(&value).map(|error| format!("{}: {error}", error.instance_path())).collect();
        assert!(problems.is_empty(), "{}: {problems:#?}", path.display());
    }
}

#[test]
fn evaluated_settings_are_validated_too() {
    let manifest = "format: 1\nname: shop\nvars: {region: nowhere, ami: ubuntu}\naws: {region: \"${{ vars.region }}\"}\nimages: {web: {source: {ami: {id: \"${{ vars.ami }}\"}}}}\n";
    let shown = load(manifest, &Options::default()).err().unwrap();
    assert!(shown.contains("`nowhere` is not a valid AWS region\n --> bake.yml:4:15"), "{shown}");
    assert!(shown.contains("`ubuntu` is not a valid AMI ID"), "{shown}");
}

/// EC2 names can't contain `+`: it is replaced in a version, and refused with its line elsewhere.
#[test]
fn a_version_with_build_metadata_may_stand_in_an_images_name() {
    let manifest = |name: &str| {
        format!(
            "format: 1\nname: shop\nversion: 1.0.0+b7\nimages:\n  web:\n    source: {{ami: {{id: ami-0123456789abcdef0}}}}\n    build: [{{run: a}}]\n    publish: {{name: {name}}}\n"
        )
    };
    let options = Options { check: true, ..Options::default() };
    good(&manifest("\"web-${{ version }}\""), &options);
    let shown = load(&manifest("\"web+${{ version }}\""), &options).err().unwrap();
    assert!(shown.contains("contains '+'"), "{shown}");
    assert!(shown.contains("bake.yml:8:"), "{shown}");
}

#[test]
fn an_image_that_is_encrypted_anywhere_is_not_made_public() {
    let manifest = |publish: &str| {
        format!(
            "format: 1\nname: shop\nimages:\n  web:\n    source: {{ami: {{id: ami-0123456789abcdef0}}}}\n    build: [{{run: a}}]\n    publish: {publish}\n"
        )
    };
    let options = Options { check: true, ..Options::default() };
    let keyed = "[{region: eu-west-1, kms-key: alias/images}]";
    let target = format!("[{{role: \"arn:aws:iam::222222222222:role/bake\", regions: {keyed}}}]");
    good(&manifest(&format!("{{regions: {keyed}, targets: {target}}}")), &options);
    for places in [format!("regions: {keyed}"), format!("targets: {target}")] {
        let shown = load(&manifest(&format!("{{share: {{public: true}}, {places}}}")), &options).err().unwrap();
        assert!(shown.contains("a public image cannot be encrypted, but it is in eu-west-1"), "{shown}");
        assert!(shown.contains("bake.yml:7:"), "{shown}");
    }
}

/// Imported templates leave secrets unset and set user data with variables, and their scripts contain `${{`.
#[test]
fn what_a_shell_does_not_read_is_not_checked_for_it() {
    let manifest = format!(
        "{}    machine: {{user-data: \"${{{{ vars.data }}}}\", profile: \"${{{{ vars.none || null }}}}\"}}\n    build:\n      - run: echo ${{{{ '${{{{' }}}} x }}}}\n        env: {{T: \"a${{{{ secrets.TOKEN || '' }}}}\"}}\n",
        HEAD.replace(
            "name: shop",
            "name: shop\nsecrets: [TOKEN]\nvars: {data: \"#cloud-config\\npackages: [a b]\\n\", none: ''}"
        )
    );
    let plan = plan(&good(&manifest, &Options::default()), "web");
    assert_eq!(plan.machine.user_data.as_deref(), Some("#cloud-config\npackages: [a b]\n"));
    assert_eq!(plan.machine.profile, None);
    assert_eq!(script(&plan, 0), "echo ${{ x }}");
    let parts = vec![SecretPart::Text("a".into()), SecretPart::Name("TOKEN".into())];
    assert_eq!(plan.build[0].env, [("T".to_owned(), Value::Secret(parts))]);
}

#[test]
fn an_own_source_wins_over_the_image_that_others_are_built_on() {
    let manifest = good(
        "format: 1\nname: shop\nplatform: local\ndefaults:\n  source: {image: base}\nimages:\n  web: {}\n  base:\n    \
         source: {local: host}\n",
        &Options::default(),
    );
    let sources: Vec<_> = manifest
        .variants()
        .into_iter()
        .map(|variant| (variant.key.to_string(), variant.source, variant.after))
        .collect();
    assert_eq!(sources[0], ("base".to_owned(), SourceQuery::Reference("host".to_owned()), None));
    assert_eq!((sources[1].0.as_str(), &sources[1].2), ("web", &Some(ImageKey::new("base"))));
}

#[test]
fn images_that_exist_are_selected_alone() {
    let manifest = "format: 1\nname: shop\nplatform: local\nimages:\n  web:\n    source: {image: base}\n  base:\n    \
                    source: {local: host}\n";
    let selected = |alone| {
        let options = Options { images: vec!["web".to_owned()], alone, ..Options::default() };
        good(manifest, &options).variants().into_iter().map(|variant| variant.key.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(selected(false), ["base", "web"]);
    assert_eq!(selected(true), ["web"]);
}

#[test]
fn subnets_are_named_or_found_by_tags() {
    use ami_bake_core::plan::{SubnetFilter, VpcFilter};
    let tags = |key: &str, value: &str| BTreeMap::from([(key.to_owned(), value.to_owned())]);
    let machine = |subnet: &str| {
        let text = format!("{HEAD}    machine: {{subnet: {subnet}}}\n");
        plan(&good(&text, &Options::default()), "web").machine
    };
    assert_eq!(machine("[subnet-1, subnet-2]").subnets, ["subnet-1", "subnet-2"]);
    assert_eq!(machine("subnet-1").subnet_filter, None);
    for (subnet, expected) in [
        ("{tags: {Name: \"private-*\"}}", SubnetFilter { tags: tags("Name", "private-*"), vpc: None }),
        (
            "{tags: {Tier: a}, vpc: vpc-1}",
            SubnetFilter { tags: tags("Tier", "a"), vpc: Some(VpcFilter::Id("vpc-1".to_owned())) },
        ),
        (
            "{vpc: {tags: {\"aws:cloudformation:stack-name\": main}}}",
            SubnetFilter {
                tags: BTreeMap::new(),
                vpc: Some(VpcFilter::Tags(tags("aws:cloudformation:stack-name", "main"))),
            },
        ),
    ] {
        let machine = machine(subnet);
        assert_eq!((machine.subnets, machine.subnet_filter), (Vec::new(), Some(expected)), "{subnet}");
    }
    for (subnet, message) in [
        ("{}", "`subnet` is empty"),
        ("{tags: {}}", "`tags` is empty"),
        ("{vpc: {}}", "`vpc` has no `tags`"),
        ("{vpc: main}", "`main` is not a valid VPC ID"),
        ("{tags: {Name: [a]}}", "`Name`"),
        ("{name: a}", "unknown key `name`"),
    ] {
        let shown = load(&format!("{HEAD}    machine: {{subnet: {subnet}}}\n"), &Options::default()).err().unwrap();
        assert!(shown.contains(message), "{subnet}: {shown}");
    }
}
