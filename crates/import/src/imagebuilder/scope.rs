//! Parameters and resources of the stack, and Image Builder's placeholders, which texts may refer to.

use std::collections::BTreeSet;

use ami_bake_manifest::budget::{Budget, Exceeded};
use indexmap::IndexMap;
use jiff::Timestamp;

use super::collect::Collection;
use super::intrinsic::{FUNCTION, PLACEHOLDER, REFERENCE};
use crate::input::Reader;
use crate::template::{BUDGET, Expr, Part, TemplateScope, Unsupported, Words, members};
use crate::yaml::{Map, Value};
use ami_bake_manifest::access::credential;

/// CloudFormation's parameters.
pub(crate) struct Parameters<'a> {
    /// Parameters by name.
    list: IndexMap<String, Parameter<'a>>,
    budget: Budget,
    resources: BTreeSet<String>,
}

struct Parameter<'a> {
    default: Option<String>,
    secret: bool,
    reader: Reader<'a>,
}

impl<'a> Parameters<'a> {
    pub(crate) fn read(all: &Collection<'a>, sets: &[(String, String)]) -> Self {
        let mut list = IndexMap::new();
        for (name, reader) in &all.parameters {
            let hidden = reader.get("NoEcho").is_some_and(|field| field.text() == Some("true"));
            let secret = hidden || credential::named(name);
            let set = sets.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value.clone());
            let default =
                set.or_else(|| reader.get("Default").and_then(|field| field.value.literal().map(str::to_owned)));
            list.insert(name.clone(), Parameter { default, secret, reader: *reader });
        }
        Self { list, budget: Budget::new(BUDGET, 1), resources: all.names.iter().cloned().collect() }
    }

    /// `vars` and `secrets` of a manifest with this text.
    pub(crate) fn write(&self, text: &str, typed: &BTreeSet<String>, own: Map) -> (Map, Vec<Value>) {
        let mut vars = own;
        let mut secrets = Vec::new();
        let used = [members(text, "vars"), members(text, "secrets")];
        for (name, parameter) in &self.list {
            let secret = credential::variable(name);
            let (own, used) = if parameter.secret { (&secret, &used[1]) } else { (name, &used[0]) };
            let code = format!("vars.{name}");
            if !used.contains(own.as_str()) {
                parameter.reader.drop("nothing imported uses it", "");
                continue;
            }
            parameter.reader.mark_used();
            if parameter.secret {
                secrets.push(Value::from(secret.as_str()));
                parameter.reader.drop(
                    "the value of a credential is never copied",
                    format!("Set the environment variable {secret} for the bake."),
                );
                continue;
            }
            let value = match &parameter.default {
                Some(default)
                    if typed.contains(&code) && default.parse::<u64>().is_ok_and(|n| n.to_string() == *default) =>
                {
                    Value::Raw(default.clone())
                }
                Some(default) => Value::from(default.as_str()),
                None => Value::Raw("null".to_owned()),
            };
            for key in ["AllowedValues", "AllowedPattern", "MinLength", "MaxLength", "MinValue", "MaxValue"] {
                if let Some(field) = parameter.reader.get(key) {
                    field.drop("constraints of variables are not supported", "");
                }
            }
            vars.set_from(name.as_str(), value, &parameter.reader);
            if let Some(text) = parameter.reader.get("Description").and_then(|field| field.text()) {
                vars.comment(text.lines().map(str::to_owned).collect());
            }
        }
        (vars, secrets)
    }

    fn reference(&self, name: &str) -> Result<Words, Unsupported> {
        if let Some(parameter) = self.list.get(name) {
            if parameter.secret {
                let code = format!("secrets.{}", credential::variable(name));
                return Ok(Words(vec![Part::Expr(Expr { code, known: None, secret: true, optional: false })]));
            }
            self.budget.spend(parameter.default.as_deref().map_or(0, str::len))?;
            return Ok(Words::expr(format!("vars.{name}"), parameter.default.clone()));
        }
        match name {
            "AWS::Region" => Ok(Words::expr("region", None)),
            "AWS::StackName" => Ok(Words::expr("name", None)),
            "AWS::Partition" => Ok(Words::text("aws")),
            "AWS::NoValue" => Ok(Words::default()),
            _ if self.resources.contains(name) => {
                Err(Unsupported::new(format!("it refers to the resource `{name}` of the stack"))
                    .help("Write its name or ID, or `${{ vars.… }}`, into the manifest by hand."))
            }
            _ => Err(Unsupported::new(format!("`{name}` is only known in the stack"))
                .help("Write its value, or `${{ vars.… }}`, into the manifest by hand.")),
        }
    }
}

impl TemplateScope for Parameters<'_> {
    fn user(&self, name: &str) -> Result<Words, Unsupported> {
        Err(Unsupported::new(format!("`user {name}` only exists in Packer")))
    }

    fn env(&self, name: &str) -> Result<Words, Unsupported> {
        Err(Unsupported::new(format!("`env {name}` only exists in Packer")))
    }

    fn field(&self, path: &[String]) -> Result<Words, Unsupported> {
        Err(Unsupported::new(format!("`{}` has no counterpart", path.join("."))))
    }

    fn word(&self, _: &str) -> Option<Result<Words, Unsupported>> {
        None
    }

    fn call(&self, name: &str, arguments: &[String]) -> Option<Result<Words, Unsupported>> {
        let argument = arguments.first().map(String::as_str).unwrap_or_default();
        match name {
            REFERENCE => Some(self.reference(argument)),
            FUNCTION => Some(Err(Unsupported::new(format!("CloudFormation's `{argument}` is not supported")))),
            PLACEHOLDER => Some(match argument.split(':').next().unwrap_or_default() {
                "buildDate" => Ok(Words::expr("timestamp", None)),
                "buildVersion" => Ok(Words::expr("version", None)),
                _ => Err(Unsupported::new(format!("Image Builder's `{argument}` has no counterpart"))),
            }),
            _ => None,
        }
    }

    fn spend(&self, bytes: usize) -> Result<(), Exceeded> {
        self.budget.spend(bytes)
    }

    fn now(&self) -> Option<Timestamp> {
        None
    }
}
