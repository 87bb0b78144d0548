//! From files of HCL to a manifest.

use std::cell::{Cell, RefCell};

use hcl_edit::Span;
use hcl_edit::structure::{Body, Structure};

use super::build::Build;
use super::builder::Source;
use super::evaluate::Scope;
use super::fault::{Fault, Wrong};
use super::lower::{Lowering, put, word};
use super::module::{Data, Local, Module};
use super::places::Places;
use super::variable::Variable;
use super::{file, files, operate};
use crate::input::{Finding, Kind as Told, Log, Reader, key};
use crate::json::{Kind, Member, Node};
use crate::output::{Draft, title};
use crate::packer;
use crate::paths::normal;
use crate::request::{Imported, Refused, Request, Source as Input, finish, paths, shown};

/// What all files declare.
#[derive(Default)]
struct Declared<'b> {
    sources: Vec<Source<'b>>,
    builds: Vec<Build<'b>>,
}

/// Imports a template in HCL.
///
/// # Errors
/// With the place of what Packer would refuse too.
pub(crate) fn import(request: &Request) -> Result<Imported, Refused> {
    let (templates, mut given): (Vec<&Input>, Vec<&Input>) =
        request.files.iter().partition(|source| !files::is_variables(&source.path));
    given.extend(&request.var_files);
    let name = |source: &&Input| (source.path.display().to_string(), source.text.clone());
    let names: Vec<(String, String)> = templates.iter().chain(&given).map(name).collect();
    let mut wrong = Vec::new();
    let mut bodies: Vec<Body> = Vec::new();
    for (at, source) in templates.iter().enumerate() {
        match file::body(at, &source.text) {
            Ok(body) => bodies.push(body),
            Err(mistake) => wrong.push(mistake),
        }
    }
    refuse(&wrong, &names)?;
    let paths = paths(request, templates.first().map(|first| first.path.as_path()));
    let log = Log::default();
    let mut module = Module::new(&paths, request.now, &request.environment);
    let places = Places::default();
    let mut lowering = Lowering { log: &log, names: &names, places, wrong, origin: None };
    variables(&bodies, &mut module, &mut lowering);
    values(&given, templates.len(), request, &mut module, &mut lowering);
    let declared = declare(&bodies, &mut module, &mut lowering);
    refuse(&lowering.wrong, &names)?;

    validate(&module, &mut lowering);
    let mut parts = Vec::new();
    for build in &declared.builds {
        lowering.build(&module, &declared.sources, build, &mut parts);
    }
    unused(&module, &declared, &mut lowering);
    refuse(&lowering.wrong, &names)?;

    let root = tree(&module, &declared, parts, &mut lowering);
    let Lowering { places, .. } = lowering;
    let stem = templates.first().map(|first| title(&normal(&request.working.join(&first.path)))).unwrap_or_default();
    let reader = Reader::root(&root, "", &log);
    let parts: Vec<Reader> = reader.get("templates").iter().flat_map(Reader::items).collect();
    let own = packer::Given { files: Vec::new(), sets: &[], now: request.now, stem: &stem, paths: &paths };
    let mut draft = packer::parts(&reader, &parts, &own);
    describe(&module, &mut draft);
    drop(parts);
    log.rest("", &root);
    let from: Vec<String> = templates.iter().map(|source| shown(&source.path)).collect();
    let used: Vec<String> = module
        .variables
        .iter()
        .filter(|variable| variable.used.get())
        .map(|variable| format!("variable.{}", variable.name))
        .collect();
    let translate = |finding: Finding| honest(places.translate(finding), &used);
    Ok(finish(draft, &from, log, &paths, &translate))
}

/// A variable that was only evaluated is not told as one that nothing uses.
fn honest(mut finding: Finding, used: &[String]) -> Finding {
    if finding.why == "nothing that came over uses it" && used.contains(&finding.path) {
        finding.kind = Told::Changed;
        "its value was evaluated where it is used, and nothing follows it any more".clone_into(&mut finding.why);
        "Give it another value by `--set` at the import.".clone_into(&mut finding.help);
    }
    finding
}

