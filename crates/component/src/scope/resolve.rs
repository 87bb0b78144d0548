//! Resolves references at run time.
use std::collections::HashMap;
use std::time::Duration;

use ami_bake_core::output::sanitize;
use ami_bake_core::plan::Phase;
use ami_bake_core::{Error, Result};
use ami_bake_manifest::tree::{Kind, Node};
use secrecy::ExposeSecret as _;
use serde_json::{Map, Value};

use super::{FinishedStep, Memory, Turn};
use crate::document::{Document, Section, Step};
use crate::machine::{Deadline, Machine, metadata};
use crate::reference::{Part, Reference, parse, references};

/// Time limit for a query on the machine or in the cloud.
const LOOK: Duration = Duration::from_mins(1);

/// The step, loop iteration and machine that references are resolved for.
#[derive(Clone)]
pub(crate) struct Scope<'a> {
    machine: &'a Machine<'a>,
    document: &'a Document,
    variables: &'a HashMap<String, String>,
    memory: &'a Memory,
    section: &'a Section,
    step: &'a Step,
    turn: Option<Turn>,
}

impl<'a> Scope<'a> {
    pub(crate) fn new(
        machine: &'a Machine<'a>,
        document: &'a Document,
        variables: &'a HashMap<String, String>,
        memory: &'a Memory,
        section: &'a Section,
        step: &'a Step,
    ) -> Self {
        Self { machine, document, variables, memory, section, step, turn: None }
    }

    /// The scope for an iteration of the step's loop.
    pub(crate) fn at(&self, turn: Turn) -> Self {
        Self { turn: Some(turn), ..self.clone() }
    }

    /// The machine.
    pub(super) fn machine(&self) -> &'a Machine<'a> {
        self.machine
    }

    /// The step's inputs with every reference replaced; in conditions references are replaced when they are evaluated.
    pub(crate) async fn inputs(&self) -> Result<Value> {
        match &self.step.inputs {
            Some(inputs) if self.step.assertion.is_none() => self.value(inputs).await,
            _ => Ok(Value::Null),
        }
    }

    async fn value(&self, node: &Node) -> Result<Value> {
        Ok(match &node.kind {
            Kind::Scalar(scalar) if node.is_null() => scalar.to_json(),
            Kind::Scalar(scalar) => self.text(&scalar.text).await?.into(),
            Kind::List(items) => {
                let mut all = Vec::with_capacity(items.len());
                for item in items {
                    all.push(Box::pin(self.value(item)).await?);
                }
                all.into()
            }
            Kind::Map(entries) => {
                let mut all = Map::new();
                for entry in entries {
                    all.insert(entry.key.clone(), Box::pin(self.value(&entry.value)).await?);
                }
                all.into()
            }
        })
    }

    /// A text with its references replaced, once: values are not searched for references.
    pub(crate) async fn text(&self, text: &str) -> Result<String> {
        let phases: Vec<&str> = self.document.phases.iter().map(|phase| phase.name.as_str()).collect();
        let mut whole = String::new();
        let mut from = 0;
        for (range, inner) in references(text) {
            if let Some(value) = self.resolve(inner, &parse(inner, &phases)).await? {
                whole.push_str(&text[from..range.start]);
                whole.push_str(&value);
                from = range.end;
            }
        }
        whole.push_str(&text[from..]);
        Ok(whole)
    }

