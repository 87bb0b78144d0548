//! Tests of Image Builder's resources, as files and in CloudFormation.

use crate::fixture::Fixture;

const DOCUMENT: &str = "name: web\nschemaVersion: 1.0\nphases:\n  - name: build\n    steps:\n      - name: a\n        action: ExecuteBash\n        inputs: {commands: ['id']}\n  - name: test\n    steps: []\n";

#[test]
fn resources_become_one_manifest() {
    let fixture = Fixture::new(&[]);
    fixture.write("web.yml", DOCUMENT);
    fixture.import(&fixture.request(&[
        ("recipe.json", r#"{"name": "Web", "description": "d", "semanticVersion": "1.2.3", "parentImage": "arn:aws:imagebuilder:eu-west-1:aws:image/ubuntu-server-22-lts-x86/x.x.x",
            "components": [{"componentArn": "arn:aws:imagebuilder:eu-west-1:111122223333:component/web/1.0.0", "parameters": [{"name": "Version", "value": ["17"]}]},
                           {"componentArn": "arn:aws:imagebuilder:eu-west-1:aws:component/update-linux/x.x.x"}],
            "blockDeviceMappings": [{"deviceName": "/dev/sda1", "ebs": {"volumeSize": 20, "volumeType": "gp3", "encrypted": true}}], "workingDirectory": "/tmp"}"#),
        ("infrastructure.json", r#"{"name": "i", "instanceTypes": ["t3.small", "t3.medium"], "instanceProfileName": "p", "securityGroupIds": ["sg-1"], "subnetId": "subnet-1",
            "terminateInstanceOnFailure": false, "resourceTags": {"a": "b"}, "instanceMetadataOptions": {"httpTokens": "required"}, "keyPair": "k"}"#),
        ("distribution.json", r#"{"name": "d", "distributions": [
            {"region": "eu-west-1", "amiDistributionConfiguration": {"name": "Web {{ imagebuilder:buildDate }} {{ imagebuilder:buildVersion }}", "amiTags": {"t": "u"}, "launchPermission": {"userIds": ["111122223333"]}},
             "launchTemplateConfigurations": [{"launchTemplateId": "lt-1", "setDefaultVersion": true}], "ssmParameterConfigurations": [{"parameterName": "/images/web", "dataType": "aws:ec2:image"}]},
            {"region": "us-east-1", "amiDistributionConfiguration": {"kmsKeyId": "alias/x"}, "s3ExportConfiguration": {"s3Bucket": "b"}}]}"#),
        ("pipeline.json", r#"{"name": "Nightly", "imageRecipeArn": "a", "infrastructureConfigurationArn": "b", "schedule": {"scheduleExpression": "cron(0 0 * * ? *)"}, "status": "ENABLED"}"#),
        ("web.yml", DOCUMENT),
    ]))
    .says("name: Nightly\nversion: \"1.2.3\"\n")
    .says("        owner: \"099720109477\"\n        name: ubuntu/images/*ubuntu-jammy-22.04-amd64-server-*\n        architecture: x86_64\n")
    .says("    machine:\n      type: [t3.small, t3.medium]\n      profile: p\n      subnet: subnet-1\n      security-groups: [sg-1]\n")
    .says("    build:\n      - component: web.yml\n        with:\n          Version: \"17\"\n    test:\n      - component: web.yml\n")
    .says("      name: Web ${{ timestamp }} ${{ version }}\n")
    .says("      regions:\n        - region: us-east-1\n          kms-key: alias/x\n")
    .says("      parameters: [/images/web]\n")
    .says("    deploy:\n      - launch-template: lt-1\n        set-default: true\n")
    .reports("components[1]", "managed by Amazon")
    .reports("terminateInstanceOnFailure", "by default")
    .reports("schedule", "belongs in the workflow")
    .reports("distributions[1].s3ExportConfiguration", "exporting images is not supported")
    .reports("workingDirectory", "run in `/tmp`")
    .reports("keyPair", "key pair for each machine");
}

