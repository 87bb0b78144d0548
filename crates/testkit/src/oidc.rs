//! A workflow's OIDC token endpoint, and as much of STS as role assumption needs.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};
use serde_json::json;

use crate::http::{HttpAnswer, Server};

/// The subject of every token that is minted here.
pub const SUBJECT: &str = "repo:shop/images:ref:refs/heads/main";

/// The answer of the token endpoint to a job that is still pending.
pub const PENDING: &str = r#"{"message": "Can't issue ID_TOKEN for job in 'Pending' state."}"#;

/// A token endpoint: first the answers in `before`, then a new token for each request.
pub fn issuer(before: Vec<HttpAnswer>) -> Server {
    Server::serving(move |number, _| match before.get(number) {
        Some(answer) => answer.clone(),
        None => HttpAnswer::text(200, json!({"value": token(number)}).to_string()),
    })
}

/// The environment variables with the endpoint's address.
pub fn variables(issuer: &Server) -> [(&'static str, String); 2] {
    [
        ("ACTIONS_ID_TOKEN_REQUEST_URL", format!("{}/token?api-version=2.0", issuer.address())),
        ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "the-request-token".to_owned()),
    ]
}

/// A new token with an invalid signature, which no server in the tests checks.
fn token(number: usize) -> String {
    let claims = json!({
        "iss": "https://token.actions.githubusercontent.com",
        "sub": SUBJECT,
        "aud": "sts.amazonaws.com",
        "repository": "shop/images",
        "repository_id": "74",
        "repository_owner_id": "65",
        "jti": number,
    });
    format!(
        "{}.{}.signature-{number}",
        BASE64_URL_SAFE_NO_PAD.encode(br#"{"alg":"RS256"}"#),
        BASE64_URL_SAFE_NO_PAD.encode(claims.to_string())
    )
}

/// A refusal of STS with this code and message.
pub fn refusal(code: &str, message: &str) -> HttpAnswer {
    let body = format!(
        "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error><Type>Sender</Type><Code>{code}</Code>\
         <Message>{message}</Message></Error><RequestId>1</RequestId></ErrorResponse>"
    );
    HttpAnswer::text(403, body)
}

/// An STS that refuses all requests.
pub fn refusing_sts(code: &str, message: &str) -> Server {
    let refusal = refusal(code, message);
    Server::serving(move |_, _| refusal.clone())
}

/// The cloud's STS with sessions that end after `seconds`; `before` are its first answers.
pub fn short_sts(cloud: u16, seconds: i64, before: Vec<HttpAnswer>) -> Server {
    Server::serving(move |number, request| {
        if let Some(answer) = before.get(number) {
            return answer.clone();
        }
        let (status, body) = forward(cloud, request);
        let end = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(seconds);
        let Some((before, rest)) = body.split_once("<Expiration>") else { return HttpAnswer::text(status, body) };
        let (_, after) = rest.split_once("</Expiration>").unwrap();
        HttpAnswer::text(status, format!("{before}<Expiration>{end:.0}</Expiration>{after}"))
    })
}

/// Forwards a request to the cloud. HTTP/1.0, because its answers end with the connection.
fn forward(port: u16, request: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(crate::wait::LIMIT)).unwrap();
    let request = request.replacen(" HTTP/1.1\r\n", " HTTP/1.0\r\n", 1);
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}
