//! Declarations of a template other than variables.

use std::cell::{Cell, RefCell};

use hcl_edit::expr::Expression;
use hcl_edit::structure::{Block, BlockLabel, Body, Structure};
use hcl_edit::{Decorate, Span};
use indexmap::IndexMap;

use super::build::BuildDeclaration;
use super::comment;
use super::lower::Lowering;
use super::module::{DataBlock, Local, Module};
use super::scope::Scope;
use super::source::SourceBlock;

/// The sources and builds of all files.
#[derive(Default)]
pub(super) struct Declarations<'b> {
    /// Sources by type and name.
    pub(super) sources: IndexMap<(String, String), SourceBlock<'b>>,
    pub(super) builds: Vec<BuildDeclaration<'b>>,
}

/// Reads all declarations except variables.
pub(super) fn declare<'a>(bodies: &'a [Body], module: &mut Module<'a>, lowering: &mut Lowering) -> Declarations<'a> {
    let mut declarations = Declarations::default();
    let many = bodies.iter().flat_map(|body| body.get_blocks("build")).count() > 1;
    for (at, structure) in bodies.iter().enumerate().flat_map(|(at, body)| body.iter().map(move |one| (at, one))) {
        let block = match structure {
            Structure::Attribute(attribute) => {
                let message = format!("the attribute `{}` is not allowed outside a block", attribute.key.as_str());
                lowering.refuse(at, attribute.span(), message, "");
                continue;
            }
            Structure::Block(block) => block,
        };
        let new = match block.ident.as_str() {
            "variable" | "variables" => true,
            "locals" => {
                let mut above = comment::of_decor(block.decor());
                for attribute in block.body.attributes() {
                    let name = attribute.key.as_str();
                    let mut comments = std::mem::take(&mut above);
                    comments.extend(comment::whole(attribute));
                    if !local(module, name, at, &attribute.value, false, comments) {
                        let message = format!("the local `{name}` is declared twice");
                        lowering.refuse(at, attribute.span(), message, "Remove one of them.");
                    }
                }
                true
            }
            "local" => local_block(block, at, module, lowering),
            "source" => source(block, at, &mut declarations, lowering),
            "data" => {
                let (kind, name) = (label(block, 0), label(block, 1));
                let new = module.find_data(&kind, &name).is_none();
                let data = DataBlock {
                    kind: kind.clone(),
                    name: name.clone(),
                    file: at,
                    body: &block.body,
                    used: Cell::new(false),
                };
                module.data.insert((kind, name), data);
                new
            }
            "build" => {
                let path = if many { format!("build[{}]", declarations.builds.len()) } else { "build".to_owned() };
                declarations.builds.push(BuildDeclaration { block, file: at, path });
                true
            }
            "packer" => {
                lowering.drop(&lowering.location(at, "packer"), "ami-bake replaces Packer and its plugins", "");
                true
            }
            other => {
                let help = "Blocks of a template are packer, variable, locals, local, data, source and build.";
                lowering.refuse(at, block.ident.span(), format!("unknown block `{other}`"), help);
                true
            }
        };
        if !new {
            let labels = block.labels.iter().map(BlockLabel::as_str);
            let words: Vec<&str> = std::iter::once(block.ident.as_str()).chain(labels).collect();
            let message = format!("`{}` is declared twice", words.join(" "));
            lowering.refuse(at, block.span(), message, "Remove one of them.");
        }
    }
    declarations
}

fn label(block: &Block, index: usize) -> String {
    block.labels.get(index).map(|label| label.as_str().to_owned()).unwrap_or_default()
}

/// Declares a source; false when there already is one of its type and name.
fn source<'a>(block: &'a Block, at: usize, declarations: &mut Declarations<'a>, lowering: &mut Lowering) -> bool {
    if block.labels.len() != 2 {
        let help = "Write `source \"amazon-ebs\" \"web\" {}`.";
        lowering.refuse(at, block.span(), "a source needs a type and a name", help);
        return true;
    }
    let (kind, name) = (label(block, 0), label(block, 1));
    let span = block.span().unwrap_or_default();
    let key = (kind.clone(), name.clone());
    let source = SourceBlock { kind, name, file: at, body: &block.body, span, used: Cell::new(false) };
    declarations.sources.insert(key, source).is_none()
}

/// Declares a `local` block; false when there already is one of its name.
fn local_block<'a>(block: &'a Block, at: usize, module: &mut Module<'a>, lowering: &mut Lowering) -> bool {
    let Some(expression) = block.body.get_attribute("expression") else {
        lowering.refuse(at, block.span(), "a `local` block needs an `expression`", "");
        return true;
    };
    let location = lowering.location(at, format!("local.{}", label(block, 0)));
    let sensitive = lowering.flag(&Scope::new(module, at), &block.body, "sensitive", &location);
    let mut comments = comment::of_decor(block.decor());
    comments.extend(comment::whole(expression));
    local(module, &label(block, 0), at, &expression.value, sensitive, comments)
}

/// Declares a local; false when there already is one of its name.
fn local<'a>(
    module: &mut Module<'a>,
    name: &str,
    file: usize,
    expr: &'a Expression,
    sensitive: bool,
    comments: Vec<String>,
) -> bool {
    let local = Local {
        name: name.to_owned(),
        file,
        expr,
        sensitive,
        comments: comments.into(),
        used: Cell::new(false),
        cache: RefCell::default(),
    };
    module.locals.insert(name.to_owned(), local).is_none()
}
