//! Requests OIDC tokens from the job's endpoint (GitHub: OpenID Connect reference, "Methods for requesting the OIDC
//! token").

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use ami_bake_core::clock::Clock;
use ami_bake_core::mask::Masker;
use ami_bake_core::token::{IdentityToken, TokenSource};
use ami_bake_core::{Error, Result};
use async_trait::async_trait;
use reqwest::{Client, StatusCode};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;

use super::claims;
use crate::runner::Environment;

/// Time limit of a request. The endpoint answers within a second; GitHub's own toolkit waits three minutes for a dead
/// connection (grafana/shared-workflows#2249).
const ANSWER: Duration = Duration::from_secs(8);
/// Time limit to connect.
const CONNECT: Duration = Duration::from_secs(5);
/// Maximum number of requests without an answer, after which the endpoint is given up, 17 s after the first.
const SILENCES: u32 = 2;
/// Maximum number of requests for one token including the first: some 30 s with the pauses.
const ATTEMPTS: u32 = 6;
/// The first pause; doubled each time, up to [`LONGEST_PAUSE`].
const PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// Maximum characters of an error response in messages.
const EXCERPT: usize = 300;

/// The OIDC tokens of the job that this program runs in.
pub struct WorkflowTokens {
    client: Client,
    address: String,
    bearer: SecretString,
    masker: Arc<Masker>,
    clock: Arc<dyn Clock>,
}

impl fmt::Debug for WorkflowTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WorkflowTokens")
    }
}

impl WorkflowTokens {
    /// Tokens from the endpoint that the runner names. `masker` knows each before anybody sees it. `None` when the
    /// runner names no endpoint.
    ///
    /// # Errors
    /// When the proxy settings of the environment are invalid.
    pub fn of(environment: &Environment, masker: Arc<Masker>, clock: Arc<dyn Clock>) -> Result<Option<Self>> {
        Self::within(ANSWER, environment, masker, clock)
    }

