//! The address range that may connect to the machine: this runner's public address, or the manifest's `ingress`.

use std::net::{IpAddr, Ipv6Addr, UdpSocket};
use std::time::Duration;

use ami_bake_core::{Error, Result, Run};
use aws_config::BehaviorVersion;
use aws_smithy_runtime::client::orchestrator::operation::Operation;
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse, OrchestratorError};
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::timeout::TimeoutConfig;

use super::machines::Machines;
use crate::client::Client;

/// Amazon's service that returns the client's public address.
const SERVICE: &str = "https://checkip.amazonaws.com";
/// Environment variable with the URL of another such service.
const VARIABLE: &str = "AMI_BAKE_CHECKIP_URL";
const TRIES: u32 = 4;
const TRY: Duration = Duration::from_secs(4);

/// The runner's own public address as a CIDR. Requested once per run.
pub(super) async fn own(machines: &Machines, run: &Run) -> Result<String> {
    let state = machines.runs.of(run);
    let address = state.address.get_or_try_init(|| find(machines.client(), run)).await?;
    Ok(match address {
        IpAddr::V4(address) => format!("{address}/32"),
        IpAddr::V6(address) => format!("{address}/128"),
    })
}

/// An address of Amazon's, used to find the source address that this computer would use. Nothing is sent to it.
const AMAZON: Ipv6Addr = Ipv6Addr::new(0x2600, 0x1f00, 0, 0, 0, 0, 0, 1);

/// The runner's own IPv6 address as a CIDR, if it is one that the internet knows.
pub(super) fn public_ipv6() -> Option<String> {
    let own = own_ipv6().ok()?;
    let address: Ipv6Addr = own.strip_suffix("/128")?.parse().ok()?;
    is_global(address).then_some(own)
}

/// True for global unicast addresses, 2000::/3 (RFC 4291).
fn is_global(address: Ipv6Addr) -> bool {
    address.segments()[0] & 0xe000 == 0x2000
}

/// The runner's own IPv6 address as a CIDR. IPv6 addresses are not translated, so the routing table has it.
pub(super) fn own_ipv6() -> Result<String> {
    let local = UdpSocket::bind((Ipv6Addr::UNSPECIFIED, 0)).and_then(|socket| {
        socket.connect((AMAZON, 443))?;
        socket.local_addr()
    });
    match local {
        Ok(address) => Ok(format!("{}/128", address.ip())),
        Err(error) => Err(Error::preflight("find this computer's IPv6 address: it has no IPv6 route to the internet")
            .help("Bake on a computer with IPv6, or set who may connect with `machine: {ingress: [2001:db8::7/128]}`.")
            .because(error)),
    }
}

async fn find(client: &Client, run: &Run) -> Result<IpAddr> {
    let service = std::env::var(VARIABLE).ok().filter(|url| !url.is_empty()).unwrap_or_else(|| SERVICE.to_owned());
    let mut last = String::new();
    for number in 0..TRIES {
        if number > 0 {
            run.sleep(Duration::from_millis(500 * u64::from(number))).await?;
        }
        match run.until_cancelled(ask(client, &service)).await? {
            Ok(address) => return Ok(address),
            Err(why) => last = why,
        }
    }
    Err(Error::preflight(format!(
        "could not find this machine's public address: {service} did not return one ({last})"
    ))
    .help(format!(
        "The security group allows only that address. Set it with `machine: {{ingress: [203.0.113.7/32]}}`, use \
         existing `security-groups`, or set {VARIABLE} to another service that returns the address."
    )))
}

/// One GET with the SDK's own HTTP client: its TLS, trust store and proxy settings.
async fn ask(client: &Client, service: &str) -> Result<IpAddr, String> {
    let (origin, path) = split(service);
    let mut operation = Operation::builder()
        .service_name("checkip")
        .operation_name("Get")
        .behavior_version(BehaviorVersion::v2026_01_12())
        .endpoint_url(origin)
        .no_auth()
        .no_retry()
        .timeout_config(TimeoutConfig::builder().operation_timeout(TRY).build());
    // Without a client in the configuration the operation uses the SDK's default.
    if let Some(http) = client.config().http_client() {
        operation = operation.http_client(http);
    }
    if let Some(sleep) = client.config().sleep_impl() {
        operation = operation.sleep_impl(sleep);
    }
    let operation = operation
        .serializer(move |(): ()| {
            let mut request = HttpRequest::new(SdkBody::empty());
            request.set_uri(path.as_str())?;
            Ok(request)
        })
        .deserializer(|response: &HttpResponse| -> Result<IpAddr, OrchestratorError<std::io::Error>> {
            let status = response.status().as_u16();
            if status != 200 {
                return Err(OrchestratorError::other(format!("it returned HTTP {status}")));
            }
            let body = String::from_utf8_lossy(response.body().bytes().unwrap_or_default()).trim().to_owned();
            body.parse().map_err(|_| {
                let start: String = body.chars().filter(|character| !character.is_control()).take(40).collect();
                OrchestratorError::other(format!("it returned {start:?}, which is not an IP address"))
            })
        })
        .build();
    operation.invoke(()).await.map_err(|error| {
        let mut cause: &dyn std::error::Error = &error;
        while let Some(next) = cause.source() {
            cause = next;
        }
        cause.to_string()
    })
}

/// The URL's origin and path; the SDK would add a slash to a path in an endpoint.
fn split(service: &str) -> (&str, String) {
    let host = service.find("://").map_or(0, |at| at + 3);
    match service[host..].find('/') {
        Some(at) => (&service[..host + at], service[host + at..].to_owned()),
        None => (service, "/".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_of_the_internet_are_allowed_in() {
        let global = |text: &str| is_global(text.parse().unwrap());
        assert!(global("2001:db8::7") && global("2a02:8071::1"));
        assert!(!global("fd00::7") && !global("fe80::7") && !global("::1"));
    }

    #[test]
    fn the_path_is_asked_for_as_it_stands() {
        assert_eq!(split("https://checkip.amazonaws.com"), ("https://checkip.amazonaws.com", "/".to_owned()));
        assert_eq!(split("http://127.0.0.1:8/checkip"), ("http://127.0.0.1:8", "/checkip".to_owned()));
    }
}
