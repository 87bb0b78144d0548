//! The server's answers.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::contract::{Call, Contract};
use super::request::Request;
use super::{REPOSITORY, State, TOKEN, VIEWER};
use crate::http::HttpAnswer;

/// Maximum length of a comment.
const COMMENT_LIMIT: usize = 65_536;
/// Maximum length of release notes.
const NOTES_LIMIT: usize = 125_000;

fn answer(status: u16, body: &Value) -> HttpAnswer {
    HttpAnswer::text(status, if body.is_null() { String::new() } else { body.to_string() })
}

fn refused(status: u16, message: &str) -> HttpAnswer {
    answer(status, &json!({"message": message, "documentation_url": "https://docs.github.com/rest"}))
}

/// Answers a request to the REST API, GraphQL or the upload host.
pub(super) fn api(state: &mut State, contract: &Contract, request: &Request) -> HttpAnswer {
    let path = request.path.trim_start_matches("/api/v3").trim_start_matches("/api/uploads").to_owned();
    let short = path.trim_start_matches("/repos/").trim_start_matches(REPOSITORY).to_owned();
    state.requests.push(format!("{} {short}", request.method));
    if request.header("authorization") != Some(&format!("Bearer {TOKEN}")) {
        return refused(401, "Bad credentials");
    }
    let fault = state
        .faults
        .iter_mut()
        .find(|fault| fault.times > 0 && fault.method == request.method && short.ends_with(fault.path));
    let lost = match fault {
        Some(fault) => {
            fault.times -= 1;
            let mut refusal = refused(fault.status, fault.message);
            if let Some((name, value)) = fault.header {
                refusal = refusal.header(name, value);
            }
            if !fault.done {
                return refusal;
            }
            Some(refusal)
        }
        None => None,
    };
    if request.path == "/api/graphql" && request.body.contains("minimizeComment") {
        state.minimized += 1;
        return answer(200, &json!({"data": {"minimizeComment": {"minimizedComment": {"isMinimized": true}}}}));
    }
    if request.path == "/api/graphql" {
        return answer(200, &json!({"data": {"viewer": {"login": VIEWER}}}));
    }
    let done = match contract.validate(request, &path) {
        Ok(call) => carry_out(state, contract, request, &call),
        Err(violation) => {
            state.violations.push(violation.clone());
            refused(422, &violation)
        }
    };
    lost.unwrap_or(done)
}