#[test]
fn answers_of_the_api_are_unwrapped() {
    let fixture = Fixture::new(&[]);
    fixture.import(&fixture.request(&[("r.json", r#"{"requestId": "x", "imageRecipe": {"arn": "a", "name": "Web", "version": "1.0.0", "parentImage": "ami-0123456789abcdef0", "components": []}}"#)]))
        .says("  Web:\n    source:\n      ami:\n        id: ami-0123456789abcdef0\n")
        .reports("imageRecipe.arn", "set by AWS");
}

#[test]
fn a_stack_brings_its_parameters_and_documents() {
    let fixture = Fixture::new(&[]);
    let stack = "AWSTemplateFormatVersion: '2010-09-09'
Parameters:
  Type: {Type: String, Default: t3.small, Description: The machine}
  Token: {Type: String, NoEcho: 'true', Default: hunter2}
  Unused: {Type: String}
Resources:
  Role: {Type: 'AWS::IAM::Role', Properties: {Path: /}}
  Component:
    Type: AWS::ImageBuilder::Component
    Properties:
      Name: setup
      Platform: Linux
      Version: 1.0.0
      Data: |
        schemaVersion: 1.0
        phases: [{name: build, steps: []}]
  Recipe:
    Type: AWS::ImageBuilder::ImageRecipe
    Properties:
      Name: !Sub '${AWS::StackName}-web'
      Version: 1.0.0
      ParentImage: !Sub 'ssm:/aws/service/x'
      Components: [{ComponentArn: !Ref Component}]
  Machine:
    Type: AWS::ImageBuilder::InfrastructureConfiguration
    Properties: {Name: m, InstanceTypes: [!Ref Type], InstanceProfileName: !ImportValue p}
  Pipeline:
    Type: AWS::ImageBuilder::ImagePipeline
    Properties: {Name: p, ImageRecipeArn: !Ref Recipe, InfrastructureConfigurationArn: !GetAtt Machine.Arn}
";
    let done = fixture.import(&fixture.request(&[("stack.yml", stack)]));
    done.says("vars:\n  # The machine\n  Type: t3.small\n")
        .says("        parameter: /aws/service/x\n")
        .says("      type: ${{ vars.Type }}\n")
        .says("      - component: components/setup.yml\n")
        .lacks("hunter2")
        .reports("Resources.Role", "not part of an image")
        .reports("Parameters.Unused", "nothing imported uses it")
        .reports("Resources.Machine.Properties.InstanceProfileName", "Fn::ImportValue");
    assert_eq!(done.imported.files.len(), 1);
    assert!(done.imported.files[0].1.starts_with("schemaVersion"));
}

#[test]
fn a_component_alone_needs_a_source() {
    let fixture = Fixture::new(&[]);
    fixture.write("web.yml", DOCUMENT);
    fixture
        .import(&fixture.request(&[("web.yml", DOCUMENT)]))
        .says("vars:\n  # The source image.\n  source-ami: null\n")
        .says("    build:\n      - component: web.yml\n    test:\n      - component: web.yml\n");
}

/// Parameters without a default become variables; those with one keep it.
#[test]
fn required_parameters_of_a_component_become_variables() {
    let document = "schemaVersion: 1.0\nparameters:\n  - Bucket: {type: string}\n  - Mode: {type: string, default: fast}\n\
        phases:\n  - name: build\n    steps:\n      - {name: hi, action: ExecuteBash, inputs: {commands: [\"echo '{{ Bucket }}' {{ Mode }}\"]}}\n";
    let fixture = Fixture::new(&[]);
    fixture.write("web.yml", document);
    fixture
        .import(&fixture.request(&[("web.yml", document)]))
        .says("  # A parameter of web.yml.\n  Bucket: null\n")
        .says("      - component: web.yml\n        with:\n          Bucket: ${{ vars.Bucket }}\n");
}

#[test]
fn configurations_without_a_recipe_give_no_manifest() {
    let fixture = Fixture::new(&[]);
    let done = fixture.import(
        &fixture.request(&[("i.json", r#"{"name": "i", "instanceTypes": ["t3.small"], "instanceProfileName": "p"}"#)]),
    );
    assert!(done.imported.manifest.is_none());
    assert!(!done.imported.findings.is_empty());
}

/// Components run in the order of the recipe, whatever the order of the files; a document replaces its resource's
/// `uri`.
#[test]
fn components_run_in_the_recipe_s_order() {
    let fixture = Fixture::new(&[]);
    let arn = |name: &str| {
        format!(r#"{{"componentArn": "arn:aws:imagebuilder:eu-west-1:111122223333:component/{name}/1.0.0"}}"#)
    };
    for name in ["one", "two", "far"] {
        fixture.write(&format!("{name}.yml"), DOCUMENT);
    }
    let recipe = format!(
        r#"{{"name": "Web", "version": "1.2.3", "parentImage": "ami-0123456789abcdef0", "components": [{}, {}, {}, {}]}}"#,
        arn("one"),
        arn("inner"),
        arn("Farther"),
        arn("two")
    );
    fixture.import(&fixture.request(&[
        ("two.yml", DOCUMENT),
        ("far.yml", DOCUMENT),
        ("one.yml", DOCUMENT),
        ("c.json", &format!(r#"{{"name": "Inner", "semanticVersion": "1.0.0", "platform": "Linux", "data": {}}}"#, serde_json::json!(DOCUMENT))),
        ("f.json", r#"{"name": "farther", "semanticVersion": "1.0.0", "platform": "Linux", "uri": "s3://bucket/x/far.yml"}"#),
        ("r.json", &recipe),
        ("d.json", r#"{"name": "d", "distributions": [{"region": "us-east-1", "amiDistributionConfiguration": {"name": "other {{ imagebuilder:buildDate }}"}},
            {"region": "eu-west-1", "amiDistributionConfiguration": {"name": "home {{ imagebuilder:buildDate }}", "kmsKeyId": "alias/home"}}]}"#),
    ]))
    .says("version: \"1.2.3\"\n")
    .says("aws:\n  region: eu-west-1\n")
    .says("        kms-key: alias/home\n")
    .says("    build:\n      - component: one.yml\n      - component: components/Inner.yml\n      - component: far.yml\n      - component: two.yml\n")
    .says("      name: home ${{ timestamp }}\n      regions: [us-east-1]\n")
    .reports("distributions[0].amiDistributionConfiguration.name", "in all regions");
}

#[test]
fn lifecycle_policies_become_rules_of_the_image() {
    let fixture = Fixture::new(&[]);
    let recipe = r#"{"name": "Web", "semanticVersion": "1.0.0", "parentImage": "ami-0123456789abcdef0"}"#;
    let policy = r#"{"name": "l", "resourceType": "AMI_IMAGE", "policyDetails": [
        {"action": {"type": "DELETE", "includeResources": {"amis": true}}, "filter": {"type": "AGE", "value": 6, "unit": "WEEKS", "retainAtLeast": 3}},
        {"action": {"type": "DEPRECATE"}, "filter": {"type": "AGE", "value": 3, "unit": "MONTHS"}},
        {"action": {"type": "DISABLE"}, "filter": {"type": "AGE", "value": 9, "unit": "DAYS"}}]}"#;
    fixture
        .import(&fixture.request(&[("r.json", recipe), ("l.json", policy)]))
        .says("      keep:\n        newer-than: 42d\n        last: 3\n      deprecate-after: 90d\n")
        .reports("policyDetails[2]", "by age is supported")
        .reports("resourceType", "images of this manifest");
}

/// Resources that create no AMI are reported.
#[test]
fn container_recipes_and_workflows_are_reported() {
    let fixture = Fixture::new(&[]);
    for text in [
        r#"{"name": "c", "containerType": "DOCKER", "semanticVersion": "1.0.0", "parentImage": "amazonlinux:latest", "components": []}"#,
        r#"{"name": "w", "semanticVersion": "1.0.0", "type": "BUILD", "data": "name: x"}"#,
        r#"{"Resources": {"W": {"Type": "AWS::ImageBuilder::Workflow", "Properties": {"Name": "w"}}}}"#,
    ] {
        let done = fixture.import(&fixture.request(&[("x.json", text)]));
        assert!(done.imported.manifest.is_none());
        assert!(
            done.imported.findings.iter().any(|finding| finding.why.contains("not supported")),
            "{:?}",
            done.imported.findings
        );
    }
}

/// A parameter of the stack that CloudFormation resolves, and the region of the stack.
#[test]
fn a_stack_s_own_region_and_parameters_of_ssm() {
    let fixture = Fixture::new(&[]);
    let stack = "Parameters:
  Base: {Type: 'AWS::SSM::Parameter::Value<AWS::EC2::Image::Id>', Default: /aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64}
Resources:
  Recipe:
    Type: AWS::ImageBuilder::ImageRecipe
    Properties: {Name: web, Version: 2.0.0, ParentImage: !Ref Base}
  Profile: {Type: 'AWS::IAM::InstanceProfile'}
  Machine:
    Type: AWS::ImageBuilder::InfrastructureConfiguration
    Properties: {Name: m, InstanceProfileName: !Ref Profile}
  Where:
    Type: AWS::ImageBuilder::DistributionConfiguration
    Properties:
      Name: d
      Distributions: [{Region: !Ref AWS::Region, AmiDistributionConfiguration: {Name: 'web {{ imagebuilder:buildDate }}', LaunchPermissionConfiguration: {UserIds: ['111122223333']}}}]
";
    let stack = &format!("Description: The stack of the web\n{stack}");
    fixture
        .import(&fixture.request(&[("stack.yml", stack)]))
        .says("# The stack of the web\n")
        .says("        accounts: [\"111122223333\"]\n")
        .reports("Resources.Machine.Properties.InstanceProfileName", "the resource `Profile`")
        .says("version: \"2.0.0\"\n")
        .says("        parameter: ${{ vars.Base }}\n")
        .lacks("region: ${{ region }}");
}

/// The ARN of a managed image in a stack: its partition and region are the stack's.
#[test]
fn a_parent_image_of_a_stack_is_found_by_its_name() {
    let fixture = Fixture::new(&[]);
    let stack = |parent: &str| {
        format!(
            "AWSTemplateFormatVersion: '2010-09-09'\nParameters:\n  Base: {{Type: String}}\nResources:\n  Recipe:\n    Type: AWS::ImageBuilder::ImageRecipe\n    Properties:\n      \
            Name: web\n      Version: 1.0.0\n      ParentImage: {parent}\n"
        )
    };
    let import = |parent: &str| fixture.import(&fixture.request(&[("stack.yml", &stack(parent))]));
    import("!Sub arn:${AWS::Partition}:imagebuilder:${AWS::Region}:aws:image/amazon-linux-2023-x86/x.x.x")
        .says("owner: amazon\n")
        .says("al2023-ami-2023.*-x86_64");
    let own = import("!Ref Base");
    own.says("id: ${{ vars.Base }}\n").says("  Base: null\n");
    let plan = own.try_plan("web", &[], &[("Base", "ami-0123456789abcdef0")]);
    assert!(plan.is_ok(), "{plan:?}");
    import("!ImportValue base-image").says("id: ${{ vars.source-ami }}\n");
    import("!Sub arn:aws:imagebuilder:${AWS::Region}:${AWS::AccountId}:image/base/x.x.x")
        .says("id: ${{ vars.source-ami }}\n");
}
