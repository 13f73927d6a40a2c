//! What ends a run: a message for people, with the exit code.

use std::fmt;
use std::path::Path;

use cloudstack_usage::archive::{ArchiveError, ArchiveErrorKind};
use cloudstack_usage::store::{StoreError, StoreErrorKind};
use cloudstack_usage_store::{SyncError, SyncErrorKind};
use rating_engine::RatingError;
use report_export::ExportError;

use crate::exit::Exit;

/// A run that failed. Messages never hold a secret.
#[derive(Debug)]
pub(crate) struct Failure {
    exit: Exit,
    message: String,
}

impl Failure {
    pub(crate) fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self {
            exit,
            message: message.into(),
        }
    }

    /// A file that cannot be read or written.
    pub(crate) fn file(path: &Path, error: &std::io::Error) -> Self {
        Self::new(Exit::Failed, format!("{}: {error}", path.display()))
    }

    /// The reader of our output went away: nobody is left to be told.
    pub(crate) fn broken_pipe() -> Self {
        Self::new(Exit::Success, String::new())
    }

    /// The same naming the endpoint, unless that holds a password.
    #[must_use]
    pub(crate) fn at_endpoint(mut self, endpoint: &str) -> Self {
        if self.exit != Exit::Store && !endpoint.contains('@') {
            self.message = format!("{} (endpoint {endpoint})", self.message);
        }
        self
    }

    pub(crate) fn exit(&self) -> Exit {
        self.exit
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// An error with the causes that its own message does not tell already.
fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        cause = error.source();
    }
    text
}

impl From<cloudstack_usage::Error> for Failure {
    fn from(error: cloudstack_usage::Error) -> Self {
        use cloudstack_usage::ErrorKind;
        let exit = match error.kind() {
            ErrorKind::Configuration | ErrorKind::Unauthorized => Exit::Configuration,
            ErrorKind::Recording | ErrorKind::Sink => Exit::Failed,
            _ => Exit::CloudStack,
        };
        Self::new(exit, with_causes(&error))
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        let exit = match error.kind() {
            // the database is well: what is asked for is elsewhere, or was issued already
            StoreErrorKind::Archived | StoreErrorKind::Final => Exit::Failed,
            _ => Exit::Store,
        };
        Self::new(exit, with_causes(&error))
    }
}

impl From<ArchiveError> for Failure {
    fn from(error: ArchiveError) -> Self {
        let exit = match error.kind() {
            ArchiveErrorKind::Empty | ArchiveErrorKind::Pruned => Exit::Nothing,
            ArchiveErrorKind::Store => Exit::Store,
            _ => Exit::Failed,
        };
        Self::new(exit, with_causes(&error))
    }
}

impl From<SyncError> for Failure {
    fn from(error: SyncError) -> Self {
        // a slug of a source's error is that of its cause
        let exit = match error.kind() {
            SyncErrorKind::Source if ["unauthorized", "configuration"].contains(&error.slug()) => {
                Exit::Configuration
            }
            SyncErrorKind::Source => Exit::CloudStack,
            SyncErrorKind::Store => Exit::Store,
            _ => Exit::Usage,
        };
        Self::new(exit, with_causes(&error))
    }
}

impl From<RatingError> for Failure {
    fn from(error: RatingError) -> Self {
        use rating_engine::RatingErrorKind;
        let exit = match error.kind() {
            RatingErrorKind::AmbiguousScope | RatingErrorKind::Period => Exit::Configuration,
            RatingErrorKind::CorrectionMismatch | RatingErrorKind::NotComparable => Exit::Usage,
            _ => Exit::Failed,
        };
        Self::new(exit, with_causes(&error))
    }
}

impl From<ExportError> for Failure {
    fn from(error: ExportError) -> Self {
        use report_export::ErrorKind;
        let exit = match error.kind() {
            ErrorKind::UnknownName => Exit::Nothing,
            ErrorKind::AmbiguousName | ErrorKind::Options => Exit::Usage,
            _ => Exit::Failed,
        };
        Self::new(exit, with_causes(&error))
    }
}

impl From<csbill_replay::Error> for Failure {
    fn from(error: csbill_replay::Error) -> Self {
        Self::new(Exit::Failed, with_causes(&error))
    }
}