fn refuse(wrong: &[Wrong], names: &[(String, String)]) -> Result<(), Refused> {
    if wrong.is_empty() {
        return Ok(());
    }
    let mut refused = Refused { findings: Vec::new(), sources: ami_bake_manifest::diagnostic::Sources::default() };
    for wrong in wrong {
        wrong.emit(names, &mut refused);
    }
    Err(refused)
}

fn variables<'a>(bodies: &'a [Body], module: &mut Module<'a>, lowering: &mut Lowering) {
    for (at, body) in bodies.iter().enumerate() {
        for block in body.blocks().filter(|block| block.ident.as_str() == "variable") {
            let outcome = Variable::read(&Scope::new(module, at), block);
            match outcome {
                Ok(variable) if module.variables.iter().any(|known| known.name == variable.name) => {
                    let message = format!("the variable `{}` is declared twice", variable.name);
                    lowering.refuse(at, block.span(), message, "Take one of the blocks out.");
                }
                Ok(variable) => module.variables.push(variable),
                Err(fault) => lowering.fault(fault, at, &format!("variable.{}", label(block, 0))),
            }
        }
        // `variables { name = default }`, the form of before `variable` blocks.
        for block in body.blocks().filter(|block| block.ident.as_str() == "variables") {
            for attribute in block.body.attributes() {
                let name = attribute.key.as_str();
                match Scope::new(module, at).eval(&attribute.value) {
                    Ok(value) => module.variables.push(Variable::plain(name, at, &block.body, value)),
                    Err(fault) => lowering.fault(fault, at, &format!("variables.{name}")),
                }
            }
        }
    }
}

fn label(block: &hcl_edit::structure::Block, index: usize) -> String {
    block.labels.get(index).map(|label| label.as_str().to_owned()).unwrap_or_default()
}

/// Values of the environment, of files, and of the command line, in the order in which they win.
fn values(given: &[&Input], first: usize, request: &Request, module: &mut Module, lowering: &mut Lowering) {
    let mut variables = std::mem::take(&mut module.variables);
    for variable in &mut variables {
        if let Some(text) = request.environment.get(&format!("PKR_VAR_{}", variable.name)) {
            let outcome = variable.give_text(module, text);
            said(outcome, &format!("PKR_VAR_{}", variable.name), lowering);
        }
    }
    for (at, source) in given.iter().enumerate() {
        let file = first + at;
        let entries = match entries(file, source, module) {
            Ok(entries) => entries,
            Err(wrong) => {
                lowering.wrong.push(wrong);
                continue;
            }
        };
        for (name, value) in entries {
            match variables.iter_mut().find(|variable| variable.name == name) {
                Some(variable) => {
                    if let Err(why) = variable.give(value) {
                        let span = source.text.find(&name).map(|at| at..at + name.len());
                        lowering.refuse(file, span, format!("`{name}`: {why}"), "");
                    }
                }
                None => lowering.drop(file, &name, "the template does not declare this variable", ""),
            }
        }
    }
    for (name, text) in &request.sets {
        match variables.iter_mut().find(|variable| variable.name == *name) {
            Some(variable) => said(variable.give_text(module, text), &format!("--set {name}"), lowering),
            None => {
                lowering.log.say(Finding {
                    kind: Told::Dropped,
                    file: String::new(),
                    path: format!("--set {name}"),
                    why: "the template does not declare this variable".to_owned(),
                    help: String::new(),
                });
            }
        }
    }
    module.variables = variables;
}

fn said(outcome: Result<(), String>, place: &str, lowering: &mut Lowering) {
    if let Err(why) = outcome {
        lowering.refuse(usize::MAX, None, format!("{place}: {why}"), "Lists and maps are written as in HCL.");
    }
}

