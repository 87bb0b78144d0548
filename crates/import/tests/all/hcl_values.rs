//! Tests of names, sets, numbers and parameters in HCL2 templates.

use ami_bake_core::plan::{StepAction, Value};

use crate::hcl::{template, whole};

/// `source.name` is the name in the build, `PACKER_BUILD_NAME` that of the source, `build.name` that of the build.
#[test]
fn names_have_packer_s_values_after_a_rename() {
    let source = "source \"amazon-ebs\" \"web\" {\n region = \"us-east-1\"\n source_ami = \"ami-0123456789abcdef0\"\n instance_type = \"t3.micro\"\n \
        ssh_username = \"ubuntu\"\n ami_name = \"img-${source.name}\"\n tags = { kind = source.type }\n}\n";
    let step = "provisioner \"shell\" { inline = [\"echo $PACKER_BUILD_NAME $PACKER_BUILDER_TYPE\", \"echo ${source.name} ${source.type} '${build.name}'\"] }\n";
    let build = |name: &str| {
        format!(
            "{source}build {{\n {name}\n source \"source.amazon-ebs.web\" {{ name = \"blue\" }}\n source \"source.amazon-ebs.web\" {{ name = \"web\" }}\n {step}}}\n"
        )
    };
    let done = template(&build("name = \"all\""));
    for (image, own) in [("blue", "web"), ("web", "web")] {
        let plan = done.try_plan(image, &[], &[]).unwrap();
        assert_eq!(
            (plan.settings.name.as_str(), plan.settings.tags["kind"].as_str()),
            (format!("img-{image}").as_str(), "amazon-ebs")
        );
        let StepAction::Run(run) = &plan.build[0].action else { panic!("{:?}", plan.build[0]) };
        assert_eq!(run.script, format!("echo $PACKER_BUILD_NAME $PACKER_BUILDER_TYPE\necho {image} amazon-ebs 'all'"));
        let names = [("PACKER_BUILD_NAME", own), ("PACKER_BUILDER_TYPE", "amazon-ebs")];
        assert_eq!(plan.build[0].env, names.map(|(name, value)| (name.to_owned(), Value::Plain(value.to_owned()))));
    }
    let plan = template(&build("")).try_plan("blue", &[], &[]).unwrap();
    let StepAction::Run(run) = &plan.build[0].action else { panic!("{:?}", plan.build[0]) };
    assert!(run.script.ends_with("echo blue amazon-ebs ''"), "{}", run.script);
}

#[test]
fn sets_and_numbers_are_printed_as_hcl_prints_them() {
    let more = "variable \"pkgs\" {\n type = set(string)\n default = [\"b\", \"a\", \"b\"]\n}\n";
    let step = "provisioner \"shell\" { inline = [\"echo ${join(\",\", var.pkgs)} ${length(var.pkgs)} ${0.1 + 0.2} ${10000000000000000} ${7 / 2} ${1e3}\"] }\n";
    template(&whole("", step, more)).says("run: echo a,b 2 0.3 10000000000000000 3.5 1000\n");
}

/// The parameter follows the variable in its name.
#[test]
fn an_ssm_parameter_may_have_a_variable_in_its_name() {
    let text = r#"
variable "k8s" { default = "1.31" }
data "amazon-parameterstore" "node" {
  name   = "/aws/service/eks/optimized-ami/${var.k8s}/amazon-linux-2023/x86_64/standard/recommended/image_id"
  region = "us-east-1"
}
source "amazon-ebs" "node" {
  region        = "us-east-1"
  source_ami    = data.amazon-parameterstore.node.value
  instance_type = "t3.micro"
  ssh_username  = "ec2-user"
  ami_name      = "node"
}
build { sources = ["source.amazon-ebs.node"] }
"#;
    template(text).says("parameter: /aws/service/eks/optimized-ami/${{ vars.k8s }}/amazon-linux-2023/x86_64/standard/recommended/image_id\n");
}
