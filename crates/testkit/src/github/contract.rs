//! The part of GitHub's OpenAPI description that `.ci/github-api` extracts.

use serde_json::{Value, json};

use super::request::Request;

/// The operations of the description.
#[derive(Debug)]
pub(super) struct Contract {
    operations: Vec<Value>,
}

/// A request matched to its operation.
#[derive(Debug)]
pub(super) struct Call<'a> {
    /// The path's template below the repository: `/releases/tags/{tag}`.
    pub(super) path: &'a str,
    /// The values of its placeholders below the repository.
    pub(super) values: Vec<String>,
}

impl Contract {
    pub(super) fn load() -> Self {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/tools/github/operations.json");
        let text = std::fs::read(file).unwrap_or_else(|error| panic!("read {file} (.ci/setup makes it): {error}"));
        let mut all: Value = serde_json::from_slice(&text).unwrap();
        let Value::Array(operations) = all["operations"].take() else { panic!("{file} has no operations") };
        Self { operations }
    }

    /// The operation of a request; the error says what is wrong with the request.
    pub(super) fn validate(&self, request: &Request, path: &str) -> Result<Call<'_>, String> {
        let told = |what: String| format!("{} {path}: {what}", request.method);
        let (operation, values) = self
            .operations
            .iter()
            .filter(|operation| operation["method"] == request.method.as_str())
            .find_map(|operation| Some((operation, matched(operation["path"].as_str()?, path)?)))
            .ok_or_else(|| told("no such operation".to_owned()))?;
        if operation["servers"] != true {
            return Err(told("no operation of every GitHub Enterprise Server".to_owned()));
        }
        for header in ["authorization", "user-agent", "x-github-api-version"] {
            if request.header(header).is_none_or(str::is_empty) {
                return Err(told(format!("no {header}")));
            }
        }
        let parameters = operation["parameters"].as_array().map(Vec::as_slice).unwrap_or_default();
        let schema = |place: &str, name: &str| {
            parameters.iter().find(|one| one["in"] == place && one["name"] == name).map(|one| &one["schema"])
        };
        for (name, value) in &values {
            fits(schema("path", name).ok_or_else(|| told(format!("no parameter {name}")))?, value).map_err(told)?;
        }
        for (name, value) in &request.query {
            fits(schema("query", name).ok_or_else(|| told(format!("no query {name}")))?, value).map_err(told)?;
        }
        body(operation, request).map_err(told)?;
        let path = operation["path"].as_str().unwrap_or_default();
        // Skips owner and repository.
        let values = values.into_iter().skip(2).map(|(_, value)| value).collect();
        Ok(Call { path: path.trim_start_matches("/repos/{owner}/{repo}"), values })
    }

    /// The description's example of an answer.
    pub(super) fn example(&self, method: &str, path: &str, status: u16) -> Value {
        let path = format!("/repos/{{owner}}/{{repo}}{path}");
        let found = self.operations.iter().find(|one| one["method"] == method && one["path"] == path.as_str());
        let example = found.map(|one| one["answers"][status.to_string()].clone()).unwrap_or_default();
        assert!(!example.is_null(), "{method} {path} has no example of {status}");
        example
    }
}

/// The values of a template's placeholders. The last placeholder matches the rest: tags, paths and refs may contain a slash.
fn matched(template: &str, path: &str) -> Option<Vec<(String, String)>> {
    let (mut names, mut values) = (template.split('/').peekable(), path.split('/'));
    let mut found = Vec::new();
    while let Some(name) = names.next() {
        let mut value = values.next()?.to_owned();
        let Some(placeholder) = name.strip_prefix('{').and_then(|name| name.strip_suffix('}')) else {
            if name != value {
                return None;
            }
            continue;
        };
        if names.peek().is_none() && ["tag", "path", "ref"].contains(&placeholder) {
            for rest in values.by_ref() {
                value.push('/');
                value.push_str(rest);
            }
        }
        if value.is_empty() || (placeholder.ends_with("_id") && value.parse::<u64>().is_err()) {
            return None;
        }
        found.push((placeholder.to_owned(), value));
    }
    values.next().is_none().then_some(found)
}

/// Checks a value of a path or query against its schema.
fn fits(schema: &Value, value: &str) -> Result<(), String> {
    let value = match schema["type"].as_str() {
        Some("integer") => value.parse::<i64>().map_or_else(|_| json!(value), |number| json!(number)),
        _ => json!(value),
    };
    valid(schema, &value)
}

fn body(operation: &Value, request: &Request) -> Result<(), String> {
    if operation["binary"] == true {
        let length = request.header("content-length").is_some_and(|length| length != "0");
        return length.then_some(()).ok_or_else(|| "a file without content-length".to_owned());
    }
    if operation["body"].is_null() {
        return request.body.is_empty().then_some(()).ok_or_else(|| "a body where none is".to_owned());
    }
    let body: Value = serde_json::from_str(&request.body).map_err(|error| format!("no JSON: {error}"))?;
    let properties = &operation["body"]["properties"];
    for name in body.as_object().into_iter().flat_map(serde_json::Map::keys) {
        if properties[name].is_null() {
            return Err(format!("no property {name}"));
        }
    }
    valid(&operation["body"], &body)
}

fn valid(schema: &Value, value: &Value) -> Result<(), String> {
    let validator = jsonschema::draft4::new(schema).map_err(|error| error.to_string())?;
    validator.validate(value).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_description_does_not_know_is_refused() {
        let contract = Contract::load();
        let validated = |line: &str, body: &str| {
            let head = "Authorization: x\r\nUser-Agent: x\r\nX-GitHub-Api-Version: x";
            let request = Request::read(&format!("{line} HTTP/1.1\r\n{head}\r\n\r\n{body}"));
            contract.validate(&request, &request.path).map(|call| call.path.to_owned())
        };
        let comments = "/repos/a/b/issues/7/comments";
        assert_eq!(
            validated(&format!("POST {comments}"), r#"{"body": "x"}"#).unwrap(),
            "/issues/{issue_number}/comments"
        );
        assert_eq!(validated("GET /repos/a/b/releases/tags/web/v1", "").unwrap(), "/releases/tags/{tag}");
        let refused = |line: &str, body: &str| validated(line, body).unwrap_err();
        assert!(refused(&format!("POST {comments}"), r#"{"text": "x"}"#).contains("no property text"));
        assert!(refused(&format!("POST {comments}"), r#"{"body": 7}"#).contains("string"));
        assert!(refused(&format!("GET {comments}?pages=2"), "").contains("no query pages"));
        assert!(refused(&format!("GET {comments}?page=two"), "").contains("integer"));
        assert!(refused("GET /repos/a/b/releases/latest/x", "").contains("no such operation"));
        assert!(refused("GET /repos/a/b/pulls?state=merged", "").contains("merged"));
    }
}
