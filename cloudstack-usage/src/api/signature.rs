//! Signatures of requests, as client and as server.
//!
//! Source: `ApiServer.verifyRequest`; the same from 4.11 to 4.23.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::digest::Key;
use hmac::{Hmac, Mac};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use sha1::{Digest as _, Sha1};

use super::credentials::Secret;

/// What Java's `URLEncoder` escapes: all but letters, digits and `- _ . *`. The space is
/// escaped here, too, since the server replaces Java's `+` by `%20`.
const VALUE: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'*');

/// A value as it is signed and sent.
pub(super) fn encode(value: &str) -> String {
    utf8_percent_encode(value, VALUE).to_string()
}

/// The text that is signed: every parameter but `signature`, sorted by name in byte order
/// as sent, names raw, values encoded, all in lower case.
///
/// ```
/// use cloudstack_usage::string_to_sign;
///
/// let text = string_to_sign(&[("command", "listZones"), ("apiKey", "K"), ("name", "a b~*")]);
/// assert_eq!(text, "apikey=k&command=listzones&name=a%20b%7e*");
/// ```
pub fn string_to_sign<N: AsRef<str>, V: AsRef<str>>(params: &[(N, V)]) -> String {
    let mut sorted: Vec<(&str, &str)> = params
        .iter()
        .map(|(name, value)| (name.as_ref(), value.as_ref()))
        .filter(|(name, _)| !is_signature(name))
        .collect();
    sorted.sort_by_key(|(name, _)| *name);
    let pairs: Vec<String> = sorted
        .into_iter()
        .map(|(name, value)| format!("{name}={}", encode(value)))
        .collect();
    pairs.join("&").to_lowercase()
}

/// The signature of a request: HMAC-SHA1 of [`string_to_sign`], in Base64, not yet encoded
/// for a URL. A parameter `signature` among them is passed over.
///
/// ```
/// use cloudstack_usage::{Secret, sign};
///
/// let params = [("command", "listUsageTypes"), ("response", "json"),
///     ("apiKey", "recording-api-key"), ("x", "a~b")];
/// let signature = sign(&params, &Secret::new("recording-secret-key"));
/// assert_eq!(signature, "mtvKdsL4PdTiXhhqKDsYkR2Coz4=");
/// ```
pub fn sign<N: AsRef<str>, V: AsRef<str>>(params: &[(N, V)], secret: &Secret) -> String {
    STANDARD.encode(mac(params, secret).finalize().into_bytes())
}

/// Whether the parameter `signature` among `params` (as decoded from the request) is right,
/// compared in constant time. Whether the request has expired is another question.
///
/// ```
/// use cloudstack_usage::{Secret, sign, verify};
///
/// let secret = Secret::new("s");
/// let mut params = vec![("command", "listZones".to_owned())];
/// params.push(("signature", sign(&params, &secret)));
/// assert!(verify(&params, &secret));
/// assert!(!verify(&params, &Secret::new("another")));
/// ```
pub fn verify<N: AsRef<str>, V: AsRef<str>>(params: &[(N, V)], secret: &Secret) -> bool {
    let mut given = params
        .iter()
        .filter(|(name, _)| is_signature(name.as_ref()))
        .map(|(_, value)| STANDARD.decode(value.as_ref()));
    match (given.next(), given.next()) {
        (Some(Ok(signature)), None) => mac(params, secret).verify_slice(&signature).is_ok(),
        _ => false,
    }
}

fn is_signature(name: &str) -> bool {
    name.eq_ignore_ascii_case("signature")
}

fn mac<N: AsRef<str>, V: AsRef<str>>(params: &[(N, V)], secret: &Secret) -> Hmac<Sha1> {
    let mut mac = <Hmac<Sha1> as Mac>::new(&block(secret.expose().as_bytes()));
    mac.update(string_to_sign(params).as_bytes());
    mac
}

/// A key as HMAC uses it: one block of the hash, a longer key by its digest (RFC 2104).
fn block(key: &[u8]) -> Key<Hmac<Sha1>> {
    let mut block = Key::<Hmac<Sha1>>::default();
    let digest = Sha1::digest(key);
    let key = if key.len() > block.len() {
        digest.as_slice()
    } else {
        key
    };
    block.iter_mut().zip(key).for_each(|(to, from)| *to = *from);
    block
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn order_of_the_parameters_does_not_matter(
            params in proptest::collection::btree_map("[a-zA-Z0-9.\\[\\]]{1,8}", "\\PC{0,12}", 1..6),
            secret in "\\PC{0,80}",
        ) {
            let secret = Secret::new(secret);
            let forward: Vec<_> = params.clone().into_iter().collect();
            let backward: Vec<_> = params.into_iter().rev().collect();
            prop_assert_eq!(sign(&forward, &secret), sign(&backward, &secret));
        }

        #[test]
        fn a_changed_value_is_found_out(value in "\\PC{0,12}", other in "\\PC{0,12}", secret in "[a-z]{1,20}") {
            let secret = Secret::new(secret);
            let signature = sign(&[("name", &value)], &secret);
            let good = [("name", value.clone()), ("signature", signature.clone())];
            prop_assert!(verify(&good, &secret));
            let bad = [("name", other.clone()), ("Signature", signature)];
            // case is not signed
            let same = encode(&value).to_lowercase() == encode(&other).to_lowercase();
            prop_assert_eq!(verify(&bad, &secret), same);
        }
    }

    #[test]
    fn keys_of_every_length_are_hashed_as_the_library_does() {
        for length in [0, 1, 63, 64, 65, 200] {
            let key = vec![b'k'; length];
            let mut ours = <Hmac<Sha1> as Mac>::new(&block(&key));
            let mut theirs = <Hmac<Sha1> as Mac>::new_from_slice(&key).unwrap();
            ours.update(b"text");
            theirs.update(b"text");
            assert_eq!(ours.finalize().into_bytes(), theirs.finalize().into_bytes());
        }
    }

    #[test]
    fn a_request_without_or_with_two_signatures_is_refused() {
        let secret = Secret::new("s");
        let signature = sign(&[("a", "b")], &secret);
        assert!(!verify(&[("a", "b")], &secret));
        assert!(!verify(&[("a", "b"), ("signature", "no base64!")], &secret));
        let twice = [
            ("a", "b"),
            ("signature", &signature),
            ("signature", &signature),
        ];
        assert!(!verify(&twice, &secret));
    }
}
