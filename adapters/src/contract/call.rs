//! What to ask a server, and what it answers. Values only: `fluxdb::wire` carries them out.

use std::borrow::Cow;

use super::Secret;

/// One request to the server, over [`super::Facts::protocol`] (an [`Request::Exec`] runs inside the container whatever that is).
#[derive(Clone, Debug)]
pub struct Call {
    /// What to send.
    pub request: Request,
    /// The inner database (keyspace, index namespace) to send it to; `None` = where the session is.
    pub database: Option<String>,
    /// Error codes (SQLSTATE, MySQL error number, RESP error prefix, HTTP status, ...) that mean "already so".
    pub tolerate: &'static [&'static str],
    /// Error codes that mean "not yet": the server is up but this part of it is not. Tried again like an unreachable server.
    pub not_yet: &'static [&'static str],
    /// Looks at an answer that the protocol calls good, for servers that put errors there; answers the error's code.
    pub check: Option<fn(&Answer) -> Option<String>>,
}

/// What to send. Text is a [`Secret`] because it may carry a password.
#[derive(Clone, Debug)]
pub enum Request {
    /// A statement for a SQL or CQL server. With `params` it is prepared, they are bound (in the driver's own
    /// placeholders: `$1`, `?`, `@P1`), and every column of the answer must be text.
    Sql {
        /// The statement.
        text: Secret,
        /// Bound values.
        params: Vec<Secret>,
    },
    /// A command and its arguments for a RESP server.
    Resp(Vec<Secret>),
    /// A request to an HTTP server.
    Http(Http),
    /// A command document for a MongoDB server, as relaxed extended JSON.
    Mongo(Secret),
    /// A request to a Kafka broker.
    Kafka(Kafka),
    /// A program inside the container.
    Exec(Exec),
}

/// A request to an HTTP server.
#[derive(Clone, Debug)]
pub struct Http {
    /// `GET`, `POST`, ...
    pub method: &'static str,
    /// Path and query, percent-encoded. Never holds a password.
    pub path: String,
    /// Media type of the body.
    pub content_type: &'static str,
    /// Body.
    pub body: Option<Secret>,
    /// Further headers.
    pub headers: Vec<(&'static str, Secret)>,
    /// Sent without the account: for what a server offers to nobody yet (first administrator).
    pub anonymous: bool,
}

/// A program inside the container. No secret in `argv` or `env`: passwords go to `stdin`.
#[derive(Clone, Debug)]
pub struct Exec {
    /// Program and arguments.
    pub argv: Vec<String>,
    /// Additional environment.
    pub env: Vec<(&'static str, String)>,
    /// Whether three lines with the account's name, its password and the database (empty: none) come before `stdin`.
    pub login: bool,
    /// Standard input.
    pub stdin: Secret,
    /// Said on either output stream: the login was refused.
    pub refused_when: &'static str,
}

/// A request to a Kafka broker.
#[derive(Clone, Debug)]
pub enum Kafka {
    /// Names of all topics, a row each.
    Topics,
    /// Makes a topic. Code where it exists: `36`.
    CreateTopic {
        /// Its name.
        name: String,
        /// Partitions.
        partitions: i32,
    },
    /// Removes a topic. Code where there is none: `3`.
    DeleteTopic(String),
    /// Appends one message to partition 0.
    Produce {
        /// Topic.
        topic: String,
        /// Content.
        value: String,
    },
    /// The messages of partition 0 from its beginning, a row each; 1 MiB at most.
    Fetch(String),
    /// Gives a user a SCRAM-SHA-512 password, making the user where there is none.
    PutScram(super::Account),
    /// Takes a user's SCRAM password away. Code where there is none: `91`.
    DropScram(String),
    /// Names of users with a SCRAM password, a row each.
    ScramUsers,
    /// Allows a user something.
    Allow(KafkaAcl),
    /// Takes back everything that a user was allowed.
    DropAcls {
        /// The user.
        username: String,
    },
    /// Configuration of the broker: rows of name and value.
    BrokerConfigs,
    /// Sets a dynamic configuration of the whole cluster.
    SetBrokerConfig {
        /// Name.
        name: String,
        /// Value.
        value: String,
    },
}

/// What a user of a Kafka cluster may do. Numbers are the protocol's.
#[derive(Clone, Debug)]
pub struct KafkaAcl {
    /// The user.
    pub username: String,
    /// 2 topic, 3 group, 4 cluster, 5 transactional id.
    pub resource: i8,
    /// Name, `*` for all.
    pub name: String,
    /// 2 all, 3 read, 4 write, 5 create, 6 delete, 7 alter, 8 describe, 10 describe configs.
    pub operation: i8,
}

/// What the server answered.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// Rows of text; NULL is `None`. SQL, CQL, Kafka.
    Rows(Vec<Vec<Option<String>>>),
    /// RESP, HTTP with a JSON body, MongoDB.
    Json(serde_json::Value),
    /// HTTP with another body, the output of a program.
    Text(String),
}

impl Answer {
    /// The first column of the first row, or the whole text.
    pub fn first(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::Rows(rows) => rows.first()?.first()?.as_deref().map(Cow::Borrowed),
            Self::Json(serde_json::Value::String(text)) => Some(Cow::Borrowed(text)),
            Self::Json(value) => Some(Cow::Owned(value.to_string())),
            Self::Text(text) => Some(Cow::Borrowed(text.trim())),
        }
    }

