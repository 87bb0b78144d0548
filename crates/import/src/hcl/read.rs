//! Reads a template in Packer's HCL2.

use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::Arc;

use hcl_edit::Span;
use hcl_edit::structure::Body;
use jiff::Timestamp;

use super::declare::{Declarations, declare};
use super::error::TemplateError;
use super::evaluate::evaluate;
use super::lower::Lowering;
use super::module::{ExtraVariable, Module};
use super::scope::Scope;
use super::value::HclValue;
use super::variable::Variable;
use super::{assign, comment, file, files, json, validate};
use crate::input::{InputValue, Log, Refused, Source, SourceComment, SpanMap, ValueKind};
use crate::packer::{DeclaredVariable, PackerTemplate};
use crate::paths::Paths;
use ami_bake_manifest::access::{VisibleEnv, credential};

/// Inputs for reading a template.
pub(crate) struct HclInput<'a> {
    /// The files of the template, and variable files that Packer loads automatically.
    pub(crate) files: &'a [Source],
    /// Variable files, in order.
    pub(crate) var_files: &'a [Source],
    /// Variables of the command line.
    pub(crate) sets: &'a [(String, String)],
    pub(crate) environment: &'a VisibleEnv,
    /// The time to evaluate with.
    pub(crate) now: Option<Timestamp>,
    pub(crate) paths: &'a Paths,
}

/// Reads a template.
///
/// # Errors
/// When the template is invalid in Packer, too; with locations.
pub(crate) fn read(input: &HclInput, log: &Log) -> Result<PackerTemplate, Refused> {
    let (templates, mut var_files): (Vec<&Source>, Vec<&Source>) =
        input.files.iter().partition(|source| !files::is_variables(&source.path));
    var_files.extend(input.var_files);
    let originals: Vec<&Source> = templates.iter().chain(&var_files).copied().collect();
    let mut errors = Vec::new();
    // Templates in JSON are converted to the equivalent HCL.
    let mut texts: Vec<Source> = Vec::new();
    let mut maps: Vec<Option<SpanMap>> = Vec::new();
    for (at, source) in templates.iter().enumerate() {
        let (text, map) = match files::is_json(&source.path).then(|| json::template(at, &source.text)) {
            None => (source.text.clone(), None),
            Some(Ok((text, map))) => (text, Some(map)),
            Some(Err(error)) => {
                errors.push(error);
                continue;
            }
        };
        if let Some(map) = &map {
            log.generated(Rc::from(source.path.display().to_string()), map.clone());
        }
        texts.push(Source { path: source.path.clone(), text });
        maps.push(map);
    }
    refuse(&errors, &originals, &vec![None; templates.len()])?;
    let all: Vec<&Source> = texts.iter().chain(var_files.iter().copied()).collect();
    let mut bodies: Vec<Body> = Vec::new();
    for (at, source) in texts.iter().enumerate() {
        match file::body(at, &source.text) {
            Ok(body) => bodies.push(body),
            Err(error) => errors.push(error),
        }
    }
    refuse(&errors, &originals, &maps)?;
    for (source, body) in texts.iter().zip(&bodies) {
        let file: Rc<str> = Rc::from(source.path.display().to_string());
        comment::collect(body, 0, &mut |span, lines| {
            log.comment(SourceComment { file: Rc::clone(&file), span, lines, may_move: false });
        });
    }
    let first = templates.len();
    let mut module = Module::new(evaluate, input.paths, input.now, input.environment, Arc::clone(&log.private));
    let mut lowering = Lowering::new(&all, log);
    assign::variables(&bodies, &mut module, &mut lowering);
    assign::values(&var_files, first, input.sets, &mut module, &mut lowering);
    let declarations = declare(&bodies, &mut module, &mut lowering);
    refuse(&lowering.errors, &originals, &maps)?;

    validate::variables(&module, &mut lowering);
    let mut template = PackerTemplate::default();
    for (group, build) in declarations.builds.iter().enumerate() {
        template.builds.extend(lowering.build(&module, &declarations.sources, build, group));
    }
    validate::unused(&module, &declarations, &lowering);
    refuse(&lowering.errors, &originals, &maps)?;

    let variables = module.variables.values().filter(|variable| !variable.is_written_out());
    template.variables = variables.map(|variable| declared(&module, variable, &mut lowering)).collect();
    let extras = extras(&module, &template, &lowering);
    template.variables.extend(extras);
    template.comments = comments(&module, &declarations, &mut lowering);
    Ok(template)
}

