//! A client of yaml-language-server with this repository's schema.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Value, json};

const PROGRAM: &str = "target/tools/node/node_modules/yaml-language-server/bin/yaml-language-server";

/// A running server.
pub(crate) struct LanguageServer {
    process: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    requests: u64,
    documents: u64,
    /// The last diagnostics that the server sent, with their document.
    diagnostics: Vec<(String, Value)>,
}

impl Drop for LanguageServer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl LanguageServer {
    pub(crate) fn start() -> Self {
        let program = Path::new(env!("CARGO_MANIFEST_DIR")).join(PROGRAM);
        assert!(program.is_file(), "{PROGRAM} is missing; run .ci/setup");
        let mut command = Command::new("node");
        command.arg(program).arg("--stdio").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut process =
            command.spawn().unwrap_or_else(|error| panic!("node is missing ({error}); run `apt-get install nodejs`"));
        let (input, output) = (process.stdin.take().unwrap(), BufReader::new(process.stdout.take().unwrap()));
        let mut server = Self { process, input, output, requests: 0, documents: 0, diagnostics: Vec::new() };
        server.request(
            "initialize",
            &json!({
                "processId": null, "rootUri": null,
                "capabilities": { "textDocument": { "hover": { "contentFormat": ["markdown"] } } },
            }),
        );
        server.notify("initialized", &json!({}));
        let settings = json!({ "yaml": { "validate": true, "hover": true, "completion": true, "schemaStore": { "enable": false } } });
        server.notify("workspace/didChangeConfiguration", &json!({ "settings": settings }));
        server
    }

    /// The text that is shown for what is at the `|`.
    pub(crate) fn hover(&mut self, text: &str) -> String {
        let shown = self.at(text, "textDocument/hover");
        shown["contents"]["value"].as_str().unwrap_or_default().to_owned()
    }

    /// The labels that are offered at the `|`, in order.
    pub(crate) fn offered(&mut self, text: &str) -> Vec<String> {
        let offered = self.at(text, "textDocument/completion");
        let items = offered["items"].as_array().or(offered.as_array()).cloned().unwrap_or_default();
        items.iter().map(|item| item["label"].as_str().unwrap().to_owned()).collect()
    }

    /// What is wrong with a manifest.
    pub(crate) fn refused(&mut self, text: &str) -> Vec<String> {
        let uri = self.open(&with_schema(text));
        loop {
            if let Some((_, found)) = self.diagnostics.iter().find(|(name, _)| *name == uri) {
                let found = found.as_array().unwrap().iter();
                return found.map(|problem| problem["message"].as_str().unwrap().to_owned()).collect();
            }
            let message = self.read();
            self.handle(&message);
        }
    }

    fn at(&mut self, text: &str, method: &str) -> Value {
        let text = with_schema(text);
        let (before, after) = text.split_once('|').unwrap();
        let uri = self.open(&format!("{before}{after}"));
        let (line, character) = (before.matches('\n').count(), before.rsplit('\n').next().unwrap().len());
        self.request(
            method,
            &json!({
                "textDocument": { "uri": uri }, "position": { "line": line, "character": character },
            }),
        )
    }

    fn open(&mut self, text: &str) -> String {
        self.documents += 1;
        let uri = format!("file:///{}.yml", self.documents);
        let document = json!({ "uri": uri, "languageId": "yaml", "version": 1, "text": text });
        self.notify("textDocument/didOpen", &json!({ "textDocument": document }));
        uri
    }

    fn request(&mut self, method: &str, parameters: &Value) -> Value {
        self.requests += 1;
        let id = self.requests;
        self.send(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": parameters }));
        loop {
            let message = self.read();
            if message["id"] == id && message["method"].is_null() {
                return message["result"].clone();
            }
            self.handle(&message);
        }
    }

    fn notify(&mut self, method: &str, parameters: &Value) {
        self.send(&json!({ "jsonrpc": "2.0", "method": method, "params": parameters }));
    }

    /// Handles a message that the server sent by itself.
    fn handle(&mut self, message: &Value) {
        if message["method"] == "textDocument/publishDiagnostics" {
            let found = &message["params"];
            self.diagnostics.push((found["uri"].as_str().unwrap().to_owned(), found["diagnostics"].clone()));
        } else if !message["id"].is_null() && !message["method"].is_null() {
            self.send(&json!({ "jsonrpc": "2.0", "id": message["id"], "result": null }));
        }
    }

    fn send(&mut self, message: &Value) {
        let text = message.to_string();
        write!(self.input, "Content-Length: {}\r\n\r\n{text}", text.len()).unwrap();
        self.input.flush().unwrap();
    }

    fn read(&mut self) -> Value {
        let mut length = 0;
        loop {
            let mut line = String::new();
            assert!(self.output.read_line(&mut line).unwrap() > 0, "yaml-language-server ended");
            match line.trim().split_once(": ") {
                Some((name, value)) if name.eq_ignore_ascii_case("content-length") => length = value.parse().unwrap(),
                Some(_) => {}
                None => break,
            }
        }
        let mut text = vec![0; length];
        self.output.read_exact(&mut text).unwrap();
        serde_json::from_slice(&text).unwrap()
    }
}

fn with_schema(text: &str) -> String {
    let schema = concat!(env!("CARGO_MANIFEST_DIR"), "/schema/bake.schema.json");
    format!("# yaml-language-server: $schema=file://{schema}\n{text}")
}