    /// The rows; none for an answer of another kind.
    pub fn rows(&self) -> &[Vec<Option<String>>] {
        match self {
            Self::Rows(rows) => rows,
            Self::Json(_) | Self::Text(_) => &[],
        }
    }

    /// The first column of every row.
    pub fn column(&self) -> Vec<String> {
        self.rows().iter().filter_map(|r| r.first().cloned().flatten()).collect()
    }

    /// The JSON; null for an answer of another kind.
    pub fn json(&self) -> &serde_json::Value {
        const NULL: &serde_json::Value = &serde_json::Value::Null;
        match self {
            Self::Json(value) => value,
            Self::Rows(_) | Self::Text(_) => NULL,
        }
    }

    /// The value at a JSON pointer as text: strings without quotes.
    pub fn at(&self, pointer: &str) -> Option<String> {
        match self.json().pointer(pointer)? {
            serde_json::Value::Null => None,
            serde_json::Value::String(text) => Some(text.clone()),
            other => Some(other.to_string()),
        }
    }

    /// The text; the JSON as text; rows as tab-separated lines.
    pub fn text(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Json(serde_json::Value::String(text)) => text.clone(),
            Self::Json(value) => value.to_string(),
            Self::Rows(rows) => {
                let line = |r: &Vec<Option<String>>| {
                    r.iter().map(|c| c.as_deref().unwrap_or("")).collect::<Vec<_>>().join("\t")
                };
                rows.iter().map(line).collect::<Vec<_>>().join("\n")
            }
        }
    }
}

impl Call {
    fn of(request: Request) -> Self {
        Self { request, database: None, tolerate: &[], not_yet: &[], check: None }
    }

    /// A statement whose errors all count.
    pub fn sql(text: impl Into<String>) -> Self {
        Self::of(Request::Sql { text: Secret::new(text), params: Vec::new() })
    }

    /// A statement with bound values; every column of its answer must be text.
    pub fn bound(text: impl Into<String>, params: &[&str]) -> Self {
        let params = params.iter().map(|p| Secret::new(*p)).collect();
        Self::of(Request::Sql { text: Secret::new(text), params })
    }

    /// A RESP command whose errors all count.
    pub fn resp(words: &[&str]) -> Self {
        Self::of(Request::Resp(words.iter().map(|w| Secret::new(*w)).collect()))
    }

    /// A GET.
    pub fn get(path: impl Into<String>) -> Self {
        Self::http("GET", path, None)
    }

    /// An HTTP request with a JSON body.
    pub fn json(method: &'static str, path: impl Into<String>, body: &serde_json::Value) -> Self {
        Self::http(method, path, Some(Secret::new(body.to_string())))
    }

    /// An HTTP request; its body, where there is one, is JSON unless [`Call::media`] says otherwise.
    pub fn http(method: &'static str, path: impl Into<String>, body: Option<Secret>) -> Self {
        Self::of(Request::Http(Http {
            method,
            path: path.into(),
            content_type: "application/json",
            body,
            headers: Vec::new(),
            anonymous: false,
        }))
    }

    /// The same HTTP request with a body of this media type.
    pub fn media(mut self, content_type: &'static str) -> Self {
        if let Request::Http(http) = &mut self.request {
            http.content_type = content_type;
        }
        self
    }

    /// The same HTTP request with a further header.
    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        if let Request::Http(http) = &mut self.request {
            http.headers.push((name, Secret::new(value)));
        }
        self
    }

    /// The same HTTP request with a further part of its query.
    pub fn query(mut self, name: &str, value: impl std::fmt::Display) -> Self {
        if let Request::Http(http) = &mut self.request {
            let sign = if http.path.contains('?') { '&' } else { '?' };
            http.path = format!("{}{sign}{name}={value}", http.path);
        }
        self
    }

    /// The same HTTP request, whose body is a JSON object, with a further field.
    pub fn field(mut self, name: &str, value: impl Into<serde_json::Value>) -> Self {
        if let Request::Http(Http { body: Some(body), .. }) = &mut self.request
            && let Ok(serde_json::Value::Object(mut object)) = serde_json::from_str(body.expose())
        {
            object.insert(name.to_owned(), value.into());
            *body = Secret::new(serde_json::Value::Object(object).to_string());
        }
        self
    }

    /// The same HTTP request without the account.
    pub fn anonymously(mut self) -> Self {
        if let Request::Http(http) = &mut self.request {
            http.anonymous = true;
        }
        self
    }

    /// A MongoDB command.
    pub fn mongo(command: &serde_json::Value) -> Self {
        Self::of(Request::Mongo(Secret::new(command.to_string())))
    }

    /// A request to a Kafka broker.
    pub fn kafka(request: Kafka) -> Self {
        Self::of(Request::Kafka(request))
    }

    /// A program inside the container.
    pub fn exec(exec: Exec) -> Self {
        Self::of(Request::Exec(exec))
    }

    /// The same call, sent to this inner database.
    pub fn in_database(mut self, name: impl Into<String>) -> Self {
        self.database = Some(name.into());
        self
    }

    /// The same call, where these error codes mean "already so".
    pub fn tolerating(mut self, codes: &'static [&'static str]) -> Self {
        self.tolerate = codes;
        self
    }

    /// The same call, where these error codes mean "not yet".
    pub fn not_yet(mut self, codes: &'static [&'static str]) -> Self {
        self.not_yet = codes;
        self
    }

    /// The same call, whose answer is looked at for an error.
    pub fn checked(mut self, check: fn(&Answer) -> Option<String>) -> Self {
        self.check = Some(check);
        self
    }
}
