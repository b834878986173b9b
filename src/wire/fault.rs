//! What can go wrong between us and a server, and the error that people see.

use fluxdb_adapters::{Answer, Call};

use super::Target;
use crate::domain::{Error, ErrorKind, full};

/// How rustls, below every driver, begins to say what is wrong with a certificate.
pub(super) const NOT_TRUSTED: &str = "invalid peer certificate";

/// Why a call was not answered. `String`s are the server's or the driver's words; none repeats what was sent.
#[derive(Debug)]
pub(super) enum Fault {
    /// Nothing listens, the connection broke, or the server is not up yet.
    Unreachable(String),
    /// The password, or the account, is not known.
    LoginRefused(String),
    /// The server refused the call: its code and its words.
    Refused(String, String),
    /// The server, or we, ended what took too long. The session is of no more use.
    TooSlow(String),
    /// A call of another protocol; a defect of an adapter, found by the contract tests.
    WrongProtocol,
}

impl Fault {
    /// The error that people see.
    pub(super) fn at(self, to: &Target) -> Error {
        match self {
            Self::Unreachable(why) if why.contains(NOT_TRUSTED) => Error::unavailable(
                "server_not_trusted",
                format!(
                    "The certificate of the server on {}:{} does not prove that it is the one that was meant.",
                    to.host, to.port
                ),
            )
            .context(why),
            // PostgreSQL lets nobody in when it cannot write a small file; waiting makes no room.
            Self::Unreachable(why) if full::says_so(&why) => Error::new(
                ErrorKind::Conflict,
                "storage_full",
                format!("The server on {}:{} takes no connections. {}", to.host, to.port, full::ADVICE),
            )
            .context(why),
            Self::Unreachable(why) => Error::unavailable(
                "endpoint_unreachable",
                format!("The server does not answer on {}:{}; it may still be starting.", to.host, to.port),
            )
            .context(why),
            Self::LoginRefused(why) => Error::new(
                ErrorKind::Unauthenticated,
                "login_refused",
                format!("The server refused the password of {:?}.", to.account.username),
            )
            .context(why),
            Self::Refused(code, words) => Error::new(
                ErrorKind::Invalid,
                "query_failed",
                full::with_advice(format!("The server refused a statement ({code}): {words}")),
            ),
            Self::TooSlow(why) => Error::new(
                ErrorKind::Timeout,
                "query_timeout",
                format!("The server was busy for too long, and the statement was ended: {why}"),
            ),
            Self::WrongProtocol => Error::internal("a call does not fit the protocol of its engine"),
        }
    }
}

/// An error and its causes, in one line.
pub(super) fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

/// What a call's outcome means: "already so" is an empty answer, "not yet" an unreachable server, and an answer may
/// hold an error.
pub(super) fn judge(call: &Call, outcome: Result<Answer, Fault>) -> Result<Answer, Fault> {
    let outcome = match outcome {
        Ok(answer) => match call.check.and_then(|check| check(&answer)) {
            Some(code) => Err(Fault::Refused(code, answer.text().chars().take(300).collect())),
            None => Ok(answer),
        },
        Err(fault) => Err(fault),
    };
    match outcome {
        Err(Fault::Refused(code, _)) if call.tolerate.contains(&code.as_str()) => Ok(Answer::Rows(Vec::new())),
        Err(Fault::Refused(code, words)) if call.not_yet.contains(&code.as_str()) => {
            Err(Fault::Unreachable(format!("{code}: {words}")))
        }
        other => other,
    }
}