fn carry_out(state: &mut State, contract: &Contract, request: &Request, call: &Call<'_>) -> HttpAnswer {
    let body: Value = serde_json::from_str(&request.body).unwrap_or_default();
    let text = body["body"].as_str().unwrap_or_default();
    let value = call.values.first().cloned().unwrap_or_default();
    let id: u64 = value.parse().unwrap_or_default();
    match (request.method.as_str(), call.path) {
        ("GET", "/issues/{issue_number}/comments") => page(request, &state.comments),
        ("POST" | "PATCH", _) if call.path.starts_with("/issues") && text.chars().count() > COMMENT_LIMIT => {
            refused(422, "Validation Failed: Body is too long (maximum is 65536 characters)")
        }
        ("POST", "/issues/{issue_number}/comments") => {
            let made = merged(contract.example("POST", call.path, 201), &comment(state, id, VIEWER, text));
            state.comments.push(made.clone());
            answer(201, &made)
        }
        ("PATCH", "/issues/comments/{comment_id}") => change(&mut state.comments, id, &body),
        ("DELETE", "/issues/comments/{comment_id}") => remove(&mut state.comments, id),
        ("GET", "/pulls") => {
            let head = request.query.iter().find(|(name, _)| name == "head").map(|(_, head)| head.as_str());
            let example = contract.example("GET", call.path, 200)[0].take();
            let pulls: Vec<Value> = state
                .pulls
                .iter()
                .filter(|pull| head.is_none_or(|head| pull["label"] == head))
                .map(|pull| merged(example.clone(), &json!({"number": pull["number"], "head": {"sha": pull["sha"]}})))
                .collect();
            answer(200, &json!(pulls))
        }
        ("POST", "/pulls") => {
            let owner = REPOSITORY.split('/').next().unwrap_or_default();
            state.next += 1;
            let label = format!("{owner}:{}", body["head"].as_str().unwrap_or_default());
            if state.pulls.iter().any(|pull| pull["label"] == label.as_str()) {
                return refused(422, "Validation Failed: A pull request already exists");
            }
            let pull = json!({"number": state.next, "label": label, "title": body["title"], "body": body["body"]});
            state.pulls.push(pull.clone());
            answer(201, &merged(contract.example("POST", call.path, 201), &json!({"number": pull["number"]})))
        }
        ("PATCH", "/pulls/{pull_number}") => match state.pulls.iter_mut().find(|pull| pull["number"] == id) {
            Some(pull) => {
                *pull = merged(pull.take(), &body);
                answer(200, &merged(contract.example("PATCH", call.path, 200), &json!({"number": id})))
            }
            None => refused(404, "Not Found"),
        },
        ("GET", "") => answer(200, &merged(contract.example("GET", "", 200), &json!({"default_branch": "main"}))),
        ("GET" | "PUT", "/contents/{path}") => contents(state, contract, request, &value),
        ("GET", "/git/ref/{ref}") => {
            let branch = value.trim_start_matches("heads/");
            match state.branches.get(branch) {
                Some(branch) => {
                    let object = json!({"ref": format!("refs/{value}"), "object": {"sha": branch.sha}});
                    answer(200, &merged(contract.example("GET", call.path, 200), &object))
                }
                None => refused(404, "Not Found"),
            }
        }
        ("POST", "/git/refs") | ("PATCH", "/git/refs/{ref}") => {
            let named = body["ref"].as_str().unwrap_or_default().trim_start_matches("refs/heads/");
            let name = if named.is_empty() { value.trim_start_matches("heads/") } else { named }.to_owned();
            if request.method == "POST" && state.branches.contains_key(&name) {
                return refused(422, "Reference already exists");
            }
            let Some(from) = state.branches.values().find(|branch| body["sha"] == branch.sha.as_str()).cloned() else {
                return refused(422, "Object does not exist");
            };
            state.branches.insert(name, from);
            let status = if request.method == "POST" { 201 } else { 200 };
            answer(status, &contract.example(&request.method, call.path, status))
        }
        ("GET", "/actions/variables/{name}") => match state.variables.get(&value) {
            Some(there) => {
                let variable = json!({"name": value, "value": there});
                answer(200, &merged(contract.example("GET", call.path, 200), &variable))
            }
            None => refused(404, "Not Found"),
        },
        ("POST", "/actions/variables") => {
            let text = |key: &str| body[key].as_str().unwrap_or_default().to_owned();
            state.variables.insert(text("name"), text("value"));
            answer(201, &json!({}))
        }
        ("PATCH", "/actions/variables/{name}") => {
            state.variables.insert(value, body["value"].as_str().unwrap_or_default().to_owned());
            answer(204, &Value::Null)
        }
        ("GET", "/commits/{commit_sha}/pulls") => {
            let example = contract.example("GET", call.path, 200)[0].take();
            let pulls = state.merged.iter().filter(|pull| pull["sha"] == value.as_str());
            let pulls: Vec<Value> = pulls.map(|pull| merged(example.clone(), &pull["says"])).collect();
            answer(200, &json!(pulls))
        }
        ("GET", "/tags") => {
            let example = contract.example("GET", call.path, 200)[0].take();
            page(request, &state.tags.iter().map(|tag| merged(example.clone(), tag)).collect::<Vec<_>>())
        }
        ("GET", "/releases") => page(request, &state.releases),
        ("POST", "/releases") => {
            let tag = body["tag_name"].as_str().unwrap_or_default();
            if state.releases.iter().any(|one| one["tag_name"] == tag && one["draft"] == false) {
                return answer(422, &json!({"message": "Validation Failed", "errors": [{"code": "already_exists"}]}));
            }
            let made = release(state, tag, text, &body);
            state.releases.push(made.clone());
            answer(201, &made)
        }
        // A draft can't be found by its tag.
        ("GET", "/releases/tags/{tag}") => {
            let found = state.releases.iter().find(|one| one["tag_name"] == value.as_str() && one["draft"] == false);
            found.map_or_else(|| refused(404, "Not Found"), |release| answer(200, release))
        }
        ("GET", "/releases/{release_id}") => {
            let found = state.releases.iter().find(|one| one["id"] == id);
            found.map_or_else(|| refused(404, "Not Found"), |release| answer(200, release))
        }
        ("PATCH", "/releases/{release_id}") if text.chars().count() > NOTES_LIMIT => {
            refused(422, "Validation Failed: body is too long (maximum is 125000 characters)")
        }
        ("PATCH", "/releases/{release_id}") => change(&mut state.releases, id, &body),
        ("POST", "/releases/{release_id}/assets") => upload(state, request, id),
        ("GET", "/releases/assets/{asset_id}") => {
            let to = format!("{}/files/{id}", state.storage);
            HttpAnswer::text(302, "").header("Location", &to)
        }
        ("DELETE", "/releases/assets/{asset_id}") => {
            state.files.retain(|(file, _)| *file != id);
            for release in &mut state.releases {
                if let Some(assets) = release["assets"].as_array_mut() {
                    assets.retain(|asset| asset["id"] != id);
                }
            }
            answer(204, &Value::Null)
        }
        (method, path) => refused(501, &format!("the stand-in does not do {method} {path}")),
    }
}