fn entries(file: usize, source: &Input, module: &Module) -> Result<Vec<(String, super::value::Value)>, Wrong> {
    if source.path.extension().is_some_and(|extension| extension == "json") {
        return file::json(file, &source.text);
    }
    let body = file::body(file, &source.text)?;
    let mut entries = Vec::new();
    let scope = Scope::new(module, file);
    for structure in &body {
        match structure {
            Structure::Attribute(attribute) => match scope.eval(&attribute.value) {
                Ok(value) => entries.push((attribute.key.as_str().to_owned(), value)),
                Err(Fault::Wrong(wrong)) => return Err(*wrong),
                Err(Fault::Trouble(trouble)) => {
                    let span = attribute.value.span().unwrap_or_default();
                    return Err(Wrong { file, span, message: trouble.why, help: trouble.help });
                }
            },
            Structure::Block(block) => {
                return Err(Wrong {
                    file,
                    span: block.span().unwrap_or_default(),
                    message: "a file of variables has no blocks".to_owned(),
                    help: "Write `name = value` for each.".to_owned(),
                });
            }
        }
    }
    Ok(entries)
}

/// Everything beside variables.
fn declare<'a>(bodies: &'a [Body], module: &mut Module<'a>, lowering: &mut Lowering) -> Declared<'a> {
    let mut declared = Declared::default();
    let many = bodies.iter().flat_map(|body| body.get_blocks("build")).count() > 1;
    for (at, structure) in bodies.iter().enumerate().flat_map(|(at, body)| body.iter().map(move |one| (at, one))) {
        let block = match structure {
            Structure::Attribute(attribute) => {
                let message = format!("`{}` can't stand outside of a block", attribute.key.as_str());
                lowering.refuse(at, attribute.span(), message, "A template is made of blocks.");
                continue;
            }
            Structure::Block(block) => block,
        };
        let twice = match block.ident.as_str() {
            "variable" | "variables" => false,
            "locals" => {
                let mut twice = false;
                for attribute in block.body.attributes() {
                    twice |= !local(module, attribute.key.as_str(), at, &attribute.value, false);
                }
                twice
            }
            "local" => {
                if let Some(expression) = block.body.get_attribute("expression") {
                    let path = format!("local.{}", label(block, 0));
                    let sensitive = lowering.flag(&Scope::new(module, at), &block.body, "sensitive", &path);
                    !local(module, &label(block, 0), at, &expression.value, sensitive)
                } else {
                    lowering.refuse(at, block.span(), "a `local` block has an `expression`".to_owned(), "");
                    false
                }
            }
            "source" => {
                let (kind, name) = (label(block, 0), label(block, 1));
                if block.labels.len() != 2 {
                    let help = "Write `source \"amazon-ebs\" \"web\" {}`.";
                    lowering.refuse(at, block.span(), "a source has a type and a name".to_owned(), help);
                    continue;
                }
                let twice = declared.sources.iter().any(|known| known.kind == kind && known.name == name);
                let start = block.span().unwrap_or_default().start;
                declared.sources.push(Source {
                    kind,
                    name,
                    file: at,
                    body: &block.body,
                    start,
                    used: Cell::new(false),
                });
                twice
            }
            "data" => {
                let (kind, name) = (label(block, 0), label(block, 1));
                let twice = module.find_data(&kind, &name).is_some();
                module.data.push(Data { kind, name, file: at, body: &block.body, used: Cell::new(false) });
                twice
            }
            "build" => {
                let path = if many { format!("build[{}]", declared.builds.len()) } else { "build".to_owned() };
                declared.builds.push(Build { block, file: at, path });
                false
            }
            "packer" => {
                let why = "ami-bake takes the place of Packer and its plug-ins";
                lowering.drop(at, "packer", why, "");
                false
            }
            other => {
                let message = format!("there are no blocks `{other}` in a template");
                let help = "Known are packer, variable, locals, local, data, source and build.";
                lowering.refuse(at, block.ident.span(), message, help);
                false
            }
        };
        if twice {
            let message = format!("`{}` is declared twice", block.ident.as_str());
            lowering.refuse(at, block.span(), message, "Take one of them out.");
        }
    }
    declared
}

