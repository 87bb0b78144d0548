//! Bakes the Packer templates of the corpus unchanged: the source images that they name are added to the cloud, and
//! commands that need a network are replaced by stand-ins that record their arguments.

use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use ami_bake_testkit::corpus::corpus;
use ami_bake_testkit::test_dir::CommandOutcome;
use serde_json::{Value, json};

use crate::ansible::{role, with_ansible};
use crate::fixture::{Fixture, file_of, finish};

const CANONICAL: &str = "099720109477";
const DEBIAN: &str = "136693071363";
const AMAZON: &str = "137112412989";

const PASSWORD: &str = "a-password-of-the-author";

/// A stand-in that records its arguments.
const NOTE: &str = "#!/bin/sh\necho \"${0##*/} $*\" >> /opt/calls\n";

/// A cloud and the corpus' templates with these names, unchanged.
struct Templates {
    fixture: Fixture,
}

impl std::ops::Deref for Templates {
    type Target = Fixture;

    fn deref(&self) -> &Fixture {
        &self.fixture
    }
}

impl Templates {
    fn new(names: &[&str]) -> Option<Self> {
        let required = corpus()?.join("required");
        let fixture = Fixture::new("");
        for name in names {
            let text = std::fs::read_to_string(required.join(name)).unwrap();
            fixture.write(name, &text);
        }
        Some(Self { fixture })
    }

    /// Adds an image with these commands; each first records its arguments.
    fn plant(&self, image: &Value, commands: &[(&str, &str)]) {
        let mut image = image.clone();
        let mut files = json!({"/opt/calls": {"text": "", "mode": "0666"}});
        for (path, more) in commands {
            files[path] = json!({"text": format!("{NOTE}{more}")});
        }
        // Skips waits of half a minute for services that are ready long before.
        let sleep = "#!/bin/sh\n[ \"$1\" = 30 ] || exec /bin/sleep \"$@\"\n";
        files["/usr/local/bin/sleep"] = json!({"text": sleep});
        image["files"] = files;
        self.cloud.plant(&image);
    }

    fn script(&self, name: &str, text: &str) {
        self.write(name, text);
        std::fs::set_permissions(self.path(name), PermissionsExt::from_mode(0o755)).unwrap();
    }

    /// Bakes a template with further arguments, and returns the new image.
    #[track_caller]
    fn baked(&self, arguments: &[&str]) -> Image {
        self.made(with_ansible(self.command(&[&["bake"], arguments].concat())))
    }

    /// Like [`Self::baked`], with a password in this environment variable, which must not be shown.
    #[track_caller]
    fn secretly(&self, variable: &str, arguments: &[&str]) -> Image {
        let mut bake = with_ansible(self.command(&[&["bake"], arguments].concat()));
        bake.env(variable, PASSWORD);
        let image = self.made(bake);
        let report = self.read("bake-report.json");
        for told in [&image.outcome.stdout, &image.outcome.stderr, &report] {
            assert!(!told.contains(PASSWORD), "{told}");
        }
        image
    }

    #[track_caller]
    fn made(&self, mut bake: Command) -> Image {
        let outcome = finish(bake.spawn().unwrap()).exits(0);
        let report = self.report();
        let report = &report["images"][0];
        let (id, name) = (&report["image"]["id"], report["image"]["name"].as_str().unwrap().to_owned());
        let leaks = self.cloud.leaks();
        let tags =
            leaks.as_object().unwrap().values().flat_map(|kinds| kinds["images"].as_array().into_iter().flatten());
        let tags = tags.into_iter().find(|image| image["id"] == *id).unwrap()["tags"].clone();
        let content = self.cloud.images().into_iter().find(|image| image["id"] == *id).unwrap();
        let source = report["source"]["id"].as_str().unwrap().to_owned();
        Image { id: id.as_str().unwrap().to_owned(), name, source, tags, content, outcome }
    }

    /// Asserts that the cloud only has the images of these bakes.
    #[track_caller]
    fn hold_only(&self, images: &[&Image]) {
        let mut names: Vec<&str> = images.iter().map(|image| image.name.as_str()).collect();
        names.sort_unstable();
        self.holds_only(&names);
    }
}

struct Image {
    id: String,
    name: String,
    source: String,
    tags: Value,
    content: Value,
    outcome: CommandOutcome,
}

impl Image {
    fn file(&self, path: &str) -> Option<String> {
        file_of(&self.content, path)
    }

