//! The verb `chef`: chef-solo or cinc-solo on the machine, which has to have it.

use std::path::PathBuf;

use ami_bake_core::output::OutputSink;
use ami_bake_core::plan::Step;
use ami_bake_core::provision::Reached;
use ami_bake_core::{Error, Result, Run};

use crate::files::{Upload, upload};
use crate::shell::{Interpreter, Script, Tail, ask, ask_with, ended, quote};

/// What is converged.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Chef<'a> {
    /// `chef-solo` or `cinc-solo`.
    pub(crate) tool: &'a str,
    /// Local folders of cookbooks.
    pub(crate) cookbooks: &'a [PathBuf],
    /// Recipes and roles, in order.
    pub(crate) run_list: &'a [String],
    /// A JSON object of node attributes.
    pub(crate) attributes: &'a str,
}

/// Where the packages of Chef and Cinc put their programs, beside what is on the path.
const PLACES: &str = "/usr/bin:/usr/local/bin:/opt/chef/bin:/opt/cinc/bin";
/// Where its folder is made, which only root can enter and which is gone afterwards.
const FOLDER: &str =
    "for t in /var/tmp /tmp /run; do mktemp -d \"$t/.ami-bake.XXXXXXXX\" 2>/dev/null && exit 0; done; exit 1";

/// Sends the cookbooks and runs the tool on them.
///
/// # Errors
/// When the machine doesn't have the tool, or it didn't exit with 0.
pub(crate) async fn chef(
    run: &Run,
    on: &Reached<'_>,
    step: &Step,
    chef: Chef<'_>,
    output: &mut dyn OutputSink,
) -> Result<()> {
    let name = &step.name;
    let look = format!("PATH=$PATH:{PLACES}; command -v {} || :", quote(chef.tool));
    let program = ask(run, on, "look for Chef", &look).await?.text("look for Chef")?;
    let program = program.trim();
    if program.is_empty() {
        return Err(Error::build(format!("step `{name}`: the machine has no {}", chef.tool))
            .help(
                "The step installs nothing by itself: install Chef or Cinc in an earlier `run` step, or start from an image that has it.",
            )
            .at(step.route.key("chef")));
    }
    let folder = ask(run, on, "make a folder for Chef", FOLDER).await?.text("make a folder for Chef")?;
    let folder = folder.trim();
    let done = converge(run, on, step, chef, program, folder, output).await;
    let removed = ask(run, on, "remove Chef's folder", &format!("rm -rf {}", quote(folder))).await;
    done.and(removed?.text("remove Chef's folder").map(drop))
}

async fn converge(
    run: &Run,
    on: &Reached<'_>,
    step: &Step,
    chef: Chef<'_>,
    program: &str,
    folder: &str,
    output: &mut dyn OutputSink,
) -> Result<()> {
    let mut paths = Vec::new();
    for (index, from) in chef.cookbooks.iter().enumerate() {
        let to = format!("{folder}/cookbooks-{index}");
        let contents = Upload { from, contents: true, to: &to, exclude: &[], owner: None, mode: None };
        upload(run, on, step, &contents).await?;
        paths.push(to);
    }
    let write = format!(
        "cd {} && cat >attributes.json <&5 && printf %s {} >solo.rb",
        quote(folder),
        quote(&solo(folder, &paths))
    );
    let node = node(chef.run_list, chef.attributes);
    ask_with(run, on, "write Chef's configuration", &write, node.as_bytes())
        .await?
        .text("write Chef's configuration")?;

    let text = format!(
        "exec {} --config {folder}/solo.rb --json-attributes {folder}/attributes.json --no-color\n",
        quote(program)
    );
    let mut script = Script::text(&text, Interpreter::of(Some("sh -eu"))?);
    script.timeout = step.timeout;
    let mut tail = Tail::new(output);
    let exit = script.execute(run, on, step, &mut tail).await?;
    if exit.success() {
        return Ok(());
    }
    Err(ended(step, chef.tool, &exit, tail.last_words(run)).at(step.route.clone()))
}

/// Chef's configuration: everything that it writes for itself is in the folder.
fn solo(folder: &str, cookbooks: &[String]) -> String {
    let list: Vec<String> = cookbooks.iter().map(|path| format!("'{path}'")).collect();
    format!(
        "cookbook_path [{}]\nfile_cache_path '{folder}/cache'\nfile_backup_path '{folder}/backup'\nnode_path '{folder}/nodes'\nchef_repo_path '{folder}'\n",
        list.join(", ")
    )
}

/// The node's attributes, with its run list.
fn node(run_list: &[String], attributes: &str) -> String {
    let mut node: serde_json::Map<String, serde_json::Value> = serde_json::from_str(attributes).unwrap_or_default();
    if !run_list.is_empty() {
        node.insert("run_list".to_owned(), run_list.into());
    }
    serde_json::Value::Object(node).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_run_list_is_an_attribute() {
        let list = ["recipe[web::default]".to_owned()];
        let node: serde_json::Value = serde_json::from_str(&node(&list, r#"{"web": {"port": 80}}"#)).unwrap();
        assert_eq!(node, serde_json::json!({"web": {"port": 80}, "run_list": ["recipe[web::default]"]}));
    }
}
