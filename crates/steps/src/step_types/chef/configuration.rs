//! The tool's configuration and the node's attributes.

use ami_bake_core::shell::quote;

/// Names of the settings for the folders of [`ChefStep`](ami_bake_core::plan::ChefStep), in order, and names of the
/// folders on the machine.
pub(super) const FOLDERS: [(&str, &str); 3] =
    [("role_path", "roles"), ("data_bag_path", "data_bags"), ("environment_path", "environments")];

/// The configuration (chef-config, `config.rb`): all files that Chef writes for itself are in `folder`. Roles, data
/// bags and environments are in its default folders below `chef_repo_path`; the settings name them explicitly.
pub(super) fn solo(folder: &str, cookbooks: &[String]) -> String {
    let list: Vec<String> = cookbooks.iter().map(|path| format!("'{path}'")).collect();
    let mut text = format!(
        "chef_repo_path '{folder}'\ncookbook_path [{}]\nnode_path '{folder}/nodes'\nfile_cache_path '{folder}/cache'\nfile_backup_path '{folder}/backup'\n",
        list.join(", ")
    );
    for (setting, name) in FOLDERS {
        text = format!("{text}{setting} '{folder}/{name}'\n");
    }
    text
}

/// The node's attributes, including its run list.
pub(super) fn node(run_list: &[String], attributes: &str) -> String {
    let mut node: serde_json::Map<String, serde_json::Value> = serde_json::from_str(attributes).unwrap_or_default();
    if !run_list.is_empty() {
        node.insert("run_list".to_owned(), run_list.into());
    }
    serde_json::Value::Object(node).to_string()
}

/// The tool's command line. The options are chef-solo's from Chef 12 on.
pub(super) fn command(program: &str, folder: &str, environment: Option<&str>) -> String {
    let environment = environment.map(|name| format!(" --environment {}", quote(name))).unwrap_or_default();
    format!(
        "exec {} --config {folder}/solo.rb --json-attributes {folder}/attributes.json --no-color{environment}\n",
        quote(program)
    )
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
