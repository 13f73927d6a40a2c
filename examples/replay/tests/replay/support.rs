//! A client of a few lines, so that the server is not only tested by the product's own.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use csbill_replay::{Recording, ReplayServer};
use hmac::{Hmac, Mac};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use sha1::Sha1;

/// The folder of the recording.
pub(crate) fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../data/cloudstack-4.23")
}

pub(crate) fn daily() -> Recording {
    Recording::load(&folder(), "usage-daily").expect("the recording is part of the repository")
}

/// The parameters in the order given.
pub(crate) type Pairs = Vec<(String, String)>;

pub(crate) fn pairs(pairs: &[(&str, &str)]) -> Pairs {
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    pairs.iter().map(owned).collect()
}

fn encode(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

/// The same with key, format and signature.
pub(crate) fn signed(server: &ReplayServer, mut params: Pairs) -> Pairs {
    params.push(("apiKey".into(), server.key().into()));
    if !params.iter().any(|(name, _)| name == "response") {
        params.push(("response".into(), "json".into()));
    }
    let mut sorted = params.clone();
    sorted.sort();
    let java = |value: &str| {
        let value = encode(value);
        ["%2D", "%5F", "%2E", "%2A"]
            .iter()
            .zip(["-", "_", ".", "*"])
            .fold(value, |value, (code, plain)| value.replace(code, plain))
    };
    let text: Vec<String> = sorted
        .iter()
        .map(|(name, value)| format!("{name}={}", java(value)))
        .collect();
    let mut mac = Hmac::<Sha1>::new_from_slice(server.secret().as_bytes()).unwrap();
    mac.update(text.join("&").to_lowercase().as_bytes());
    let signature = STANDARD.encode(mac.finalize().into_bytes());
    params.push(("signature".into(), signature));
    params
}

fn query(params: &Pairs) -> String {
    let pairs: Vec<String> = params
        .iter()
        .map(|(name, value)| format!("{}={}", encode(name), encode(value)))
        .collect();
    pairs.join("&")
}

fn exchange(server: &ReplayServer, request: &str) -> (u16, String) {
    let url = server.url();
    let address = url.trim_start_matches("http://").split('/').next().unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").expect("an HTTP answer");
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, body.to_owned())
}

/// Sends the parameters as they are.
pub(crate) fn get(server: &ReplayServer, params: &Pairs) -> (u16, String) {
    let request = format!("GET /client/api?{} HTTP/1.0\r\n\r\n", query(params));
    exchange(server, &request)
}

/// The same as a form.
pub(crate) fn post(server: &ReplayServer, params: &Pairs) -> (u16, String) {
    let form = query(params);
    let request = format!(
        "POST /client/api HTTP/1.0\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{form}",
        form.len()
    );
    exchange(server, &request)
}

/// Signs, sends, and reads the JSON of the answer.
pub(crate) fn ask(server: &ReplayServer, params: &[(&str, &str)]) -> (u16, Value) {
    let (status, body) = get(server, &signed(server, pairs(params)));
    (status, serde_json::from_str(&body).expect("JSON"))
}

/// What is inside the wrapper, whatever its name.
pub(crate) fn inside(answer: &Value) -> &Value {
    answer.as_object().unwrap().values().next().unwrap()
}