    /// Asserts that the name is `PREFIX` and seconds since 1970.
    #[track_caller]
    fn is_called(&self, prefix: &str) {
        let time = self.name.strip_prefix(prefix).unwrap_or_else(|| panic!("{} is not {prefix}…", self.name));
        assert!(time.parse::<u64>().is_ok_and(|seconds| seconds > 1_700_000_000), "{}", self.name);
    }

    #[track_caller]
    fn called(&self, calls: &[&str]) {
        let made = self.file("opt/calls").unwrap_or_default();
        assert_eq!(made.lines().collect::<Vec<_>>(), calls, "{}", self.outcome.stderr);
    }
}

/// The command in a mount namespace with these mounts.
fn apart(command: &Command, mounts: &str) -> Command {
    let mut apart = Command::new("unshare");
    apart.args(["--mount", "sh", "-ec", &format!("{mounts}; exec \"$@\""), "sh"]);
    apart.arg(command.get_program()).args(command.get_args()).current_dir(command.get_current_dir().unwrap());
    apart.env_clear().envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    apart.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    apart
}

fn bionic(region: &str, name: &str) -> Value {
    json!({"region": region, "owner": CANONICAL, "name": name, "flavour": "ubuntu"})
}

#[test]
fn httpd() {
    let Some(templates) = Templates::new(&["httpd.json"]) else { return };
    let unit = "[Service]\\nExecStart=/bin/true\\n[Install]\\nWantedBy=multi-user.target\\n";
    let yum = format!(
        "case \"$*\" in *install*) printf '{unit}' > /etc/systemd/system/httpd.service; mkdir -p /var/www/html;; esac\n"
    );
    let image = json!({"region": "eu-west-1", "owner": AMAZON, "id": "ami-06ce3edf0cff21f07", "flavour": "al2023",
        "name": "amzn2-ami-hvm-2.0.20200406.0-x86_64-gp2"});
    templates.plant(&image, &[("/usr/local/bin/yum", &yum), ("/usr/local/bin/aws", "echo hello > \"$4\"\n")]);
    let image = templates.baked(&["httpd.json"]);
    image.is_called("httpd ");
    assert_eq!(image.source, "ami-06ce3edf0cff21f07");
    image.called(&[
        "yum update",
        "yum -y install httpd",
        "aws s3 cp s3://your-bucket-name-here/index_packer.html /var/www/html/index.html",
    ]);
    assert_eq!(image.file("var/www/html/index.html").as_deref(), Some("hello\n"));
    assert!(image.file("etc/systemd/system/multi-user.target.wants/httpd.service").is_some(), "it is not enabled");
    assert!(image.outcome.stderr.contains("Building an AMI for Kubes & Clouds!"), "{}", image.outcome.stderr);
    // The machine had a role for reading from S3 in its steps, and neither is left.
    let role = &templates.cloud.calls_of("PutRolePolicy")[0]["parameters"]["PolicyDocument"];
    assert!(role.to_string().contains("s3:Get*"), "{role:#}");
    templates.hold_only(&[&image]);
}

#[test]
fn the_iterations() {
    let names = ["iteration-1.json", "iteration-2.invalid.json", "iteration-3.json", "iteration-4.json"];
    let Some(templates) = Templates::new(&names) else { return };
    let old = "ubuntu/images/hvm-ssd/ubuntu-bionic-18.04-amd64-server-20200112";
    let new = "ubuntu/images/hvm-ssd/ubuntu-bionic-18.04-amd64-server-20200408";
    templates.plant(&bionic("eu-west-1", new), &[]);
    templates.plant(&bionic("eu-west-1", old), &[]);

    let first = templates.baked(&["iteration-1.json"]);
    first.is_called("packer-example ");
    let sources = templates.cloud.images();
    let source = sources.iter().find(|image| image["id"] == *first.source).unwrap();
    assert_eq!(source["name"], new, "the most recent one");

    let refused = templates.run(&["bake", "iteration-2.invalid.json"]).exits(3);
    assert!(refused.stderr.contains("iteration-2.invalid.json:26:7"), "{}", refused.stderr);

    // The playbook is in its author's home folder, which only this bake can see.
    let playbook = "- hosts: all\n  tasks:\n    - copy: {content: app, dest: /home/ubuntu/app}\n";
    templates.write("home/ubuntu/packer-files/app_playbook.yaml", playbook);
    let allowed = ["--allow-files", "/home/ubuntu/packer-files"];
    let mut command = with_ansible(templates.command(&[&["bake", "iteration-3.json"][..], &allowed].concat()));
    // `ami-bake policy` can't read the playbook, so this bake may do everything.
    command.envs(templates.cloud.env());
    let third = templates.made(apart(&command, "mount --bind home /home"));
    third.is_called("eng74-jared-packer-ami-");
    assert_eq!(third.file("home/ubuntu/app").as_deref(), Some("app"));

    let note = NOTE.replace('\n', "\\n").replace('"', "\\\"");
    let pm2 = format!(
        "- hosts: all\n  become: true\n  tasks:\n    - file: {{path: /usr/lib/node_modules/pm2/bin, state: directory}}\n    - copy: {{content: \"{note}\", dest: \"{{{{ item }}}}\", mode: \"0755\"}}\n      loop: [/usr/lib/node_modules/pm2/bin/pm2, /usr/local/bin/pm2]\n"
    );
    templates.write("app_playbook.yml", &pm2);
    let fourth = templates.secretly("AWS_SECRET_KEY", &["iteration-4.json"]);
    assert_eq!(fourth.name, "eng74-jared-packer-provisioned-ami");
    fourth.called(&["pm2 startup systemd -u ubuntu --hp /home/ubuntu", "pm2 save"]);
    templates.hold_only(&[&first, &third, &fourth]);
}