/// Adds a local; false when there is one of the name.
fn local<'a>(
    module: &mut Module<'a>,
    name: &str,
    file: usize,
    expr: &'a hcl_edit::expr::Expression,
    sensitive: bool,
) -> bool {
    let new = module.locals.iter().all(|known| known.name != name);
    module.locals.push(Local {
        name: name.to_owned(),
        file,
        expr,
        sensitive,
        used: Cell::new(false),
        cache: RefCell::default(),
    });
    new
}

/// Holds the values of variables against their `validation`.
fn validate(module: &Module, lowering: &mut Lowering) {
    for variable in &module.variables {
        let path = format!("variable.{}", variable.name);
        let scope = Scope::new(module, variable.file);
        for attribute in variable.body.attributes() {
            let known = ["type", "default", "description", "sensitive"].contains(&attribute.key.as_str());
            if !known && !variable.short {
                lowering.unknown(variable.file, &key(&path, attribute.key.as_str()));
            }
        }
        for block in variable.body.get_blocks("validation") {
            let used = variable.used.get();
            let Some(condition) = block.body.get_attribute("condition") else { continue };
            let outcome = scope.eval(&condition.value);
            let met = outcome.and_then(|value| operate::truth(&scope, &value, condition.value.span()));
            scope.take_notes();
            variable.used.set(used);
            let own = key(&path, "validation");
            match met {
                Ok(false) => {
                    let text = block.body.get_attribute("error_message");
                    let text = text.and_then(|text| lowering.string(&scope, &text.value, &own)).unwrap_or_default();
                    let message = format!("the value of `{}` does not meet its condition: {text}", variable.name);
                    if variable.given.is_some() || module.now.is_some() {
                        lowering.refuse(variable.file, condition.value.span(), message, "Give it another value.");
                    } else {
                        variable.invalid.set(true);
                        let help = format!("Give it with `--set {}=…`.", variable.name);
                        lowering.changed(variable.file, &path, format!("{message}; so it must be given"), help);
                    }
                }
                Err(fault @ Fault::Wrong(_)) => lowering.fault(fault, variable.file, &own),
                Ok(true) | Err(Fault::Trouble(_)) => {}
            }
            lowering.drop(
                variable.file,
                &own,
                "a manifest has no conditions for its variables",
                "Check the value in a step.",
            );
        }
    }
}

/// Tells of what is declared and not used; variables are told where the manifest is known.
fn unused(module: &Module, declared: &Declared, lowering: &mut Lowering) {
    let nothing = "nothing that came over uses it";
    for local in module.locals.iter().filter(|local| !local.used.get()) {
        lowering.drop(local.file, &key("local", &local.name), nothing, "");
    }
    for data in module.data.iter().filter(|data| !data.used.get()) {
        lowering.drop(data.file, &format!("data.{}.{}", data.kind, data.name), nothing, "");
    }
    // What the others give is the source image, a secret or a variable.
    let carried = ["amazon-ami", "amazon-parameterstore", "amazon-secretsmanager", "null"];
    for data in module.data.iter().filter(|data| data.used.get() && !carried.contains(&data.kind.as_str())) {
        let path = format!("data.{}.{}", data.kind, data.name);
        let why = "a bake asks no other service for values";
        lowering.drop(
            data.file,
            &path,
            why,
            "Read it in the workflow before the bake, and give it as a secret or a variable.",
        );
    }
    for source in declared.sources.iter().filter(|source| !source.used.get()) {
        let path = format!("source.{}.{}", source.kind, source.name);
        lowering.drop(source.file, &path, "no build uses it", "");
    }
    for variable in module.variables.iter().filter(|variable| variable.is_written_out()) {
        let path = format!("variable.{}", variable.name);
        if variable.used.get() {
            let why = "its value was written out where it is used, and nothing follows it any more";
            lowering.changed(
                variable.file,
                &path,
                why,
                "Give it another value by `--set` or `--var-file` at the import.",
            );
        } else {
            lowering.drop(variable.file, &path, nothing, "");
        }
    }
}