/// Writes a file to a branch, whose head changes.
pub(super) fn put_file(state: &mut State, branch: &str, path: &str, text: &str) {
    state.next += 1;
    let sha = format!("{:040x}", state.next);
    let branch = state.branches.entry(branch.to_owned()).or_default();
    branch.files.insert(path.to_owned(), text.to_owned());
    branch.sha = sha;
}

/// Reads or writes a file of a branch, as GitHub's contents API does: a write must name the blob that it replaces.
fn contents(state: &mut State, contract: &Contract, request: &Request, path: &str) -> HttpAnswer {
    let body: Value = serde_json::from_str(&request.body).unwrap_or_default();
    let of_query = request.query.iter().find(|(name, _)| name == "ref").map(|(_, branch)| branch.as_str());
    let name = of_query.or(body["branch"].as_str()).unwrap_or("main").to_owned();
    let Some(text) = state.branches.get(&name).and_then(|branch| branch.files.get(path)).cloned() else {
        return refused(404, "Not Found");
    };
    let blob =
        |text: &str| format!("{:040x}", text.bytes().fold(7_u64, |sum, byte| sum.wrapping_mul(31) + u64::from(byte)));
    if request.method == "GET" {
        // GitHub breaks the lines of base64.
        let lines: Vec<String> = STANDARD
            .encode(&text)
            .as_bytes()
            .chunks(60)
            .map(|line| String::from_utf8_lossy(line).into_owned())
            .collect();
        let file = json!({"content": lines.join("\n"), "encoding": "base64", "sha": blob(&text), "path": path});
        return answer(200, &merged(contract.example("GET", "/contents/{path}", 200), &file));
    }
    if body["sha"] != blob(&text).as_str() {
        return refused(409, &format!("{path} does not match {}", body["sha"]));
    }
    let bytes = STANDARD.decode(body["content"].as_str().unwrap_or_default()).unwrap_or_default();
    put_file(state, &name, path, &String::from_utf8_lossy(&bytes));
    answer(200, &contract.example("PUT", "/contents/{path}", 200))
}