/// Refuses a template with errors, shown at their original locations. `maps` are those of the template's own files; the
/// others are variable files.
fn refuse(errors: &[TemplateError], files: &[&Source], maps: &[Option<SpanMap>]) -> Result<(), Refused> {
    let mut refused = Refused::default();
    for error in errors {
        match maps.get(error.file) {
            Some(Some(map)) => {
                TemplateError { span: map.origin(&error.span), ..error.clone() }.refuse(
                    files,
                    maps.len(),
                    &mut refused,
                );
            }
            _ => error.refuse(files, maps.len(), &mut refused),
        }
    }
    refused.into_result()
}

/// A variable as the template declares it.
fn declared(module: &Module, variable: &Variable, lowering: &mut Lowering) -> DeclaredVariable {
    let location = lowering.location(variable.file, format!("variable.{}", variable.name));
    let default = variable.body.get_attribute("default").filter(|_| !variable.short);
    let location = location.at(default.map_or(Some(variable.span.clone()), |default| default.value.span()));
    let mut comments = lowering.comments(variable.file, variable.span.start);
    comments.extend(description(variable));
    let value = variable.effective().filter(|_| !variable.invalid.get()).unwrap_or(&HclValue::Null);
    let default =
        lowering.lower(module, value, &location).unwrap_or_else(|_| InputValue::new(ValueKind::Null, location.clone()));
    DeclaredVariable {
        name: variable.name.clone(),
        default,
        sensitive: variable.is_secret(),
        evaluated: variable.used.get(),
        comments,
    }
}

/// The description of a variable.
fn description(variable: &Variable) -> Vec<String> {
    let text = variable.body.get_attribute("description").filter(|_| !variable.short);
    let text = text.and_then(|text| text.value.as_str()).filter(|text| !credential::holds(text)).unwrap_or_default();
    text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

/// Variables for the extra values that the template uses.
fn extras(module: &Module, template: &PackerTemplate, lowering: &Lowering) -> Vec<DeclaredVariable> {
    let mut used = BTreeSet::new();
    for build in &template.builds {
        let builders = build.builders.iter().map(|builder| &builder.fields);
        let provisioners = build.provisioners.iter().map(|provisioner| &provisioner.fields);
        let fields = builders.chain(provisioners).chain(build.post_processors.iter().map(|post| &post.fields));
        fields.for_each(|value| called(value, &mut used));
    }
    let declared = |(name, extra): (&String, &ExtraVariable)| DeclaredVariable {
        name: name.clone(),
        default: InputValue::new(ValueKind::Null, lowering.location(extra.file, extra.path.as_str())),
        sensitive: extra.secret,
        evaluated: false,
        comments: Vec::new(),
    };
    module.extras.borrow().iter().filter(|(name, _)| used.contains(name.as_str())).map(declared).collect()
}

/// The variables that a value refers to.
fn called<'v>(value: &'v InputValue, names: &mut BTreeSet<&'v str>) {
    if let ValueKind::Text(template) = &value.kind {
        names.extend(template.arguments_of("user"));
    }
    value.members().iter().for_each(|member| called(&member.value, names));
    value.items().iter().for_each(|item| called(item, names));
}

/// Comments of the author on the builds.
fn comments(module: &Module, declarations: &Declarations, lowering: &mut Lowering) -> Vec<String> {
    let mut lines = Vec::new();
    for build in &declarations.builds {
        let start = build.block.span().unwrap_or_default().start;
        lines.extend(lowering.comments(build.file, start));
        if let Some(text) = build.block.body.get_attribute("description") {
            let scope = Scope::new(module, build.file);
            let location = lowering.location(build.file, build.path.as_str()).key("description");
            let text = lowering.string(&scope, &text.value, &location).unwrap_or_default();
            lines.extend(text.lines().filter(|line| !line.trim().is_empty()).map(str::to_owned));
        }
    }
    lines.retain(|line| !credential::holds(line) && !credential::given(line));
    lines
}
