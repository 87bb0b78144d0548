//! Which files a template may read: those of its repository, and no credentials. Messages quote nothing that was read.

use std::collections::{BTreeMap, BTreeSet};

use ami_bake_import::{Imported, Refused, Request, Source, import};
use ami_bake_manifest::access::{EnvLimit, VisibleEnv};

use crate::fixture::{Fixture, shown};
use crate::hcl::whole;

const SECRET: &str = "hunter2hunter2";

/// A template's folder in a repository, with a secret outside of it.
fn repository() -> Fixture {
    let fixture = Fixture::new(&["repository/.git/config", "repository/scripts/a.sh", "repository/images/x.txt"]);
    for name in ["secret", "repository/.git/config"] {
        fixture.write(name, &format!("{SECRET}\n"));
    }
    fixture.link("/proc/self/environ", "repository/images/environ");
    fixture.link("../../secret", "repository/images/out");
    fixture
}

fn request(fixture: &Fixture, name: &str, text: &str) -> Request {
    Request { working: "/".into(), ..fixture.request(&[(&fixture.file(&format!("repository/images/{name}")), text)]) }
}

/// All messages and the manifest.
fn all(result: &Result<Imported, Refused>) -> String {
    match result {
        Err(refused) => shown(refused),
        Ok(imported) => format!("{:?}\n{}", imported.findings, imported.manifest.clone().unwrap_or_default()),
    }
}

/// Paths that lead out of the repository.
const WAYS: [&str; 6] = ["../../secret", "out", "environ", "/proc/self/environ", "../.git/config", "../../nothing"];

#[test]
fn functions_of_files_stay_in_the_repository() {
    let fixture = repository();
    for way in WAYS {
        for function in ["file", "filebase64", "filesha256", "filesha512", "fileexists", "templatefile", "fileset"] {
            let more = if function == "fileset" { ", \"**\"" } else { "" };
            for form in ["", "${path.root}/"] {
                if form.is_empty() == way.starts_with('.') || (way.starts_with('/') && !form.is_empty()) {
                    continue;
                }
                let call = format!("{function}(\"{form}{way}\"{more})");
                // Functions that hide errors do not hide this one.
                for expression in [call.clone(), format!("try({call}, \"x\")"), format!("can({call})")] {
                    let text = whole(&format!("tags = {{ a = {expression} }}"), "", "");
                    let result = import(&request(&fixture, "web.pkr.hcl", &text));
                    let said = all(&result);
                    assert!(result.is_err(), "{expression}: {said}");
                    assert!(
                        said.contains("web.pkr.hcl:7:") && said.contains(".git") | said.contains("outside of"),
                        "{said}"
                    );
                    assert!(!said.contains(SECRET) && !said.contains("PATH="), "{said}");
                }
            }
        }
    }
    let text = whole("tags = { a = file(\"${path.root}/../scripts/a.sh\"), b = filesha256(\"x.txt\") }", "", "");
    assert!(all(&import(&request(&fixture, "web.pkr.hcl", &text))).contains("a: x\n"));
    let text = whole("tags = { a = file(\"${path.root}/../../secret\") }", "", "");
    let allowed =
        Request { allow_files: vec![fixture.file("secret").into()], ..request(&fixture, "web.pkr.hcl", &text) };
    assert!(all(&import(&allowed)).contains(SECRET));
}

