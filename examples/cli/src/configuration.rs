//! Endpoint and credentials: flags, then environment, then the files that `cs` reads.

use std::fmt;
use std::path::{Path, PathBuf};

use clap::Args;
use ini::{Ini, ParseOption};

use crate::exit::Exit;
use crate::failure::Failure;

/// A text that is never printed.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Secret(String);

impl Secret {
    /// The text itself, to sign with.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(hidden)")
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

/// How requests are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Method {
    /// Parameters in the URL.
    Get,
    /// Parameters as a form: keeps keys out of access logs.
    Post,
}

/// Where CloudStack is, and how to sign. Each value is taken from its flag, else from the
/// environment, else from the first section found in the file of `CLOUDSTACK_CONFIG`,
/// `./cloudstack.ini`, `~/.cloudstack.ini`.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "CloudStack")]
pub(crate) struct ConnectionArgs {
    /// The API's URL, such as `https://cloud.example.com/client/api`.
    #[arg(long, env = "CLOUDSTACK_ENDPOINT", value_name = "URL")]
    endpoint: Option<String>,
    /// The API key.
    #[arg(long, env = "CLOUDSTACK_KEY", hide_env_values = true, value_parser = secret)]
    key: Option<Secret>,
    /// The secret key; better given by the environment or a file, since other users of the
    /// machine can see flags.
    #[arg(long, env = "CLOUDSTACK_SECRET", hide_env_values = true, value_parser = secret)]
    secret: Option<Secret>,
    /// GET or POST [default: post].
    #[arg(long, env = "CLOUDSTACK_METHOD", ignore_case = true)]
    method: Option<Method>,
    /// Seconds to wait for an answer [default: 60].
    #[arg(long, env = "CLOUDSTACK_TIMEOUT", value_name = "SECONDS")]
    timeout: Option<u64>,
    /// The section of the configuration files [default: cloudstack].
    #[arg(long, env = "CLOUDSTACK_REGION", value_name = "NAME")]
    profile: Option<String>,
    /// A configuration file to read before the usual ones.
    #[arg(long, env = "CLOUDSTACK_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
}

#[expect(
    clippy::unnecessary_wraps,
    reason = "clap wants a parser that may fail"
)]
pub(crate) fn secret(text: &str) -> Result<Secret, String> {
    Ok(Secret::from(text))
}

/// A connection with nothing left to look up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Connection {
    pub(crate) endpoint: String,
    pub(crate) key: Secret,
    pub(crate) secret: Secret,
    pub(crate) method: Method,
    pub(crate) timeout_seconds: u64,
}

/// Seconds to wait for an answer; a page of 500 records takes some two.
const TIMEOUT_SECONDS: u64 = 60;

/// The section that `cs` reads without `CLOUDSTACK_REGION`.
const SECTION: &str = "cloudstack";

impl ConnectionArgs {
    /// Looks up what was not given.
    ///
    /// # Errors
    /// When a file cannot be read, the section asked for is in none of them, or endpoint, key
    /// or secret are nowhere.
    pub(crate) fn resolve(&self) -> Result<Connection, Failure> {
        self.resolve_with(&usual_files())
    }

    fn resolve_with(&self, usual: &[PathBuf]) -> Result<Connection, Failure> {
        let sections = self.sections(usual)?;
        let text = |flag: Option<&str>, name: &str| {
            flag.map(str::to_owned)
                .or_else(|| sections.iter().find_map(|section| section.get(name)))
                .filter(|text| !text.is_empty())
        };
        let needed = |flag: Option<&str>, name: &str| {
            text(flag, name).ok_or_else(|| {
                let message = format!(
                    "no {name} of CloudStack; give --{name}, CLOUDSTACK_{} or a file \
                     ~/.cloudstack.ini with `{name} = …` in section [{}]",
                    name.to_uppercase(),
                    self.section_name(),
                );
                Failure::new(Exit::Configuration, message)
            })
        };
        let endpoint = needed(self.endpoint.as_deref(), "endpoint")?;
        let key = needed(self.key.as_ref().map(Secret::expose), "key")?;
        let secret = needed(self.secret.as_ref().map(Secret::expose), "secret")?;
        let method = match (self.method, text(None, "method")) {
            (Some(method), _) => method,
            (None, None) => Method::Post,
            (None, Some(text)) => <Method as clap::ValueEnum>::from_str(&text, true)
                .map_err(|_| wrong("method", "get or post"))?,
        };
        let timeout_seconds = match (self.timeout, text(None, "timeout")) {
            (Some(seconds), _) => seconds,
            (None, None) => TIMEOUT_SECONDS,
            (None, Some(text)) => text
                .parse()
                .map_err(|_| wrong("timeout", "a whole number of seconds"))?,
        };
        Ok(Connection {
            endpoint,
            key: Secret(key),
            secret: Secret(secret),
            method,
            timeout_seconds,
        })
    }

    fn section_name(&self) -> &str {
        self.profile.as_deref().unwrap_or(SECTION)
    }

