//! The metadata service of EC2, as cloud-init and other programs of an image know it
//! (<https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-data-categories.html>). It speaks for this computer:
//! there are no credentials.

use std::collections::HashMap;
use std::fs::File;
use std::os::fd::AsRawFd as _;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use ami_bake_core::{Error, Result};
use serde_json::{Map, Value, json};
use tokio::net::UnixListener;
use tokio::task::JoinHandle;

use super::http::{Request, Response, answer};
use super::seed::FirstBoot;

/// Header with a session token.
const TOKEN: &str = "x-aws-ec2-metadata-token";
/// Header with the lifetime of a token in seconds.
const LIFETIME: &str = "x-aws-ec2-metadata-token-ttl-seconds";
/// The longest lifetime of a token in seconds (six hours).
const LONGEST: u64 = 21_600;
/// The guest's address in QEMU's network.
const ADDRESS: &str = "169.254.169.15";
/// Account and region of a machine that is in none.
const ACCOUNT: &str = "000000000000";
const REGION: &str = "local";
const ZONE: &str = "local-1a";

/// A running metadata service; ends when it is dropped.
#[derive(Debug)]
pub(crate) struct MetadataServer(JoinHandle<()>);

impl Drop for MetadataServer {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Serves a machine's data on a socket in its folder.
///
/// # Errors
/// When the socket can't be created.
pub(crate) fn serve(folder: &Path, socket: &str, boot: &FirstBoot) -> Result<MetadataServer> {
    let failed = |error| Error::build("could not start the metadata service of the machine").because(error);
    // By the descriptor, since the path of a socket has at most 107 characters (unix(7)).
    let open = File::open(folder).map_err(failed)?;
    let listener = UnixListener::bind(format!("/proc/self/fd/{}/{socket}", open.as_raw_fd())).map_err(failed)?;
    let service = Arc::new(Service::new(boot));
    Ok(MetadataServer(tokio::spawn(async move {
        loop {
            match listener.accept().await {
                Ok((stream, _)) => {
                    let service = Arc::clone(&service);
                    tokio::spawn(async move {
                        if let Err(error) = answer(stream, |request| service.respond(request)).await {
                            tracing::debug!(%error, "a request of the metadata service failed");
                        }
                    });
                }
                Err(error) => {
                    tracing::debug!(%error, "the metadata service could not accept a connection");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
    })))
}

struct Service {
    metadata: Value,
    document: String,
    user_data: String,
    tokens_required: bool,
    tokens: Mutex<HashMap<String, Instant>>,
}

impl Service {
    fn new(boot: &FirstBoot) -> Self {
        let keys: Map<String, Value> = boot
            .keys
            .iter()
            .enumerate()
            .map(|(index, key)| (index.to_string(), json!({ "openssh-key": key })))
            .collect();
        let interface = json!({
            "device-number": "0",
            "interface-id": "eni-00000000000000000",
            "local-hostname": boot.host_name,
            "local-ipv4s": ADDRESS,
            "mac": boot.mac,
            "owner-id": ACCOUNT,
            "subnet-ipv4-cidr-block": "169.254.169.0/24",
        });
        let metadata = json!({
            "ami-id": "ami-00000000000000000",
            "ami-launch-index": "0",
            "hostname": boot.host_name,
            "instance-id": boot.instance,
            "instance-life-cycle": "on-demand",
            "instance-type": "virtual",
            "local-hostname": boot.host_name,
            "local-ipv4": ADDRESS,
            "mac": boot.mac,
            "network": { "interfaces": { "macs": { boot.mac.as_str(): interface } } },
            "placement": { "availability-zone": ZONE, "region": REGION },
            "public-keys": keys,
            "reservation-id": "r-00000000000000000",
            "security-groups": "default",
            "services": { "domain": "amazonaws.com", "partition": "aws" },
        });
        let document = json!({
            "accountId": ACCOUNT,
            "architecture": boot.architecture,
            "availabilityZone": ZONE,
            "imageId": "ami-00000000000000000",
            "instanceId": boot.instance,
            "instanceType": "virtual",
            "privateIp": ADDRESS,
            "region": REGION,
            "version": "2017-09-30",
        });
        Self {
            metadata,
            document: document.to_string(),
            user_data: boot.user_data.clone(),
            tokens_required: boot.tokens_required,
            tokens: Mutex::default(),
        }
    }

    fn respond(&self, request: &Request) -> Response {
        let path = request.path.split('?').next().unwrap_or_default();
        if path.trim_end_matches('/') == "/latest/api/token" {
            return if request.method == "PUT" {
                self.token(request)
            } else {
                Response::empty("405 Method Not Allowed")
            };
        }
        if !matches!(request.method.as_str(), "GET" | "HEAD") {
            return Response::empty("405 Method Not Allowed");
        }
        match request.header(TOKEN) {
            Some(token) if !self.knows(token) => return Response::empty("401 Unauthorized"),
            None if self.tokens_required => return Response::empty("401 Unauthorized"),
            _ => {}
        }
        let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
        let found = match parts.as_slice() {
            [] => Some("latest".to_owned()),
            [_version] => Some("dynamic\nmeta-data\nuser-data".to_owned()),
            [_, "user-data"] => Some(self.user_data.clone()),
            [_, "dynamic"] => Some("instance-identity/".to_owned()),
            [_, "dynamic", "instance-identity"] => Some("document".to_owned()),
            [_, "dynamic", "instance-identity", "document"] => Some(self.document.clone()),
            [_, "meta-data", keys @ ..] => look_up(&self.metadata, keys),
            _ => None,
        };
        found.map_or_else(|| Response::empty("404 Not Found"), Response::text)
    }

    /// A new session token (IMDSv2).
    fn token(&self, request: &Request) -> Response {
        let seconds = request.header(LIFETIME).and_then(|text| text.parse().ok());
        let Some(seconds) = seconds.filter(|seconds| (1..=LONGEST).contains(seconds)) else {
            return Response::empty("400 Bad Request");
        };
        // A request that went through a proxy is not the machine's own.
        if request.header("x-forwarded-for").is_some() {
            return Response::empty("403 Forbidden");
        }
        let token = uuid::Uuid::new_v4().simple().to_string();
        let mut tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        tokens.retain(|_, end| *end > Instant::now());
        tokens.insert(token.clone(), Instant::now() + Duration::from_secs(seconds));
        Response { headers: vec![(LIFETIME, seconds.to_string())], ..Response::text(token) }
    }

    fn knows(&self, token: &str) -> bool {
        let tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        tokens.get(token).is_some_and(|end| *end > Instant::now())
    }
}

/// The value at a path, or the list of keys there. `public-keys` lists its numbers with a name (`0=key`).
fn look_up(metadata: &Value, path: &[&str]) -> Option<String> {
    let mut value = metadata;
    for part in path {
        let key = part.split_once('=').map_or(*part, |(number, _)| number);
        value = value.as_object()?.get(key)?;
    }
    let Some(entries) = value.as_object() else { return value.as_str().map(str::to_owned) };
    let named = path == ["public-keys"];
    let line = |(key, value): (&String, &Value)| match value {
        _ if named => format!("{key}=key"),
        Value::Object(_) => format!("{key}/"),
        _ => key.clone(),
    };
    Some(entries.iter().map(line).collect::<Vec<_>>().join("\n"))
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::UnixStream;

    use super::*;

    async fn ask(folder: &Path, request: &str) -> String {
        let mut stream = UnixStream::connect(folder.join("m.sock")).await.unwrap();
        stream.write_all(format!("{request}Connection: close\r\n\r\n").as_bytes()).await.unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        text
    }

    #[tokio::test]
    async fn data_needs_a_session_token() {
        let folder = tempfile::tempdir().unwrap();
        let boot = FirstBoot {
            instance: "i-0abc".to_owned(),
            host_name: "web".to_owned(),
            keys: vec!["ssh-ed25519 AAAA".to_owned(), "ecdsa-sha2-nistp256 BBBB".to_owned()],
            user_data: "#cloud-config\n".to_owned(),
            mac: "52:54:00:12:34:56".to_owned(),
            architecture: "x86_64",
            tokens_required: true,
        };
        let _server = serve(folder.path(), "m.sock", &boot).unwrap();
        let get = async |path: &str, token: &str| {
            ask(folder.path(), &format!("GET {path} HTTP/1.1\r\nX-aws-ec2-metadata-token: {token}\r\n")).await
        };
        let plain = ask(folder.path(), "GET /latest/user-data HTTP/1.1\r\n").await;
        assert!(plain.starts_with("HTTP/1.1 401 "), "{plain}");
        assert!(get("/latest/user-data", "guessed").await.starts_with("HTTP/1.1 401 "));
        let put = |seconds: &str| {
            format!("PUT /latest/api/token HTTP/1.1\r\nX-aws-ec2-metadata-token-ttl-seconds: {seconds}\r\n")
        };
        for wrong in ["0", "21601", "x"] {
            assert!(ask(folder.path(), &put(wrong)).await.starts_with("HTTP/1.1 400 "), "{wrong}");
        }
        let answer = ask(folder.path(), &put("60")).await;
        let token = answer.rsplit("\r\n\r\n").next().unwrap().to_owned();
        let body = async |path: &str| get(path, &token).await.rsplit("\r\n\r\n").next().unwrap().to_owned();
        assert_eq!(body("/latest/user-data").await, "#cloud-config\n");
        assert_eq!(body("/2021-03-23/meta-data/instance-id").await, "i-0abc");
        assert_eq!(body("/latest/meta-data/public-keys/").await, "0=key\n1=key");
        assert_eq!(body("/latest/meta-data/public-keys/1/openssh-key").await, "ecdsa-sha2-nistp256 BBBB");
        assert_eq!(body("/latest/meta-data/placement").await, "availability-zone\nregion");
        assert!(body("/latest/meta-data").await.contains("network/\n"));
        assert!(body("/latest/dynamic/instance-identity/document").await.contains("\"instanceId\":\"i-0abc\""));
        assert!(get("/latest/meta-data/iam/security-credentials/", &token).await.starts_with("HTTP/1.1 404 "));
        assert!(get("/latest/meta-data/instance-id/x", &token).await.starts_with("HTTP/1.1 404 "));
    }
}
