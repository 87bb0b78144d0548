//! The instance metadata service of EC2, version 2.

use std::time::Duration;

use ami_bake_core::{Error, Result};
use ami_bake_steps::http::Method;
use tokio::io::AsyncReadExt as _;
use url::Url;

use super::fetch::{FetchError, FetchRequest, fetch};
use super::{Deadline, Machine};

/// Base URL of the service (EC2 user guide, "Instance metadata").
const METADATA: &str = "http://169.254.169.254/latest";

/// The answer of the service for `path`.
pub(crate) async fn metadata(machine: &Machine<'_>, path: &str) -> Result<String> {
    let get = async |method: Method, url: String, headers: &[(&'static str, String)]| -> Result<String> {
        let url =
            Url::parse(&url).map_err(|error| Error::build(format!("`{path}` is not a valid path")).because(error))?;
        let answer =
            fetch(machine.on.communicator.as_ref(), FetchRequest { method, url, headers, tls_verify: true }).await;
        let mut text = String::new();
        let mut body = answer.map_err(FetchError::into_error)?.body.take(64 << 10);
        body.read_to_string(&mut text)
            .await
            .map_err(|error| Error::build("could not read the metadata").because(error))?;
        Ok(text)
    };
    let deadline = Deadline::new(machine.run, Some(Duration::from_secs(30)));
    deadline
        .within(machine.run, async {
            let life = [("x-aws-ec2-metadata-token-ttl-seconds", "60".to_owned())];
            let token = get(Method::PUT, format!("{METADATA}/api/token"), &life).await?;
            let token = [("x-aws-ec2-metadata-token", token)];
            get(Method::GET, format!("{METADATA}/meta-data/{}", path.trim_start_matches('/')), &token).await
        })
        .await
        .map_err(|error| Error::build(format!("could not read the instance metadata `{path}`")).because(error))
}
