//! How a command ends: exit codes, and errors as people read them.

use std::fmt;
use std::io;

use serde_json::Value;

use crate::api::Problem;

/// Exit codes; the table is in `fluxdb --help` and docs/OPERATIONS.md.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Done.
    Ok = 0,
    /// Failed for another reason.
    Failed = 1,
    /// The command or configuration cannot be so.
    Usage = 2,
    /// No such thing.
    NotFound = 3,
    /// Something is in the way.
    Conflict = 4,
    /// Not permitted.
    NotPermitted = 5,
    /// No daemon answers.
    Unreachable = 6,
    /// The operation failed or was cancelled.
    OperationFailed = 7,
    /// Still going on when the time to wait was over.
    TimedOut = 8,
    /// The host has no room.
    NoCapacity = 9,
    /// Not possible now; the same may work later.
    TryLater = 10,
    /// Interrupted.
    Interrupted = 130,
}

impl Exit {
    /// The exit code of an HTTP answer.
    pub fn of_status(status: u16) -> Self {
        match status {
            200..=299 => Self::Ok,
            400 | 413 | 415 | 422 => Self::Usage,
            401 | 403 => Self::NotPermitted,
            404 | 405 => Self::NotFound,
            409 | 412 => Self::Conflict,
            429 | 503 | 504 => Self::TryLater,
            507 => Self::NoCapacity,
            _ => Self::Failed,
        }
    }
}

/// Why a command ends without success.
#[derive(Debug)]
pub struct CliError {
    /// Exit code.
    pub exit: Exit,
    /// What happened.
    pub message: String,
    /// Further lines: places in the request, what to do, request id.
    pub notes: Vec<String>,
    /// What the API answered, for `--json`.
    pub problem: Option<Value>,
}

/// The result of a command.
pub type Result<T = (), E = CliError> = std::result::Result<T, E>;

impl CliError {
    /// An error with this exit code.
    pub fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into(), notes: Vec::new(), problem: None }
    }

    /// Failed for a reason that has no exit code of its own.
    pub fn failed(message: impl Into<String>) -> Self {
        Self::new(Exit::Failed, message)
    }

    /// The command cannot be so.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, message)
    }

    /// Adds a line.
    #[must_use]
    pub fn note(mut self, line: impl Into<String>) -> Self {
        self.notes.push(line.into());
        self
    }

    /// An answer of the API that is not a success.
    pub fn from_answer(status: u16, body: &str) -> Self {
        let value = serde_json::from_str::<Value>(body).ok();
        let problem = value.clone().and_then(|v| serde_json::from_value::<Problem>(v).ok());
        let Some(problem) = problem else {
            let text: String = body.chars().filter(|c| !c.is_control()).take(200).collect();
            return Self::new(Exit::of_status(status), format!("The daemon answered {status}: {text}"))
                .note("That is not an answer of fluxdb; is the address right (--url, FLUXDB_URL)?");
        };
        let mut error = Self::new(Exit::of_status(status), problem.detail.clone());
        let places: Vec<_> = problem.errors.iter().map(|f| format!("{}: {}", flag_of(&f.pointer), f.detail)).collect();
        match places.as_slice() {
            // The detail says the same with pointers; people know the flags.
            [one] if problem.code == "invalid_request" => error.message.clone_from(one),
            several if problem.code == "invalid_request" && !several.is_empty() => {
                error.message = "This cannot be so:".into();
                error.notes = places;
            }
            _ => {}
        }
        if problem.code == "operation_failed" {
            error.exit = Exit::OperationFailed;
        } else if let Some(id) = problem.operation_id {
            error
                .notes
                .push(format!("In the way: fluxdb operations show {id} (wait for it: fluxdb operations follow {id})"));
        }
        if let Some(hint) = hint(&problem.code) {
            error.notes.push(hint.to_owned());
        }
        error.notes.push(format!("code {}, request {}", problem.code, problem.request_id));
        error.problem = value;
        error
    }

    /// The reader of our output is gone; that is no failure of ours.
    pub fn is_broken_pipe(&self) -> bool {
        self.exit == Exit::Ok
    }
}

impl From<io::Error> for CliError {
    fn from(e: io::Error) -> Self {
        if e.kind() == io::ErrorKind::BrokenPipe {
            return Self::new(Exit::Ok, "");
        }
        Self::failed(e.to_string())
    }
}

