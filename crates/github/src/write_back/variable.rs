//! Variables of the repository.

use ami_bake_core::{Error, Result};
use serde::Deserialize;
use serde_json::json;

use crate::api::Api;

#[derive(Deserialize)]
struct Variable {
    #[serde(default)]
    value: String,
}

/// The permission that is missing, with the way to get it. GITHUB_TOKEN has no such permission (GitHub: "Permissions for the
/// GITHUB_TOKEN").
const HELP: &str = "GITHUB_TOKEN can't read or write variables. Give the input `token` a token of a GitHub App with the repository \
                    permission \"Variables: write\" (actions/create-github-app-token), or a fine-grained personal token with it.";

/// Checks that the token may use variables of the repository.
///
/// # Errors
/// When it may not, with the permission that it needs.
pub async fn check_variable(api: &Api, name: &str) -> Result<()> {
    present(api, name).await.map(drop)
}

/// Sets a variable; false when it has the value already.
///
/// # Errors
/// When the token may not, or the API fails.
pub async fn write_variable(api: &Api, name: &str, value: &str) -> Result<bool> {
    let what = format!("could not write the variable {name} of {}", api.repository());
    match present(api, name).await? {
        Some(there) if there.value == value => return Ok(false),
        Some(_) => api.patch_only(&what, &format!("actions/variables/{name}"), &json!({"value": value})).await,
        None => api.post_only(&what, "actions/variables", &json!({"name": name, "value": value})).await,
    }
    .map_err(|error| error.help(HELP))?;
    Ok(true)
}

async fn present(api: &Api, name: &str) -> Result<Option<Variable>> {
    let what = format!("could not read the variable {name} of {}", api.repository());
    api.find(&what, &format!("actions/variables/{name}")).await.map_err(|error: Error| error.help(HELP))
}