/// A stand-in for curl: builds a package for each URL of a `.deb`, which the real dpkg installs.
const CURL: &str = r#"
for url in "$@"; do case $url in https://*.deb)
  file=${url##*/}; folder=$(mktemp -d); mkdir "$folder/DEBIAN"; chmod 755 "$folder"
  printf 'Package: %s\nVersion: 7.7.0\nArchitecture: all\nMaintainer: nobody <nobody@example.com>\nDescription: a stand-in\n' "${file%%-*}" > "$folder/DEBIAN/control"
  dpkg-deb --build "$folder" "$file" > /dev/null; rm -r "$folder";; esac
done
"#;

const BEATS: [&str; 2] = [
    "curl -L -O https://artifacts.elastic.co/downloads/beats/filebeat/filebeat-7.7.0-amd64.deb",
    "curl -L -O curl -L -O https://artifacts.elastic.co/downloads/beats/metricbeat/metricbeat-7.7.0-amd64.deb",
];

#[test]
fn java() {
    let names = ["java-base.json", "java-on-base.json", "java-ami.json", "java-ami.vars.json", "minimal-ebs.json"];
    let Some(templates) = Templates::new(&names) else { return };
    templates.script("fix-sudo.sh", "#!/bin/sh\ntouch /home/ubuntu/fixed\n");
    let source = bionic("eu-west-2", "ubuntu/images/hvm-ssd/ubuntu-bionic-18.04-amd64-server-20200408");
    templates.plant(&source, &[("/usr/local/bin/apt-get", ""), ("/usr/local/bin/curl", CURL)]);

    let base = templates.baked(&["java-base.json"]);
    base.is_called("base-image-example-");
    base.called(&["apt-get update -y", "apt-get install -y chrony", BEATS[0], BEATS[1]]);
    let installed = base.file("var/lib/dpkg/status").unwrap();
    for package in ["filebeat", "metricbeat"] {
        assert!(installed.contains(&format!("Package: {package}\nStatus: install ok installed")), "{package}");
    }
    assert_eq!(base.file("tmp/filebeat-7.7.0-amd64.deb"), None);

    // The owner of the base image is a placeholder in the template.
    let gap = templates.run(&["bake", "java-on-base.json"]);
    assert_eq!(gap.code, Some(3), "{}", gap.stderr);
    assert!(gap.stderr.contains("--set owner="), "{}", gap.stderr);
    let whose = ["java-on-base.json", "--set", "owner=123456789012"];
    // DOCKER_HUB_PASSWORD is not required, since only the other builder uses it; unset is "" in Packer.
    let on_base = templates.baked(&whose);
    let java = "apt-get install -y openjdk-11-jre-headless";
    on_base.is_called("packer-example-");
    assert_eq!(on_base.source, base.id);
    on_base.called(&["apt-get update -y", "apt-get install -y chrony", BEATS[0], BEATS[1], "apt-get update -y", java]);
    assert!(on_base.file("home/ubuntu/fixed").is_some(), "the script did not run");

    let alone = templates.baked(&["java-ami.json", "--var-file", "java-ami.vars.json"]);
    alone.is_called("packer-example-");
    let both = "apt-get install -y chrony openjdk-11-jre-headless";
    alone.called(&["apt-get update -y", both, BEATS[0], BEATS[1]]);

    let minimal = bionic("eu-west-2", "ubuntu/images/hvm-instance/ubuntu-bionic-18.04-amd64-server--20200112");
    templates.plant(&minimal, &[]);
    let minimal = templates.baked(&["minimal-ebs.json"]);
    minimal.is_called("test-packer-");
    templates.hold_only(&[&base, &on_base, &alone, &minimal]);
}

/// The roles in the requirements are replaced by small ones; git is configured to find them.
#[test]
fn jenkins() {
    let Some(templates) = Templates::new(&["jenkins-ansible.json"]) else { return };
    let required = corpus().unwrap().join("required");
    for (name, to) in
        [("jenkins-playbook.yml", "ansible/jenkins.yml"), ("jenkins-requirements.yml", "ansible/requirements.yml")]
    {
        templates.write(to, &std::fs::read_to_string(required.join(name)).unwrap());
    }
    let java = "- set_fact: {java: \"{{ java_packages | first }}\"}\n";
    let jenkins = "- copy: {content: \"{{ jenkins_hostname }} with {{ java }}\", dest: /opt/jenkins}\n";
    role(&templates, "remote/ansible-role-java", java);
    role(&templates, "remote/ansible-role-jenkins", jenkins);
    let remote = templates.path("remote");
    templates.write(
        "gitconfig",
        &format!("[url \"file://{}/\"]\n  insteadOf = https://github.com/geerlingguy/\n", remote.display()),
    );
    let name = "debian-stretch-hvm-x86_64-gp2-2019-01-19-26620";
    let source = json!({"region": "eu-west-1", "owner": DEBIAN, "id": "ami-006d280940ad4a96c", "name": name, "flavour": "debian"});
    templates.plant(&source, &[]);

    let mut command = with_ansible(templates.command(&["bake", "jenkins-ansible.json"]));
    command.env("GIT_CONFIG_GLOBAL", templates.path("gitconfig"));
    let image = templates.made(command);
    image.is_called("jenkins ");
    assert_eq!(image.file("opt/jenkins").as_deref(), Some("localhost with openjdk-11-jdk"));
    for (tag, value) in [("sourceamiid", "ami-006d280940ad4a96c"), ("sourceami", name), ("owner", "kubes&clouds")] {
        assert_eq!(image.tags[tag], value, "{:#}", image.tags);
    }
    templates.hold_only(&[&image]);
}

#[test]
fn one_builder_of_many_clouds() {
    let Some(templates) = Templates::new(&["multi-cloud.json", "multi-cloud.vars.json"]) else { return };
    templates.script(
        "setup/util/vagrant-bootstrap.sh",
        "#!/bin/sh\ntest -s /tmp/encrypted_data_bag_secret\ntest -f \"$1\" && echo \"bootstrap $1\" >> /opt/calls\n",
    );
    templates.write("setup/chef/solo-nodes/blog-prod.json", "{}\n");
    let tar =
        Command::new("tar").current_dir(templates.path("setup")).args(["-czf", "../chef-setup.tar.gz", "."]).status();
    assert!(tar.unwrap().success());
    templates.write("chef.key", "the-key-of-the-data-bags\n");
    let source = json!({"region": "us-west-2", "owner": CANONICAL, "id": "ami-8c0663bc", "flavour": "ubuntu",
        "name": "ubuntu/images/ebs/ubuntu-raring-13.04-amd64-server-20130601"});
    templates.plant(
        &source,
        &[("/usr/local/bin/docker", "[ \"$1\" != ps ] || echo 0123abc\n"), ("/usr/local/bin/service", "")],
    );

    let key = ["--var-file", "multi-cloud.vars.json", "--set", "chef_key_location=chef.key"];
    let image = templates.baked(&[&["multi-cloud.json"], key.as_slice()].concat());
    image.is_called("blog-ebs-");
    image.called(&[
        "bootstrap /opt/chef-solo/website/chef/solo-nodes/blog-prod.json",
        "docker ps -q",
        "docker stop 0123abc",
        "service docker stop",
    ]);
    for gone in ["tmp/encrypted_data_bag_secret", "tmp/chef-setup.tar.gz"] {
        assert_eq!(image.file(gone), None, "{gone}");
    }
    for builder in ["openstack", "digitalocean"] {
        assert!(image.outcome.stderr.contains(builder), "{builder} is not named: {}", image.outcome.stderr);
    }
    templates.hold_only(&[&image]);
}
