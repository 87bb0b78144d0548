//! Collects the cloud access that documents need, for the policy of the role that bakes.

use std::path::Path;

use ami_bake_core::plan::{ComponentStep, Step, StepAction};
use ami_bake_core::platform::Grant;
use ami_bake_core::services::ObjectPath;
use ami_bake_manifest::diagnostic::Sources;
use ami_bake_manifest::tree::Node;

use crate::document::{Document, Invocation, each_text, parse};
use crate::module::Action;
use crate::reference::{Reference, fill_known, references};

/// The access that the documents of these steps need, sorted; unreadable documents need none.
pub fn grants<'a>(steps: impl Iterator<Item = &'a Step>) -> Vec<Grant> {
    let mut all = Vec::new();
    for step in steps {
        let StepAction::Component(ComponentStep { path, parameters, phases }) = &step.action else { continue };
        let Some(document) = read(path) else { continue };
        let invocation = Invocation { document: &document, name: "", parameters, phases: None, callers: &[] };
        let variables = invocation.variables();
        let known = |inner: &str| variables.get(inner).cloned();
        for section in &document.phases {
            if phases.iter().any(|phase| phase.as_str() == section.name) {
                section.steps.iter().for_each(|step| self::step(step, &known, &mut all));
            }
        }
    }
    all.sort();
    all.dedup();
    all
}

fn read(path: &Path) -> Option<Document> {
    let mut sources = Sources::default();
    let file = sources.add("", std::fs::read_to_string(path).ok()?);
    parse(file, &sources, &mut Vec::new())
}

fn step(step: &crate::document::Step, known: &dyn Fn(&str) -> Option<String>, all: &mut Vec<Grant>) {
    each_text(step, &mut |text, _| {
        for (_, inner) in references(text) {
            let name = match crate::reference::parse(inner, &[]) {
                Reference::Parameter(name) => name.to_owned(),
                Reference::ParameterOf(name) => known(name).unwrap_or_else(|| "*".to_owned()),
                _ => continue,
            };
            let resource = format!("ssm:*:*:parameter/{}", name.trim_start_matches('/'));
            all.push(Grant { action: "ssm:GetParameter", resource });
        }
    });
    if step.module.action == Action::ExecuteDocument {
        let document = step.inputs.as_ref().and_then(|inputs| inputs.get("document")).and_then(Node::scalar);
        all.extend(document.and_then(|scalar| of_document(&fill_known(&scalar.text, known))));
        return;
    }
    let entries = step.inputs.as_ref().map(Node::items).unwrap_or_default();
    for entry in entries {
        let (key, action) = match step.module.action {
            Action::S3Download => ("source", "s3:GetObject"),
            Action::S3Upload => ("destination", "s3:PutObject"),
            _ => continue,
        };
        let Some(at) = entry.get(key).and_then(Node::scalar).map(|scalar| fill_known(&scalar.text, known)) else {
            continue;
        };
        let Ok(at) = ObjectPath::parse(&at) else {
            all.push(Grant { action, resource: "s3:::*".to_owned() });
            continue;
        };
        let several = at.key.ends_with('*') || (action == "s3:PutObject" && entry.get("recurse").is_some());
        let end = if several || at.key.ends_with('/') { "*" } else { "" };
        let object = format!("s3:::{}/{}{end}", at.bucket, at.key.trim_end_matches('*'));
        all.push(Grant { action, resource: object });
        if several && action == "s3:GetObject" {
            all.push(Grant { action: "s3:ListBucket", resource: format!("s3:::{}", at.bucket) });
        }
    }
}

/// The access for reading another document.
fn of_document(place: &str) -> Option<Grant> {
    if let Some(arn) = place.strip_prefix("arn:") {
        let (_, resource) = arn.split_once(':')?;
        // A version or a pattern refers to the document of a build that only Image Builder knows.
        let (name, version) = resource.rsplit_once(":component/")?.1.split_once('/')?;
        let before = resource.split_once(":component/")?.0;
        let version = match version.find(['x', '*']) {
            Some(_) => "*".to_owned(),
            None if version.contains('/') => version.to_owned(),
            None => format!("{version}*"),
        };
        let resource = format!("{before}:component/{name}/{version}");
        return Some(Grant { action: "imagebuilder:GetComponent", resource });
    }
    let at = ObjectPath::parse(place).ok()?;
    Some(Grant { action: "s3:GetObject", resource: format!("s3:::{}/{}", at.bucket, at.key) })
}

#[cfg(test)]
mod tests {
    use ami_bake_core::Route;
    use ami_bake_core::plan::{OnFailure, Phase};

    use super::*;

    const DOCUMENT: &str = r#"
schemaVersion: 1.0
parameters: [{Bucket: {type: string}}]
phases:
  - name: build
    steps:
      - {name: Get, action: S3Download, inputs: [{source: "s3://{{ Bucket }}/a/*", destination: /a}, {source: "s3://b/k", destination: /k}]}
      - {name: Put, action: S3Upload, inputs: [{source: /a, destination: "s3://b/out/"}]}
      - {name: Any, action: S3Download, inputs: [{source: "{{ build.X.outputs.stdout }}", destination: /a}]}
      - {name: Run, action: ExecuteDocument, inputs: {document: "s3://b/inner.yml"}}
      - {name: One, action: ExecuteDocument, inputs: {document: "arn:aws:imagebuilder:eu-west-1:111122223333:component/one/1.0.0/2"}}
      - {name: Version, action: ExecuteDocument, inputs: {document: "arn:aws:imagebuilder:eu-west-1:111122223333:component/two/1.0.0"}}
      - {name: Newest, action: ExecuteDocument, inputs: {document: "arn:aws:imagebuilder:eu-west-1:aws:component/{{ Bucket }}/1.x.x"}}
      - {name: Say, action: ExecuteBash, inputs: {commands: ["echo {{ aws:ssm:/app/token }}"]}}
  - name: test
    steps:
      - {name: Other, action: S3Download, inputs: [{source: "s3://other/k", destination: /k}]}
"#;

    #[test]
    fn only_what_runs_is_granted_and_no_more() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("web.yml");
        std::fs::write(&path, DOCUMENT).unwrap();
        let parameters = vec![("Bucket".to_owned(), "assets".to_owned())];
        let step = Step {
            name: "it".to_owned(),
            route: Route::root(),
            action: StepAction::Component(ComponentStep { path, parameters, phases: vec![Phase::Build] }),
            env: Vec::new(),
            timeout: None,
            retries: 0,
            on_failure: OnFailure::Abort,
            cache_for: None,
            inputs: ami_bake_core::plan::Inputs::default(),
        };
        let grants = grants([&step, &step].into_iter());
        let shown: Vec<String> = grants.iter().map(|grant| format!("{} {}", grant.action, grant.resource)).collect();
        assert_eq!(
            shown,
            [
                "imagebuilder:GetComponent imagebuilder:eu-west-1:111122223333:component/one/1.0.0/2",
                "imagebuilder:GetComponent imagebuilder:eu-west-1:111122223333:component/two/1.0.0*",
                "imagebuilder:GetComponent imagebuilder:eu-west-1:aws:component/assets/*",
                "s3:GetObject s3:::*",
                "s3:GetObject s3:::assets/a/*",
                "s3:GetObject s3:::b/inner.yml",
                "s3:GetObject s3:::b/k",
                "s3:ListBucket s3:::assets",
                "s3:PutObject s3:::b/out/*",
                "ssm:GetParameter ssm:*:*:parameter/app/token"
            ]
        );
    }
}
