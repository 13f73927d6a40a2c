//! Everything that runs left behind, to look for secrets in it.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use aho_corasick::AhoCorasick;
use csbill_replay::ReplayServer;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use crate::support::{Said, run};

/// What was printed, logged, stored and served.
#[derive(Default)]
pub(crate) struct Evidence {
    texts: Vec<(String, Vec<u8>)>,
}

impl Evidence {
    /// Runs a command with the most talkative logs there are, and keeps what it says.
    pub(crate) fn run(&mut self, what: &str, command: &mut Command) -> Said {
        let said = run(command.env("CSBILL_LOG", "trace"));
        self.add(&format!("standard output of {what}"), &said.out);
        self.add(&format!("standard error of {what}"), &said.err);
        said
    }

    pub(crate) fn add(&mut self, what: &str, text: impl AsRef<[u8]>) {
        self.texts.push((what.to_owned(), text.as_ref().to_vec()));
    }

    /// Every file below a folder as it lies there.
    pub(crate) fn add_folder(&mut self, folder: &Path) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                self.add_folder(&path);
            } else if path.is_file() {
                let bytes = std::fs::read(&path).unwrap();
                self.add(&format!("file {}", path.display()), bytes);
            }
        }
    }

    /// Whether a text is anywhere.
    pub(crate) fn has(&self, text: &str) -> bool {
        let finder = AhoCorasick::new([text]).unwrap();
        self.texts.iter().any(|(_, bytes)| finder.is_match(bytes))
    }

    /// Fails where a secret is found.
    pub(crate) fn holds_none_of(&self, secrets: &[String]) {
        assert!(!secrets.is_empty() && !self.texts.is_empty());
        if let Some(found) = self.find(secrets) {
            panic!("{found}");
        }
    }

    /// Where a secret is found, as it is or as URLs, forms, JSON and `Debug` write it.
    pub(crate) fn find(&self, secrets: &[String]) -> Option<String> {
        let forms = secrets.iter().flat_map(|secret| {
            assert!(
                secret.len() >= 8,
                "too short to be told from chance: {secret}"
            );
            let encoded = utf8_percent_encode(secret, NON_ALPHANUMERIC).to_string();
            let lower = encoded.to_lowercase();
            let plus = encoded.replace("%20", "+");
            let quoted = format!("{secret:?}").trim_matches('"').to_owned();
            [secret.clone(), encoded, lower, plus, quoted]
        });
        let forms: BTreeSet<String> = forms.collect();
        let finder = AhoCorasick::new(&forms).unwrap();
        self.texts.iter().find_map(|(what, bytes)| {
            let found = finder.find(bytes)?;
            let form = forms.iter().nth(found.pattern().as_usize());
            Some(format!("{} is in {what}", form.unwrap()))
        })
    }
}

/// Key, secret and every signature of a server.
pub(crate) fn secrets_of(server: &ReplayServer) -> Vec<String> {
    let mut secrets = vec![server.key().to_owned(), server.secret().to_owned()];
    secrets.extend(server.signatures());
    secrets
}
