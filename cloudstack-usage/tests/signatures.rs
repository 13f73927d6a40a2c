//! Signatures that CloudStack accepted, and those of its documentation.

use std::path::{Path, PathBuf};

use cloudstack_usage::{Secret, sign, string_to_sign, verify};
use serde_json::Value;

fn json(path: &Path) -> Option<Value> {
    let text = std::fs::read_to_string(path).ok()?;
    serde_json::from_str(&text).ok()
}

/// Checks a vector: string to sign, signature, and that a server takes it.
fn check(vector: &Value, secret: &Value) {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let secret = Secret::new(text(secret));
    let mut params: Vec<(String, String)> = vector["params"]
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, value)| (name.clone(), text(value)))
        .collect();
    let name = text(&vector["name"]);
    assert!(params.len() > 1, "{name}");
    assert_eq!(
        string_to_sign(&params),
        text(&vector["string_to_sign"]),
        "{name}"
    );
    assert_eq!(sign(&params, &secret), text(&vector["signature"]), "{name}");
    params.push(("signature".to_owned(), text(&vector["signature"])));
    assert!(verify(&params, &secret), "{name}");
    assert!(!verify(&params, &Secret::new("another")), "{name}");
}

#[test]
fn every_request_that_a_server_accepted_is_signed_the_same() {
    let path = "../examples/data/cloudstack-4.23/signatures.json";
    let vectors = json(&Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap();
    let vectors = vectors.as_array().unwrap();
    assert!(!vectors.is_empty());
    for vector in vectors {
        assert_eq!(vector["status_get"], 200);
        check(vector, &vector["secret"]);
    }
}

#[test]
fn vectors_collected_elsewhere_are_signed_the_same() {
    let Some(vectors) = samples().and_then(|dir| json(&dir.join("derived_signature_vectors.json")))
    else {
        println!("skipped: no folder shared/samples/cloudstack beside this repository");
        return;
    };
    let secret = &vectors["secretkey"];
    let vectors = vectors["vectors"].as_array().unwrap();
    assert!(!vectors.is_empty());
    for vector in vectors {
        check(vector, secret);
    }
}

fn samples() -> Option<PathBuf> {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .map(|folder| folder.join("shared/samples/cloudstack"))
        .find(|folder| folder.is_dir())
}