impl From<crate::domain::Error> for CliError {
    /// For what is done in this process and not by the daemon: whoever runs it is the operator.
    fn from(e: crate::domain::Error) -> Self {
        use crate::domain::ErrorKind as K;
        let exit = match e.kind {
            K::Invalid | K::Malformed | K::Unsupported => Exit::Usage,
            K::Unauthenticated | K::Forbidden => Exit::NotPermitted,
            K::NotFound => Exit::NotFound,
            K::AlreadyExists | K::Conflict | K::PreconditionFailed => Exit::Conflict,
            K::Capacity => Exit::NoCapacity,
            K::TooManyRequests | K::Unavailable | K::Timeout => Exit::TryLater,
            K::Internal => Exit::Failed,
        };
        Self::new(exit, e.public.clone()).note(e.story())
    }
}

impl fmt::Display for CliError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        for note in &self.notes {
            write!(f, "\n  {note}")?;
        }
        Ok(())
    }
}

/// What a pointer into the request is called on the command line.
fn flag_of(pointer: &str) -> String {
    let name = pointer.trim_start_matches(['/', '?']);
    let first = name.split('/').next().unwrap_or_default();
    match first {
        "name" => "NAME".into(),
        "storage_gib" => "--storage".into(),
        "labels" => "--label".into(),
        "deletion_protection" => "--protect".into(),
        "password" => "password (--password-stdin, FLUXDB_NEW_PASSWORD)".into(),
        "permissions" => "--write".into(),
        "projects" => "--only-project".into(),
        "expires_in_days" => "--expires-days".into(),
        "q" => "--query".into(),
        "engine" | "version" | "sku" | "project" | "region" | "database" | "username" | "port" | "state" | "label"
        | "limit" | "format" | "instance" => format!("--{first}"),
        _ => pointer.to_owned(),
    }
}

fn hint(code: &str) -> Option<&'static str> {
    match code {
        "deletion_protected" => Some("Allow it first: fluxdb update NAME --no-protect"),
        "unknown_engine" | "unknown_version" => Some("See: fluxdb engines"),
        "unknown_sku" | "insufficient_capacity" => Some("See: fluxdb skus"),
        "podman_unavailable" | "image_missing" | "image_unavailable" => Some("See: fluxdb doctor"),
        "module_disabled" => Some("Enable it: fluxdb enable"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_status_has_its_exit_code() {
        let table = [
            (202, 0),
            (400, 2),
            (401, 5),
            (403, 5),
            (404, 3),
            (409, 4),
            (412, 4),
            (413, 2),
            (422, 2),
            (429, 10),
            (500, 1),
            (503, 10),
            (507, 9),
        ];
        for (status, exit) in table {
            assert_eq!(Exit::of_status(status) as u8, exit, "{status}");
        }
    }

    #[test]
    fn a_problem_is_told_with_flags_instead_of_pointers() {
        let body = r#"{"type":"/x","title":"Invalid","status":422,"detail":"2 things are wrong.","instance":"/x","code":"invalid_request",
            "request_id":"r1","retryable":false,"errors":[{"pointer":"/storage_gib","detail":"too small"},{"pointer":"/labels/a b","detail":"no spaces"}]}"#;
        let error = CliError::from_answer(422, body);
        assert_eq!(error.exit, Exit::Usage);
        assert_eq!(
            error.to_string(),
            "This cannot be so:\n  --storage: too small\n  --label: no spaces\n  code invalid_request, request r1"
        );
    }

    #[test]
    fn a_conflict_names_the_operation_in_the_way() {
        let body = r#"{"type":"/x","title":"t","status":409,"detail":"Busy.","instance":"/x","code":"operation_in_progress",
            "request_id":"r1","retryable":true,"operation_id":"01920000-0000-7000-8000-000000000001"}"#;
        let text = CliError::from_answer(409, body).to_string();
        assert!(text.contains("fluxdb operations follow 01920000-0000-7000-8000-000000000001"), "{text}");
    }

    #[test]
    fn an_answer_that_is_not_ours_is_told_without_control_characters() {
        let error = CliError::from_answer(502, "<html>\u{1b}[31mbad gateway");
        assert_eq!(error.exit, Exit::Failed);
        assert!(!error.to_string().contains('\u{1b}'));
    }
}