#[test]
fn files_that_templates_name_stay_in_the_repository() {
    let fixture = repository();
    for way in WAYS {
        for (builder, provisioner) in [
            (format!(", \"user_data_file\": \"{way}\""), String::new()),
            (String::new(), format!("{{\"type\": \"shell\", \"script\": \"{way}\"}}")),
            (String::new(), format!("{{\"type\": \"ansible\", \"playbook_file\": \"{way}\"}}")),
            (String::new(), format!("{{\"type\": \"file\", \"source\": \"{way}\", \"destination\": \"/x\"}}")),
        ] {
            let text = format!(
                "{{\"builders\": [{{\"type\": \"amazon-ebs\", \"region\": \"eu-west-1\", \"source_ami\": \"ami-0123456789abcdef0\",
                 \"instance_type\": \"t3.small\", \"ssh_username\": \"ubuntu\", \"ami_name\": \"x\"{builder}}}], \"provisioners\": [{provisioner}]}}"
            );
            let said = all(&import(&request(&fixture, "web.json", &text)));
            assert!(said.contains("--allow-files") || said.contains("Git's own folder"), "{text}: {said}");
            assert!(!said.contains(SECRET) && !said.contains("PATH="), "{said}");
        }
    }
}

fn environment(limit: Option<EnvLimit>) -> VisibleEnv {
    let all = ["INPUT_TOKEN", "ACTIONS_RUNTIME_URL", "MIRROR", "PKR_VAR_a"];
    let values: BTreeMap<String, String> = all.iter().map(|name| ((*name).to_owned(), SECRET.to_owned())).collect();
    VisibleEnv::new(values, limit)
}

#[test]
fn the_environment_of_a_run_is_not_a_strangers_to_read() {
    let fixture = repository();
    let run = |expression: &str, limit: Option<EnvLimit>| {
        let text = whole(&format!("tags = {{ a = {expression} }}"), "", "variable \"a\" { default = \"d\" }\n");
        let request = Request { environment: environment(limit), ..request(&fixture, "web.pkr.hcl", &text) };
        all(&import(&request))
    };
    let said = run("env(\"ACTIONS_RUNTIME_URL\")", None);
    assert!(said.contains("web.pkr.hcl:8:") && said.contains("`ACTIONS_RUNTIME_URL` is a credential"), "{said}");
    let limit = |names: &[&str]| {
        let allowed: BTreeSet<String> = names.iter().map(|name| (*name).to_owned()).collect();
        Some(EnvLimit { why: "Anyone can start this".to_owned(), allowed })
    };
    let said = run("env(\"MIRROR\")", limit(&[]));
    assert!(said.contains("web.pkr.hcl:8:") && said.contains("`allow-env: MIRROR`"), "{said}");
    assert!(run("env(\"MIRROR\")", limit(&["MIRROR"])).contains("a: ${{ env.MIRROR || '' }}"));
    assert!(run("env(\"MIRROR\")", None).contains("a: ${{ env.MIRROR || '' }}"));
    let said = run("upper(var.a)", limit(&[]));
    assert!(said.contains("PKR_VAR_a") && said.contains("a: D"), "{said}");
    for said in [run("env(\"INPUT_TOKEN\")", None), run("upper(env(\"INPUT_TOKEN\"))", None)] {
        assert!(!said.to_lowercase().contains(SECRET), "{said}");
    }
}

