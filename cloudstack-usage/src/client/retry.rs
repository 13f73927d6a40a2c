//! Whether to send a request again, and when.

use std::time::Duration;

use backon::{BackoffBuilder as _, ExponentialBackoff, ExponentialBuilder};

use super::options::ClientOptions;
use crate::error::{Error, ErrorKind};
use crate::wire::{Answer, Refusal};

/// What came back from one sending.
pub(super) enum Reply {
    /// An HTTP answer.
    Http { status: u16, body: Vec<u8> },
    /// None: connection refused or cut, time out, …
    Failed(Error),
}

/// What to do about it.
pub(super) enum Verdict {
    /// It is an answer.
    Answer(Answer),
    /// Send it again after this time.
    Again(Duration),
    /// It is final.
    Failed(Failure),
}

/// Why a call failed for good.
pub(super) struct Failure {
    pub(super) error: Error,
    /// What CloudStack said, if it did.
    pub(super) refusal: Option<Refusal>,
}

impl Failure {
    /// The largest page that the server gives, if the size of the page was the reason.
    pub(super) fn max_page_size(&self) -> Option<u32> {
        match &self.refusal {
            Some(refusal) if refusal.kind() == ErrorKind::Parameter => refusal.max_page_size(),
            _ => None,
        }
    }
}

/// The attempts of one call.
pub(super) struct Attempts {
    label: String,
    delays: ExponentialBackoff,
    longest: Duration,
}

impl Attempts {
    /// The attempts of the call that `label` describes.
    pub(super) fn new(label: String, options: &ClientOptions) -> Self {
        let again = options.max_attempts.saturating_sub(1);
        let delays = ExponentialBuilder::new()
            .with_min_delay(options.min_delay)
            .with_max_delay(options.max_delay)
            .with_max_times(usize::try_from(again).unwrap_or(usize::MAX))
            .build();
        Self {
            label,
            delays,
            longest: options.max_delay,
        }
    }

    /// Judges what came back.
    pub(super) fn judge(&mut self, reply: Reply) -> Verdict {
        let (status, body) = match reply {
            Reply::Http { status, body } => (status, body),
            Reply::Failed(error) => return self.again_or(None, error, None),
        };
        if let Some(refusal) = Answer::refusal(&body).or_else(|| refused_without_words(status)) {
            let wait = refusal.retry_after_millis().map(Duration::from_millis);
            let error = refusal.clone().into_error(&self.label);
            return self.again_or(wait, error, Some(refusal));
        }
        if (300..400).contains(&status) {
            let message = format!(
                "{}: the endpoint redirects ({status}); give its final address, which ends in /client/api",
                self.label
            );
            return Verdict::Failed(Failure {
                error: Error::new(ErrorKind::Configuration, message),
                refusal: None,
            });
        }
        match Answer::received(&self.label, &body) {
            Ok(answer) => Verdict::Answer(answer),
            Err(error) => self.again_or(None, error, None),
        }
    }

    fn again_or(
        &mut self,
        wait: Option<Duration>,
        error: Error,
        refusal: Option<Refusal>,
    ) -> Verdict {
        let worth_it = error.is_retryable() || error.kind() == ErrorKind::Malformed;
        let delay = if worth_it { self.delays.next() } else { None };
        match (delay, wait.filter(|_| error.kind() == ErrorKind::Throttled)) {
            (Some(_), Some(wait)) if wait <= self.longest => Verdict::Again(wait),
            (Some(delay), None) => Verdict::Again(delay),
            _ => Verdict::Failed(Failure { error, refusal }),
        }
    }
}

/// The refusal of a proxy, or of a server that says nothing else.
fn refused_without_words(status: u16) -> Option<Refusal> {
    (status >= 400).then(|| Refusal {
        code: status,
        cs_code: None,
        text: "no words of CloudStack's".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attempts(max: u32) -> Attempts {
        let options = ClientOptions {
            max_attempts: max,
            min_delay: Duration::from_secs(1),
            max_delay: Duration::from_secs(30),
            ..ClientOptions::default()
        };
        Attempts::new("listZones".to_owned(), &options)
    }

    fn http(status: u16, body: &str) -> Reply {
        Reply::Http {
            status,
            body: body.as_bytes().to_vec(),
        }
    }

    fn throttled(millis: u64) -> Reply {
        http(
            429,
            &format!(
                r#"{{"r":{{"errorcode":429,"errortext":"please retry after [{millis}] ms."}}}}"#
            ),
        )
    }

    fn delay(verdict: &Verdict) -> Option<Duration> {
        match verdict {
            Verdict::Again(delay) => Some(*delay),
            _ => None,
        }
    }

    fn failed(verdict: &Verdict) -> Option<ErrorKind> {
        match verdict {
            Verdict::Failed(failure) => Some(failure.error.kind()),
            _ => None,
        }
    }

    #[test]
    fn a_throttled_call_waits_as_long_as_it_is_told() {
        let mut attempts = attempts(3);
        assert_eq!(
            delay(&attempts.judge(throttled(640))),
            Some(Duration::from_millis(640))
        );
        assert_eq!(
            delay(&attempts.judge(throttled(7))),
            Some(Duration::from_millis(7))
        );
        assert_eq!(
            failed(&attempts.judge(throttled(7))),
            Some(ErrorKind::Throttled)
        );
    }

    #[test]
    fn a_wait_beyond_the_longest_ends_the_call() {
        assert_eq!(
            failed(&attempts(3).judge(throttled(31_000))),
            Some(ErrorKind::Throttled)
        );
    }

    #[test]
    fn what_may_pass_is_tried_again_with_growing_delays() {
        let mut attempts = attempts(6);
        let replies = [
            http(503, "<html>"),
            http(200, "<html>"),
            http(200, r#"{"listzonesresponse":{"count":1"#),
            Reply::Failed(Error::new(ErrorKind::Transport, "reset")),
            http(534, ""),
        ];
        let delays: Vec<_> = replies
            .into_iter()
            .map(|reply| delay(&attempts.judge(reply)).unwrap().as_secs())
            .collect();
        assert_eq!(delays, [1, 2, 4, 8, 16]);
        assert_eq!(
            failed(&attempts.judge(http(504, ""))),
            Some(ErrorKind::Unavailable)
        );
    }

    #[test]
    fn what_will_not_pass_is_final_at_once() {
        for (status, kind) in [
            (400, ErrorKind::Refused),
            (401, ErrorKind::Unauthorized),
            (431, ErrorKind::Parameter),
            (432, ErrorKind::NotPermitted),
            (530, ErrorKind::Internal),
            (302, ErrorKind::Configuration),
        ] {
            assert_eq!(
                failed(&attempts(6).judge(http(status, ""))),
                Some(kind),
                "{status}"
            );
        }
    }

    #[test]
    fn the_words_of_cloudstack_count_whatever_the_status() {
        let reply = http(
            200,
            r#"{"null":{"errorcode":401,"errortext":"unable to verify"}}"#,
        );
        assert_eq!(
            failed(&attempts(6).judge(reply)),
            Some(ErrorKind::Unauthorized)
        );
        let answer = attempts(1).judge(http(200, r#"{"listzonesresponse":{}}"#));
        assert!(matches!(answer, Verdict::Answer(_)));
    }
}