/// The whole tree, as a template of JSON has it.
fn tree(module: &Module, declared: &Declared, parts: Vec<Node>, lowering: &mut Lowering) -> Node {
    let mut variables: Vec<Member> = Vec::new();
    let mut sensitive: Vec<Node> = Vec::new();
    for variable in module.variables.iter().filter(|variable| !variable.is_written_out()) {
        let node = match variable.effective() {
            Some(value) if !variable.invalid.get() => lowering.node(value).unwrap_or(Node::bare(Kind::Null)),
            _ => Node::bare(Kind::Null),
        };
        let file = lowering.file(variable.file).to_owned();
        lowering.places.set(key("variables", &variable.name), &file, format!("variable.{}", variable.name));
        put(&mut variables, variable.name.clone(), node);
        if variable.is_secret() {
            sensitive.push(word(variable.name.as_str()));
        }
    }
    let mut texts = Vec::new();
    for part in &parts {
        collect(part, &mut texts);
    }
    for extra in module.extras.borrow().iter() {
        let action = format!("user `{}`", extra.name);
        if !texts.iter().any(|text| text.contains(&action)) {
            continue;
        }
        let file = lowering.file(extra.file).to_owned();
        lowering.places.set(key("variables", &extra.name), &file, extra.path.clone());
        put(&mut variables, extra.name.clone(), Node::bare(Kind::Null));
        if extra.secret {
            sensitive.push(word(extra.name.as_str()));
        }
    }
    let mut lines: Vec<Node> = Vec::new();
    for build in &declared.builds {
        let start = build.block.span().unwrap_or_default().start;
        lines.extend(lowering.comments(build.file, start).into_iter().map(word));
        if let Some(text) = build.block.body.get_attribute("description") {
            let scope = Scope::new(module, build.file);
            let text = lowering.string(&scope, &text.value, &key(&build.path, "description")).unwrap_or_default();
            lines.extend(text.lines().filter(|line| !line.trim().is_empty()).map(word));
        }
    }
    let mut members = Vec::new();
    put(&mut members, "_comment".to_owned(), Node::bare(Kind::List(lines)));
    put(&mut members, "variables".to_owned(), Node::bare(Kind::Map(variables)));
    put(&mut members, "sensitive-variables".to_owned(), Node::bare(Kind::List(sensitive)));
    put(&mut members, "templates".to_owned(), Node::bare(Kind::List(parts)));
    Node::bare(Kind::Map(members))
}

fn collect<'n>(node: &'n Node, texts: &mut Vec<&'n str>) {
    match &node.kind {
        Kind::Text(text) => texts.push(text),
        Kind::List(items) => items.iter().for_each(|item| collect(item, texts)),
        Kind::Map(members) => members.iter().for_each(|member| collect(&member.value, texts)),
        _ => {}
    }
}

/// What the author says of a variable stands above it.
fn describe(module: &Module, draft: &mut Draft) {
    for entry in &mut draft.vars.0 {
        let Some(variable) = module.variables.iter().find(|variable| variable.name == entry.key) else { continue };
        let Some(text) = variable.body.get_attribute("description").filter(|_| !variable.short) else { continue };
        if let Some(text) = text.value.as_str()
            && !crate::credential::holds(text)
        {
            entry
                .comment
                .extend(text.lines().filter(|line| !line.trim().is_empty()).map(|line| line.trim().to_owned()));
        }
    }
}