/// Serves a file of a release; requests there must not carry a token.
pub(super) fn storage(state: &mut State, request: &Request) -> HttpAnswer {
    if request.header("authorization").is_some() {
        state.violations.push(format!("{}: the token was sent to another host", request.path));
    }
    let id: u64 = request.path.trim_start_matches("/files/").parse().unwrap_or_default();
    match state.files.iter().find(|(file, _)| *file == id) {
        Some((_, content)) => HttpAnswer::text(200, content.clone()),
        None => refused(404, "Not Found"),
    }
}

fn upload(state: &mut State, request: &Request, release: u64) -> HttpAnswer {
    let name = request.query.iter().find(|(name, _)| name == "name").map(|(_, name)| name.clone()).unwrap_or_default();
    let Some(there) = state.releases.iter().find(|one| one["id"] == release) else { return refused(404, "Not Found") };
    if there["immutable"] == true && there["draft"] == false {
        return refused(422, "Cannot upload assets to an immutable release.");
    }
    if there["assets"].as_array().is_some_and(|assets| assets.iter().any(|asset| asset["name"] == name.as_str())) {
        return answer(422, &json!({"message": "Validation Failed", "errors": [{"code": "already_exists"}]}));
    }
    answer(201, &add_file(state, release, &name, &request.body))
}

pub(super) fn add_file(state: &mut State, release: u64, name: &str, content: &str) -> Value {
    state.next += 1;
    let asset = json!({"id": state.next, "name": name, "size": content.len(), "state": "uploaded"});
    state.files.push((state.next, content.to_owned()));
    let there = state.releases.iter_mut().find(|one| one["id"] == release);
    if let Some(assets) = there.and_then(|release| release["assets"].as_array_mut()) {
        assets.push(asset.clone());
    }
    asset
}

pub(super) fn comment(state: &mut State, pull: u64, author: &str, body: &str) -> Value {
    state.next += 1;
    let url = format!("{}/{REPOSITORY}/pull/{pull}#issuecomment-{}", state.base, state.next);
    json!({"id": state.next, "body": body, "html_url": url, "user": {"login": author}})
}

pub(super) fn release(state: &mut State, tag: &str, notes: &str, with: &Value) -> Value {
    state.next += 1;
    let release = json!({
        "id": state.next,
        "tag_name": tag,
        "body": notes,
        "html_url": format!("{}/{REPOSITORY}/releases/tag/{tag}", state.base),
        "upload_url": format!("{}/api/uploads/repos/{REPOSITORY}/releases/{}/assets{{?name,label}}", state.base, state.next),
        "draft": false,
        "prerelease": false,
        "assets": [],
    });
    merged(release, with)
}

/// `base` with the fields of `over` replaced.
fn merged(mut base: Value, over: &Value) -> Value {
    match (&mut base, over) {
        (Value::Object(base), Value::Object(over)) => {
            for (name, value) in over {
                let there = base.entry(name).or_insert(Value::Null);
                *there = merged(there.take(), value);
            }
        }
        (base, over) => *base = over.clone(),
    }
    base
}

fn change(all: &mut [Value], id: u64, with: &Value) -> HttpAnswer {
    match all.iter_mut().find(|one| one["id"] == id) {
        Some(there) => {
            *there = merged(there.take(), with);
            answer(200, there)
        }
        None => refused(404, "Not Found"),
    }
}

fn remove(all: &mut Vec<Value>, id: u64) -> HttpAnswer {
    all.retain(|one| one["id"] != id);
    answer(204, &Value::Null)
}

/// The requested page of a list.
fn page(request: &Request, all: &[Value]) -> HttpAnswer {
    let number = |name: &str, otherwise: usize| {
        let found = request.query.iter().find(|(there, _)| there == name);
        found.and_then(|(_, value)| value.parse().ok()).unwrap_or(otherwise)
    };
    let (size, page) = (number("per_page", 30), number("page", 1));
    let entries: Vec<&Value> = all.iter().skip(size * (page - 1)).take(size).collect();
    answer(200, &json!(entries))
}