    /// A setting of the configuration files alone, such as a password of a database.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub(crate) fn setting(&self, name: &str) -> Result<Option<String>, Failure> {
        let (sections, _) = self.read_sections(&usual_files())?;
        let found = sections.iter().find_map(|section| section.get(name));
        Ok(found.filter(|text| !text.is_empty()))
    }

    /// The same arguments where the command has no flags for them.
    pub(crate) fn of_environment() -> Self {
        Self {
            endpoint: None,
            key: None,
            secret: None,
            method: None,
            timeout: None,
            profile: std::env::var("CLOUDSTACK_REGION").ok(),
            config: std::env::var_os("CLOUDSTACK_CONFIG").map(PathBuf::from),
        }
    }

    /// The section of each file that has it, the most important first; and whether there was
    /// any file.
    fn read_sections(&self, usual: &[PathBuf]) -> Result<(Vec<Section>, bool), Failure> {
        let mut sections = Vec::new();
        let named = self.config.iter().map(|path| (path, true));
        let mut read_any = false;
        for (path, must) in named.chain(usual.iter().map(|path| (path, false))) {
            if !must && !path.is_file() {
                continue;
            }
            read_any = true;
            sections.extend(Section::read(path, self.section_name())?);
        }
        Ok((sections, read_any))
    }

    /// The same, where a section that was asked for must be there.
    fn sections(&self, usual: &[PathBuf]) -> Result<Vec<Section>, Failure> {
        let (sections, read_any) = self.read_sections(usual)?;
        // a section asked for by name that is nowhere is a slip of the pen
        if let (Some(name), true) = (&self.profile, sections.is_empty()) {
            let complete = self.endpoint.is_some() && self.key.is_some() && self.secret.is_some();
            if !complete {
                let message = if read_any {
                    format!("no section [{name}] in the configuration files")
                } else {
                    format!("no configuration file to read section [{name}] from")
                };
                return Err(Failure::new(Exit::Configuration, message));
            }
        }
        Ok(sections)
    }
}

/// The files that `cs` reads.
fn usual_files() -> Vec<PathBuf> {
    let home = std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cloudstack.ini"));
    let files = [Some(PathBuf::from("cloudstack.ini")), home];
    files.into_iter().flatten().collect()
}

fn wrong(name: &str, wanted: &str) -> Failure {
    let message = format!("{name} in the configuration file: {wanted} is wanted");
    Failure::new(Exit::Configuration, message)
}

/// A section of an INI file; names count in any case, as in Python's reader.
struct Section(Vec<(String, String)>);

impl Section {
    fn read(path: &Path, name: &str) -> Result<Option<Self>, Failure> {
        // secrets are taken as they stand: no quotes, no escapes
        let options = ParseOption {
            enabled_quote: false,
            enabled_escape: false,
            ..ParseOption::default()
        };
        let file = Ini::load_from_file_opt(path, options).map_err(|error| {
            Failure::new(Exit::Configuration, format!("{}: {error}", path.display()))
        })?;
        Ok(file.section(Some(name)).map(|section| {
            let pairs = section.iter();
            Self(
                pairs
                    .map(|(name, value)| (name.to_lowercase(), value.trim().to_owned()))
                    .collect(),
            )
        }))
    }

    fn get(&self, name: &str) -> Option<String> {
        let pair = self.0.iter().find(|(key, _)| key == name);
        pair.map(|(_, value)| value.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arguments() -> ConnectionArgs {
        ConnectionArgs {
            endpoint: None,
            key: None,
            secret: None,
            method: None,
            timeout: None,
            profile: None,
            config: None,
        }
    }

    fn file(folder: &tempfile::TempDir, name: &str, text: &str) -> PathBuf {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    #[test]
    fn flags_win_over_the_nearer_file_and_that_over_the_farther() {
        let folder = tempfile::tempdir().unwrap();
        let near = file(
            &folder,
            "near.ini",
            "[cloudstack]\nendpoint = http://near\nSecret = a\\b'c=d\n",
        );
        let far = file(
            &folder,
            "far.ini",
            "[cloudstack]\nendpoint = http://far\nkey = far-key\nsecret = x\nmethod = get\n[other]\nkey = other\n",
        );
        let files = [near, far];
        let found = arguments().resolve_with(&files).unwrap();
        assert_eq!(found.endpoint, "http://near");
        assert_eq!(found.key.expose(), "far-key");
        assert_eq!(found.secret.expose(), "a\\b'c=d");
        assert_eq!(found.method, Method::Get);
        assert_eq!(found.timeout_seconds, TIMEOUT_SECONDS);
        let flags = ConnectionArgs {
            endpoint: Some("http://flag".to_owned()),
            method: Some(Method::Post),
            ..arguments()
        };
        let found = flags.resolve_with(&files).unwrap();
        assert_eq!(
            (found.endpoint.as_str(), found.method),
            ("http://flag", Method::Post)
        );
    }

    #[test]
    fn what_is_missing_is_named() {
        let failure = arguments().resolve_with(&[]).unwrap_err();
        assert_eq!(failure.exit(), Exit::Configuration);
        assert!(failure.to_string().contains("CLOUDSTACK_ENDPOINT"));
        let folder = tempfile::tempdir().unwrap();
        let files = [file(&folder, "c.ini", "[cloudstack]\nkey = k\n")];
        let profile = ConnectionArgs {
            profile: Some("exoscale".to_owned()),
            ..arguments()
        };
        let failure = profile.resolve_with(&files).unwrap_err();
        assert!(failure.to_string().contains("[exoscale]"), "{failure}");
        let config = ConnectionArgs {
            config: Some(folder.path().join("missing.ini")),
            ..arguments()
        };
        let failure = config.resolve_with(&files).unwrap_err();
        assert!(failure.to_string().contains("missing.ini"), "{failure}");
    }

    #[test]
    fn a_secret_is_never_printed() {
        let connection = Connection {
            endpoint: "http://e".to_owned(),
            key: Secret::from("the-key"),
            secret: Secret::from("the-secret"),
            method: Method::Get,
            timeout_seconds: 1,
        };
        let text = format!("{connection:?}");
        assert!(
            !text.contains("the-key") && !text.contains("the-secret"),
            "{text}"
        );
    }
}
