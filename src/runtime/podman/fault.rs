//! What the Podman service answered when it did not do as asked, from either client, and what that means.

use std::time::Duration;

use crate::domain::Error;
use crate::runtime::errors;

/// A call that did not end well.
#[derive(Debug)]
pub(super) enum Fault {
    /// The socket does not answer, or the answer was cut.
    Unavailable(String),
    /// No answer in time.
    TimedOut(&'static str, Duration),
    /// Podman refused. The status is not reliable; the words are (cause and message, joined).
    Refused(u16, String),
    /// The answer cannot be understood.
    Garbled(String),
    /// A program says more than we take in.
    TooLong,
}

impl Fault {
    /// Whether Podman refused in these words.
    pub(super) fn says(&self, words: &str) -> bool {
        matches!(self, Self::Refused(_, text) if text.contains(words))
    }

    /// Already started, already stopped.
    pub(super) fn not_modified(&self) -> bool {
        matches!(self, Self::Refused(304, _))
    }

    /// Podman's words, for contexts.
    pub(super) fn text(&self) -> String {
        match self {
            Self::Unavailable(why) | Self::Garbled(why) => why.clone(),
            Self::TimedOut(call, after) => format!("{call} was not answered within {} s", after.as_secs()),
            Self::Refused(status, text) => format!("{status}: {text}"),
            Self::TooLong => "the output is too long".into(),
        }
    }
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Unavailable(why) => errors::unavailable(why),
            Fault::TimedOut(call, after) => errors::timed_out(call, after),
            Fault::Refused(status, text) => Error::internal(format!("Podman answered {status}: {text}")),
            Fault::Garbled(text) => Error::internal(format!("Podman's answer makes no sense: {text}")),
            Fault::TooLong => Error::internal("an output is too long"),
        }
    }
}

impl From<podman_api::Error> for Fault {
    /// Converted at once, by value: cloning that error never returns (see clippy.toml).
    fn from(error: podman_api::Error) -> Self {
        use podman_api::Error as E;
        match error {
            E::Fault { code, message } => Self::Refused(code.as_u16(), message),
            E::Error(inner) => Self::from_text(with_causes(&inner)),
            E::IO(inner) => Self::from_text(with_causes(&inner)),
            other => Self::Garbled(other.to_string()),
        }
    }
}

impl Fault {
    /// Streams of the crate wrap a refusal into an I/O error, of which the words are left: `error 404 Not Found - ...`.
    fn from_text(text: String) -> Self {
        let status = text.strip_prefix("error ").and_then(|rest| rest.get(..3)).and_then(|code| code.parse().ok());
        match status {
            Some(status) => Self::Refused(status, text),
            None => Self::Unavailable(text),
        }
    }
}

fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

/// Bounds a call of the crate and converts its error.
pub(super) async fn bounded<T>(
    call: &'static str,
    limit: Duration,
    future: impl Future<Output = podman_api::Result<T>>,
) -> Result<T, Fault> {
    match tokio::time::timeout(limit, future).await {
        Ok(answer) => answer.map_err(Fault::from),
        Err(_) => Err(Fault::TimedOut(call, limit)),
    }
}
