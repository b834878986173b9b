//! The one error type: what the caller may read, what the operator reads, and whether trying again can help.

use std::fmt;

/// What went wrong, in kinds that the edges map to HTTP and exit codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// The request says something impossible (422, or 400 when it cannot be read at all).
    Invalid,
    /// The request cannot be parsed (400).
    Malformed,
    /// Nobody is known by that token (401).
    Unauthenticated,
    /// Known, but not allowed (403).
    Forbidden,
    /// Too many failed tries (429).
    TooManyRequests,
    /// No such thing, or not visible to the caller (404).
    NotFound,
    /// The name is taken (409).
    AlreadyExists,
    /// Something else is in the way (409).
    Conflict,
    /// The state it was read in has changed since (412).
    PreconditionFailed,
    /// This engine or host cannot do it (422).
    Unsupported,
    /// The host has no room for it (507).
    Capacity,
    /// A part that we need does not answer now (503); trying again helps.
    Unavailable,
    /// It took longer than it may (504 inside operations; never an answer to a request).
    Timeout,
    /// A defect of ours (500).
    Internal,
}

/// A place in the request and what is wrong there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldError {
    /// JSON pointer into the body, or `?name` for a query parameter.
    pub pointer: String,
    /// A sentence for the caller.
    pub detail: String,
}

/// An error with two texts: `public` for the caller, `context` and `source` for the operator's log.
pub struct Error {
    /// The kind; decides the status.
    pub kind: ErrorKind,
    /// Stable slug for programs, documented in docs/OPERATIONS.md.
    pub code: &'static str,
    /// What the caller reads: what happened and what to do.
    pub public: String,
    /// Places in the request.
    pub fields: Vec<FieldError>,
    /// The operation in the way (conflicts).
    pub operation: Option<super::OperationId>,
    /// Seconds after which trying again makes sense.
    pub retry_after_secs: Option<u32>,
    /// For the operator only.
    pub context: Vec<String>,
    /// The cause, for the operator only.
    pub source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// The result of everything above the adapters.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An error of this kind, with the text that the caller reads.
    pub fn new(kind: ErrorKind, code: &'static str, public: impl Into<String>) -> Self {
        Self {
            kind,
            code,
            public: public.into(),
            fields: Vec::new(),
            operation: None,
            retry_after_secs: None,
            context: Vec::new(),
            source: None,
        }
    }

    /// A field that cannot be so.
    pub fn invalid(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        let (pointer, detail) = (pointer.into(), detail.into());
        let mut error = Self::new(ErrorKind::Invalid, "invalid_request", format!("{pointer}: {detail}"));
        error.fields.push(FieldError { pointer, detail });
        error
    }

    /// No such thing.
    pub fn not_found(what: &str) -> Self {
        Self::new(ErrorKind::NotFound, "not_found", format!("There is no such {what}."))
    }

    /// A defect of ours; the caller learns nothing but that.
    pub fn internal(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::new(ErrorKind::Internal, "internal", "An internal error occurred; the daemon's log says more.")
            .caused_by(source)
    }

    /// A part that we need does not answer now.
    pub fn unavailable(code: &'static str, public: impl Into<String>) -> Self {
        let mut error = Self::new(ErrorKind::Unavailable, code, public);
        error.retry_after_secs = Some(5);
        error
    }

    /// Something else is in the way.
    pub fn conflict(code: &'static str, public: impl Into<String>) -> Self {
        Self::new(ErrorKind::Conflict, code, public)
    }

    /// Adds the cause.
    #[must_use]
    pub fn caused_by(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Adds a line for the operator.
    #[must_use]
    pub fn context(mut self, line: impl Into<String>) -> Self {
        self.context.push(line.into());
        self
    }

    /// Adds the operation that is in the way.
    #[must_use]
    pub fn blocked_by(mut self, operation: super::OperationId) -> Self {
        self.operation = Some(operation);
        self
    }

    /// Whether the same request may succeed later without any change.
    pub fn retryable(&self) -> bool {
        match self.kind {
            ErrorKind::Unavailable | ErrorKind::TooManyRequests | ErrorKind::Timeout => true,
            ErrorKind::Conflict => self.operation.is_some(),
            ErrorKind::Invalid
            | ErrorKind::Malformed
            | ErrorKind::Unauthenticated
            | ErrorKind::Forbidden
            | ErrorKind::NotFound
            | ErrorKind::AlreadyExists
            | ErrorKind::PreconditionFailed
            | ErrorKind::Unsupported
            | ErrorKind::Capacity
            | ErrorKind::Internal => false,
        }
    }

    /// Everything, for the operator's log: code, text, context, causes.
    pub fn story(&self) -> String {
        let mut out = format!("{}: {}", self.code, self.public);
        for line in &self.context {
            out.push_str("; ");
            out.push_str(line);
        }
        let mut cause = self.source.as_deref().map(|s| s as &dyn std::error::Error);
        while let Some(error) = cause {
            out.push_str("; caused by: ");
            out.push_str(&error.to_string());
            cause = error.source();
        }
        out
    }
}

impl fmt::Display for Error {
    /// The public text only; [`Error::story`] has the rest.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.public)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {}", self.kind, self.story())
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|s| s as _)
    }
}