    fn within(
        answer: Duration,
        environment: &Environment,
        masker: Arc<Masker>,
        clock: Arc<dyn Clock>,
    ) -> Result<Option<Self>> {
        let (Some(address), Some(bearer)) =
            (environment.get("ACTIONS_ID_TOKEN_REQUEST_URL"), environment.get("ACTIONS_ID_TOKEN_REQUEST_TOKEN"))
        else {
            return Ok(None);
        };
        masker.add(bearer);
        let client = Client::builder()
            .connect_timeout(CONNECT)
            .timeout(answer)
            .user_agent(concat!("ami-bake/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| Error::preflight("could not create a client for GitHub's OIDC endpoint").because(error))?;
        let bearer = SecretString::from(bearer);
        Ok(Some(Self { client, address: address.to_owned(), bearer, masker, clock }))
    }

    async fn ask(&self, audience: &str) -> Result<String, Refused> {
        // The URL already has a query.
        let request = self.client.get(&self.address).query(&[("audience", audience)]);
        let answer = request.bearer_auth(self.bearer.expose_secret()).send().await?;
        let status = answer.status();
        let body = answer.bytes().await?;
        if !status.is_success() {
            return Err(Refused::answered(status, &String::from_utf8_lossy(&body)));
        }
        let answer: Value = serde_json::from_slice(&body).unwrap_or_default();
        let token = answer["value"].as_str().filter(|token| !token.is_empty());
        token.map(str::to_owned).ok_or(Refused {
            again: false,
            silent: false,
            why: "the response contains no token".to_owned(),
        })
    }
}

#[async_trait]
impl TokenSource for WorkflowTokens {
    async fn token(&self, audience: &str) -> Result<IdentityToken> {
        let mut pause = PAUSE;
        let mut silences = 0;
        for attempt in 1.. {
            match self.ask(audience).await {
                Ok(token) => {
                    self.masker.add(&token);
                    let claims = claims::read(&token);
                    return Ok(IdentityToken { secret: SecretString::from(token), claims });
                }
                Err(refused)
                    if !refused.again || attempt >= ATTEMPTS || silences + u32::from(refused.silent) >= SILENCES =>
                {
                    let tries = if attempt == 1 { String::new() } else { format!(" ({attempt} attempts)") };
                    let error = Error::preflight(format!(
                        "could not get an OIDC token from {}{tries}: {}",
                        self.host(),
                        refused.why
                    ));
                    return Err(error.help(
                        "The job needs `permissions: {id-token: write}`. If it has this permission, check githubstatus.com and run the \
                         job again.",
                    ));
                }
                Err(refused) => {
                    silences += u32::from(refused.silent);
                    self.clock.sleep(pause).await;
                }
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
        Err(Error::internal("no attempt to get an OIDC token was made"))
    }

    fn host(&self) -> String {
        let url = reqwest::Url::parse(&self.address).ok();
        url.and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_else(|| "GitHub".to_owned())
    }
}

/// Why there is no token, and whether to retry.
struct Refused {
    again: bool,
    /// True when there was no answer in time.
    silent: bool,
    why: String,
}

impl Refused {
    fn answered(status: StatusCode, body: &str) -> Self {
        // A race in GitHub: the job is not marked as running yet (aws-actions/configure-aws-credentials#469).
        let pending = status == StatusCode::FORBIDDEN && body.contains("for job in");
        let again = pending || status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error();
        let body: String = ami_bake_core::output::sanitize(body).chars().take(EXCERPT).collect();
        Self { again, silent: false, why: format!("GitHub answered {status} {body}").trim_end().to_owned() }
    }
}

impl From<reqwest::Error> for Refused {
    fn from(error: reqwest::Error) -> Self {
        let silent = error.is_timeout();
        let why = if silent {
            "the endpoint did not respond".to_owned()
        } else {
            // The URL is not secret, but of no use to the reader.
            let error = error.without_url();
            let mut text = error.to_string();
            let mut next = std::error::Error::source(&error);
            while let Some(cause) = next {
                text.push_str(&format!(": {cause}"));
                next = cause.source();
            }
            text
        };
        Self { again: true, silent, why }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use ami_bake_testkit::clock::ManualClock;
    use ami_bake_testkit::http::{HttpAnswer, Server};

    use super::*;

    fn tokens(server: &Server) -> (WorkflowTokens, Arc<Masker>, Arc<ManualClock>) {
        let environment = Environment::of([
            ("ACTIONS_ID_TOKEN_REQUEST_URL", format!("{}/token?api-version=2.0", server.address())),
            ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "the-bearer".to_owned()),
        ]);
        let (masker, clock) = (Arc::new(Masker::default()), Arc::new(ManualClock::default()));
        let clock_handle: Arc<dyn Clock> = clock.clone();
        let tokens = WorkflowTokens::of(&environment, Arc::clone(&masker), clock_handle).unwrap().unwrap();
        (tokens, masker, clock)
    }

    async fn asked(tokens: WorkflowTokens, clock: Arc<ManualClock>) -> Result<IdentityToken> {
        let done = Arc::new(Mutex::new(None));
        let answer = Arc::clone(&done);
        tokio::spawn(async move {
            let token = tokens.token("sts.amazonaws.com").await;
            *answer.lock().unwrap() = Some(token);
        });
        while done.lock().unwrap().is_none() {
            tokio::task::yield_now().await;
            clock.advance(Duration::from_secs(10));
        }
        done.lock().unwrap().take().unwrap()
    }

    #[tokio::test]
    async fn a_pending_job_and_a_bad_gateway_are_asked_again() {
        let server = Server::answering([
            HttpAnswer::text(403, "{\"message\": \"Can't issue ID_TOKEN for job in 'Pending' state.\"}"),
            HttpAnswer::text(502, ""),
            HttpAnswer::dropped(),
            HttpAnswer::text(429, ""),
            HttpAnswer::text(200, r#"{"value": "x.e30.secret-token"}"#),
        ]);
        let (tokens, masker, clock) = tokens(&server);
        let token = asked(tokens, clock).await.unwrap();
        assert_eq!(token.secret.expose_secret(), "x.e30.secret-token");
        assert_eq!(masker.mask("the-bearer x.e30.secret-token"), "*** ***");
        let requests = server.requests();
        assert_eq!(requests.len(), 5);
        assert!(
            requests[4].starts_with("GET /token?api-version=2.0&audience=sts.amazonaws.com HTTP"),
            "{}",
            requests[4]
        );
        assert!(requests[4].to_lowercase().contains("authorization: bearer the-bearer"));
    }

    #[tokio::test]
    async fn a_permanent_error_says_what_to_do() {
        let server = Server::answering([HttpAnswer::text(403, "Resource not\r::error::accessible")]);
        let (tokens, _, clock) = tokens(&server);
        let error = asked(tokens, clock).await.unwrap_err();
        assert!(error.message().contains("403 Forbidden Resource not::error::accessible"), "{error}");
        assert!(error.help_text().unwrap().contains("id-token: write"));
        assert_eq!((server.requests().len(), error.kind().exit_code()), (1, 4));
    }

    #[tokio::test]
    async fn a_failing_endpoint_is_given_up() {
        let server = Server::answering((0..10).map(|_| HttpAnswer::text(503, "down")));
        let (tokens, _, clock) = tokens(&server);
        let error = asked(tokens, clock).await.unwrap_err();
        assert!(error.message().contains("(6 attempts): GitHub answered 503"), "{error}");
        assert_eq!(server.requests().len(), 6);
    }

    #[tokio::test]
    async fn an_endpoint_that_never_answers_is_given_up() {
        // The kernel accepts the connection, but nobody reads from it.
        let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let environment = Environment::of([
            ("ACTIONS_ID_TOKEN_REQUEST_URL", format!("http://{}/token?x=1", silent.local_addr().unwrap())),
            ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "the-bearer".to_owned()),
        ]);
        let clock = Arc::new(ManualClock::default());
        let handle: Arc<dyn Clock> = clock.clone();
        let tokens = WorkflowTokens::within(Duration::from_millis(50), &environment, Arc::default(), handle);
        let error = asked(tokens.unwrap().unwrap(), clock).await.unwrap_err();
        assert!(error.message().contains("from 127.0.0.1 (2 attempts): the endpoint did not respond"), "{error}");
    }

    #[test]
    fn no_address_no_tokens() {
        let clock: Arc<dyn Clock> = Arc::new(ManualClock::default());
        assert!(WorkflowTokens::of(&Environment::default(), Arc::default(), clock).unwrap().is_none());
    }
}
