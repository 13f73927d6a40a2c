//! Bodies as CloudStack writes them.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

/// Status and body of an answer.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// The name around everything, such as `listusagerecordsresponse`.
    pub(crate) wrapper: String,
    pub(crate) body: Map<String, Value>,
}

/// CloudStack's own error code beside the HTTP status.
const CODE_GENERAL: u32 = 9999;
const CODE_PARAMETER: u32 = 4350;

impl Answer {
    fn error(status: u16, wrapper: String, code: Option<u32>, text: &str) -> Self {
        let mut body = Map::new();
        body.insert("uuidList".to_owned(), json!([]));
        body.insert("errorcode".to_owned(), json!(status));
        if let Some(code) = code {
            body.insert("cserrorcode".to_owned(), json!(code));
        }
        body.insert("errortext".to_owned(), json!(text));
        Self {
            status,
            wrapper,
            body,
        }
    }

    /// 401, as for a wrong key, a wrong signature and a call that does not exist.
    pub(crate) fn unauthorized(wrapper: String) -> Self {
        let text = "unable to verify user credentials and/or request signature";
        Self::error(401, wrapper, None, text)
    }

    /// 432 for a call that the role may not make.
    pub(crate) fn not_permitted(command: &str, account: &str) -> Self {
        let text = format!(
            "The API [{command}] does not exist or is not available for the account {account}."
        );
        Self::error(432, "errorresponse".to_owned(), Some(CODE_GENERAL), &text)
    }

    pub(crate) fn throttled(command: &str, millis: u128) -> Self {
        let text = format!(
            "The given user has reached his/her account api limit, please retry after [{millis}] ms."
        );
        Self::error(429, wrapper(command), Some(CODE_GENERAL), &text)
    }

    pub(crate) fn unavailable(command: &str) -> Self {
        let text = "CloudStack management server is not ready";
        Self::error(503, wrapper(command), Some(CODE_GENERAL), text)
    }

    pub(crate) fn internal(command: &str) -> Self {
        let text = "Internal error executing command, please contact your system administrator";
        Self::error(530, wrapper(command), Some(CODE_GENERAL), text)
    }

    /// 431 found by CloudStack's reading of parameters.
    pub(crate) fn parameter(command: &str, text: &str) -> Self {
        Self::error(431, wrapper(command), Some(CODE_GENERAL), text)
    }

    /// 431 found by the call itself.
    pub(crate) fn value(command: &str, text: &str) -> Self {
        Self::error(431, wrapper(command), Some(CODE_PARAMETER), text)
    }

    pub(crate) fn missing(command: &str, name: &str) -> Self {
        let command_name = command.to_lowercase();
        let text =
            format!("Unable to execute API command {command_name} due to missing parameter {name}");
        Self::parameter(command, &text)
    }

    pub(crate) fn invalid(command: &str, name: &str, value: &str) -> Self {
        let command_name = command.to_lowercase();
        let text = format!(
            "Unable to execute API command {command_name} due to invalid value {value} for parameter {name}"
        );
        Self::parameter(command, &text)
    }

    pub(crate) fn unknown_id(command: &str, name: &str, value: &str) -> Self {
        let command_name = command.to_lowercase();
        let text = format!(
            "Unable to execute API command {command_name} due to invalid value. Invalid parameter {name} value={value} due to incorrect long value format, or entity does not exist or due to incorrect parameter annotation for the field in api cmd class."
        );
        Self::parameter(command, &text)
    }

    /// A page of a list: `count` and entries, an empty object where there are none at all.
    pub(crate) fn page(command: &str, count: usize, name: &str, entries: Vec<Value>) -> Self {
        let mut body = Map::new();
        if count > 0 {
            body.insert("count".to_owned(), json!(count));
        }
        if !entries.is_empty() {
            body.insert(name.to_owned(), Value::Array(entries));
        }
        Self {
            status: 200,
            wrapper: wrapper(command),
            body,
        }
    }

    pub(crate) fn json(&self) -> String {
        let mut whole = Map::new();
        whole.insert(self.wrapper.clone(), Value::Object(self.body.clone()));
        Value::Object(whole).to_string()
    }

    /// The body as CloudStack writes it where `response=json` was not asked for.
    pub(crate) fn xml(&self) -> String {
        let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>");
        let _ = write!(
            text,
            "<{} cloud-stack-version=\"{}\">",
            self.wrapper,
            crate::VERSION
        );
        for (name, value) in &self.body {
            write_xml(&mut text, name, value);
        }
        let _ = write!(text, "</{}>", self.wrapper);
        text
    }
}

fn write_xml(text: &mut String, name: &str, value: &Value) {
    match value {
        Value::Array(values) => values.iter().for_each(|value| write_xml(text, name, value)),
        Value::Object(fields) => {
            let _ = write!(text, "<{name}>");
            for (name, value) in fields {
                write_xml(text, name, value);
            }
            let _ = write!(text, "</{name}>");
        }
        Value::String(value) => {
            let value = value
                .replace('&', "&amp;")
                .replace('<', "&lt;")
                .replace('>', "&gt;");
            let _ = write!(text, "<{name}>{value}</{name}>");
        }
        other => {
            let _ = write!(text, "<{name}>{other}</{name}>");
        }
    }
}

/// The name around an answer: the call in lower case with `response` behind it.
pub(crate) fn wrapper(command: &str) -> String {
    format!("{}response", command.to_lowercase())
}