/// A value from a file or the environment is in no message, whatever function was applied to it.
#[test]
fn messages_do_not_quote_what_was_read() {
    let fixture = repository();
    fixture.write("repository/images/x.txt", SECRET);
    let declared = "variable \"a\" { default = \"d\" }\nvariable \"n\" {\n  type = number\n  default = 1\n}\nlocals { m = { k = 1 } }\n";
    for value in
        ["file(\"x.txt\")", "var.a", "upper(var.a)", "\"<${file(\"x.txt\")}>\"", "base64encode(file(\"x.txt\"))"]
    {
        for use_of in ["local.m[VALUE]", "lookup(local.m, VALUE)", "VALUE + 1", "frob(VALUE)", "[1][VALUE]"] {
            let expression = use_of.replace("VALUE", value);
            let text = whole(&format!("tags = {{ a = {expression} }}"), "", declared);
            let mut request = Request { environment: environment(None), ..request(&fixture, "web.pkr.hcl", &text) };
            request.var_files = vec![Source { path: "n.pkrvars.hcl".into(), text: format!("n = \"{SECRET}\"\n") }];
            let with_file = all(&import(&request));
            request.var_files.clear();
            for said in [with_file, all(&import(&request))] {
                let (lower, encoded) = (said.to_lowercase(), "aHVudGVyMmh1bnRlcjI");
                assert!(!lower.contains(SECRET) && !said.contains(encoded), "{expression}: {said}");
            }
        }
    }
    let text = "{\"variables\": {\"w\": \"\"}, \"builders\": [{\"type\": \"amazon-ebs\", \"region\": \"eu-west-1\", \"source_ami\": \"ami-0123456789abcdef0\",
      \"instance_type\": \"t3.small\", \"ssh_username\": \"ubuntu\", \"ami_name\": \"x\", \"ena_support\": \"{{user `w`}}\", \"ssh_timeout\": \"{{user `w`}}\"}]}";
    let mut request = request(&fixture, "web.json", text);
    request.var_files = vec![Source { path: "w.json".into(), text: format!("{{\"w\": \"{SECRET}\"}}") }];
    let imported = import(&request).unwrap();
    assert!(imported.findings.iter().any(|finding| finding.why.contains("not a duration")), "{:?}", imported.findings);
    assert!(!format!("{:?}", imported.findings).contains(SECRET), "{:?}", imported.findings);
}

/// Credentials that ami-bake itself signs in with reach no machine: the template's value gets a secret of its own,
/// which must be set, and the import says so where the template reads it.
#[test]
fn what_the_bake_signs_in_with_becomes_a_secret_of_another_name() {
    let fixture = Fixture::new(&[]);
    let name = "AWS_SECRET_ACCESS_KEY";
    let environment: BTreeMap<String, String> = [(name.to_owned(), SECRET.to_owned())].into();
    let builder = "{\"type\": \"amazon-ebs\", \"region\": \"eu-west-1\", \"source_ami\": \"ami-0123456789abcdef0\",
      \"instance_type\": \"t3.small\", \"ssh_username\": \"ubuntu\", \"ami_name\": \"x\"}";
    let json = |default: &str| {
        format!(
            "{{\"variables\": {{\"k\": \"{default}\"}}, \"builders\": [{builder}], \"provisioners\": [{{\"type\": \"shell\",
              \"inline\": [\"x\"], \"environment_vars\": [\"{name}={{{{user `k`}}}}\"]}}]}}"
        )
    };
    let hcl = whole(
        "",
        &format!("provisioner \"shell\" {{\n inline = [\"x\"]\n environment_vars = [\"{name}=${{var.k}}\"]\n}}\n"),
        &format!("variable \"k\" {{\n default = env(\"{name}\")\n}}\n"),
    );
    let plain = json(&format!("{{{{env `{name}`}}}}"));
    let joined = json(&format!("<{{{{env `{name}`}}}}>"));
    for (file, text) in [("web.json", &plain), ("web.json", &joined), ("web.pkr.hcl", &hcl)] {
        let request =
            Request { environment: environment.clone().into(), ..fixture.request(&[(&fixture.file(file), text)]) };
        let imported = fixture.import(&request).imported;
        let manifest = imported.manifest.clone().unwrap_or_default();
        assert!(manifest.contains("secrets: [BAKE_AWS_SECRET_ACCESS_KEY]"), "{text}: {manifest}");
        assert!(manifest.contains("${{ secrets.BAKE_AWS_SECRET_ACCESS_KEY }}"), "{text}: {manifest}");
        let told =
            imported.findings.iter().find(|finding| finding.why.contains("now the secret BAKE_AWS_SECRET_ACCESS_KEY"));
        let told = told.unwrap_or_else(|| panic!("{text}: {:?}", imported.findings));
        assert!(told.why.contains("signs in with AWS_SECRET_ACCESS_KEY"), "{told:?}");
        assert!(!format!("{manifest}{:?}", imported.findings).contains(SECRET));
    }
}
