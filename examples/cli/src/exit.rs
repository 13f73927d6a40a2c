//! Exit codes, for scripts and cron.

use std::process::ExitCode;

/// How a run ended. The codes are documented in `csbill --help`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Everything went well.
    Success,
    /// Something failed that has no code of its own (a file, a full disk, …).
    Failed,
    /// The command line is wrong; clap gives the same code.
    Usage,
    /// Nothing matched.
    Nothing,
    /// A price book, configuration or credential is missing or wrong.
    Configuration,
    /// CloudStack could not be reached, or refused.
    CloudStack,
    /// The database failed.
    Store,
    /// The result was written, but something was rejected, unpriced or held.
    Refused,
}

impl Exit {
    /// The code.
    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Success => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Nothing => 3,
            Self::Configuration => 4,
            Self::CloudStack => 5,
            Self::Store => 6,
            Self::Refused => 7,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// What the codes mean, as the help prints it.
pub(crate) const HELP: &str = "\
Exit codes:
  0  success
  1  failed (a file, a full disk, …)
  2  the command line is wrong
  3  nothing matched
  4  a price book is wrong, or the configuration or a credential is missing or wrong
  5  CloudStack could not be reached, or refused
  6  the database failed
  7  the result was written, but something was rejected, unpriced or held";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn help_and_readme_say_the_same_of_every_code() {
        let exits = [
            Exit::Success,
            Exit::Failed,
            Exit::Usage,
            Exit::Nothing,
            Exit::Configuration,
            Exit::CloudStack,
            Exit::Store,
            Exit::Refused,
        ];
        let readme = include_str!("../README.md");
        for (number, exit) in (0..).zip(exits) {
            assert_eq!(exit.code(), number);
            let start = format!("  {number}  ");
            let line = HELP.lines().find_map(|line| line.strip_prefix(&start));
            let meaning = line.expect("every code is in the help");
            let meaning = meaning.replace(
                "failed (a file, a full disk, …)",
                "failed: a file, a full disk, …",
            );
            assert!(
                readme.contains(&format!("| {number} | {meaning} |")),
                "{meaning}"
            );
        }
    }
}