    /// The value of a reference; `None` if it is not replaced.
    async fn resolve(&self, inner: &str, reference: &Reference<'_>) -> Result<Option<String>> {
        let unknown = |why: String| Error::build(format!("`{{{{ {inner} }}}}` has no value: {why}"));
        Ok(Some(match reference {
            Reference::Variable(name) => match self.variables.get(*name) {
                Some(value) => value.clone(),
                None => return Err(unknown("the document declares no such parameter or constant".to_owned())),
            },
            Reference::Turn { name, value } => {
                let called = self.step.repeat.as_ref().is_some_and(|repeat| repeat.is_called(name));
                match self.turn.as_ref().filter(|_| called) {
                    Some((_, text)) if *value => text.clone(),
                    Some((index, _)) => index.to_string(),
                    None => return Ok(None),
                }
            }
            Reference::Output { phase, step, field } => {
                let done = self.done(phase, step).map_err(&unknown)?;
                match done.outputs.get(*field) {
                    Some(text) => text.clone(),
                    None => {
                        return Err(unknown(format!(
                            "the step `{step}` has no output `{field}`, or more than 1 MiB of it"
                        )));
                    }
                }
            }
            Reference::Input { phase, step, path } => {
                let done = self.done(phase, step).map_err(&unknown)?;
                let found = follow(&done.inputs, path);
                found.ok_or_else(|| unknown(format!("the inputs of `{step}` have no such entry")))?
            }
            Reference::Env(name) => self.env(name).ok_or_else(|| {
                unknown("the variable is not set".to_owned()).help("Set it with `env` of the manifest's step.")
            })?,
            Reference::Parameter(name) => self.parameter(name).await?,
            Reference::ParameterOf(name) => {
                let named = self.variables.get(*name).cloned().unwrap_or_default();
                self.parameter(&named).await?
            }
            Reference::Metadata(path) => metadata(self.machine, path).await?,
            Reference::Context(key) => self.context(key).await?,
            Reference::Other => return Ok(None),
        }))
    }

    fn done(&self, phase: &str, step: &str) -> Result<&FinishedStep, String> {
        let done = self.memory.get(&(phase.to_owned(), step.to_owned()));
        done.ok_or_else(|| format!("the step `{step}` of `{phase}` did not run on this machine"))
    }

    fn env(&self, name: &str) -> Option<String> {
        let secrets = self.machine.run.secrets();
        let set = self.machine.step.env.iter().find(|(variable, _)| variable == name);
        match set {
            Some((_, value)) => Some(value.expose(secrets).expose_secret().to_owned()),
            None if name == "IMAGE_PHASE" => {
                let testing = self.section.name == Phase::Test.as_str();
                Some(if testing { "TESTING" } else { "BUILDING" }.to_owned())
            }
            None => None,
        }
    }

    async fn parameter(&self, name: &str) -> Result<String> {
        let run = self.machine.run;
        let services = self.machine.services()?;
        let value = run.until_cancelled(services.parameter(run, name)).await??;
        // Any parameter may be secret, even a plain one.
        run.masker().add(value.expose_secret());
        if value.expose_secret().contains('\n') {
            return Err(Error::build(format!(
                "the parameter `{name}` has several lines, which AWSTOE does not support"
            )));
        }
        Ok(value.expose_secret().to_owned())
    }

    async fn context(&self, key: &str) -> Result<String> {
        let now = self.machine.run.clock().now();
        let script = match key {
            "executionId" => return Ok(self.machine.run.id().to_owned()),
            "osPlatform" => return Ok("linux".to_owned()),
            "date" => return Ok(now.to_string().chars().take(10).collect()),
            "dateTime" => return Ok(now.to_string()),
            "uuid" => return Ok(uuid::Uuid::new_v4().to_string()),
            "phase" => return Ok(self.section.name.clone()),
            "step" => return Ok(self.step.name.clone()),
            "osName" => ". /etc/os-release 2>/dev/null; printf %s \"${ID:-unknown}\"",
            "osVersion" => ". /etc/os-release 2>/dev/null; printf %s \"${VERSION_ID:-unknown}\"",
            "hostname" => "printf %s \"$(hostname 2>/dev/null || uname -n)\"",
            _ => return Err(Error::build(format!("unknown reference `context:{key}`"))),
        };
        let deadline = Deadline::new(self.machine.run, Some(LOOK));
        let said = self.machine.sh(script, deadline).await?.passed()?;
        Ok(sanitize(&String::from_utf8_lossy(&said)))
    }
}

/// The text at a path into inputs. A list of one map and the map itself are interchangeable: documents use both.
fn follow(inputs: &Value, path: &[Part<'_>]) -> Option<String> {
    let mut at = inputs;
    for part in path {
        at = match (part, at) {
            (Part::Index(index), Value::Array(items)) => items.get(*index)?,
            (Part::Index(0), Value::Object(_)) => at,
            (Part::Key(key), Value::Object(map)) => map.get(*key)?,
            (Part::Key(key), Value::Array(items)) => items.first()?.get(*key)?,
            _ => return None,
        };
    }
    match at {
        Value::String(text) => Some(text.clone()),
        Value::Array(items) => Some(items.iter().filter_map(Value::as_str).collect::<Vec<_>>().join("\n")),
        _ => None,
    }
}
