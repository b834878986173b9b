//! The shape that every engine adapter has: a table of facts, a few required functions, optional abilities.

mod abilities;
mod call;
mod connect;
mod facts;
mod instance;
mod secret;
mod seed;
mod settings;
mod takes;
mod tenant;

pub use abilities::{Databases, Marker, Metric, Metrics, Proof, Role, Tuned, Users};
pub use call::{Answer, Call, Exec, Http, Kafka, KafkaAcl, Request};
pub use connect::{Endpoint, NameKind, Shell, UriFormat};
pub use facts::{Category, Facts, Floor, HttpAuth, LocalImage, Port, Protocol, Stop, Template, Tmpfs, User, Version};
pub use instance::{Account, Advertised, ConfigTest, Cx, FILES_DIR, File, Launch, SYSTEM_PASSWORD_FILE, Size};
pub use secret::Secret;
pub use seed::{DataFiles, Seed};
pub use settings::{Apply, Kind, Setting, Settings};
pub use takes::{Beside, Factor, How, Takes, What};
pub use tenant::{Attack, OpenPath, PasswordFile, Repair};

use std::time::Duration;

use crate::render;

/// One engine.
pub trait Engine: Sync + Send {
    /// The table of facts.
    fn facts(&self) -> &'static Facts;

    /// Values for the templates, for this size.
    fn tuning(&self, cx: &Cx) -> minijinja::Value;

    /// How the server is started. Rendered files come with it.
    ///
    /// # Errors
    /// A template that names what `tuning` does not give; a defect, found by the contract tests.
    fn launch(&self, cx: &Cx) -> Result<Launch, render::RenderError>;

    /// The cheapest query that proves an authenticated session; its answer does not matter.
    fn ping(&self) -> Call;

    /// The account that a freshly initialised server has, where it cannot be given the system account's password at its
    /// first start (Cassandra: `cassandra`/`cassandra`). [`Engine::claim`] runs as it.
    fn first_login(&self) -> Option<Account> {
        None
    }

    /// The same call, told to the server to end it after this time. Only for what travels with each call (HTTP): sessions of
    /// PostgreSQL's, MySQL's, SQL Server's and MongoDB's protocols carry their limits themselves.
    fn bounded(&self, call: Call, _limit: Duration) -> Call {
        call
    }

    /// Gives the server the system account of this instance. Run as [`Engine::first_login`], or on a copy of a
    /// template as the system account with the template's password.
    fn claim(&self, cx: &Cx) -> Vec<Call> {
        self.set_password(&cx.system)
    }

    /// Brings a freshly initialised or freshly copied server to what the user asked for: account and database.
    /// Run as the system account; every call may be run again.
    fn provision(&self, cx: &Cx) -> Vec<Call>;

    /// Gives the account the new password. Run as the system account. Empty where passwords stand in the rendered
    /// files alone: then it counts after a restart.
    fn set_password(&self, account: &Account) -> Vec<Call>;

    /// How clients connect, in the asked spelling; `None` where the engine has no such spelling.
    fn connection_string(&self, format: UriFormat, to: &Endpoint<'_>) -> Option<Secret>;

    /// The engine's own shell.
    fn shell(&self, username: &str, database: Option<&str>) -> Shell;

    /// Says what is wrong with a name, by the engine's own rules.
    ///
    /// # Errors
    /// A sentence for the user.
    fn check_name(&self, kind: NameKind, name: &str) -> Result<(), String>;

    /// Connections that this size allows; what the rendered configuration says.
    fn max_connections(&self, size: &Size) -> u32;

    /// `/dev/shm` in MiB for this size and these settings; what is in it counts against the instance's memory.
    fn shm_mib(&self, _cx: &Cx) -> u32 {
        self.facts().shm_mib
    }

    /// Writes and reads something that must survive a restart. `value` is a plain word.
    fn marker(&self, cx: &Cx, value: &str) -> Marker;

    /// What the SKU promises and the running server can be asked about. Empty where it cannot.
    fn tuned(&self, _cx: &Cx) -> Vec<Tuned> {
        Vec::new()
    }

    /// Present when the server can check its configuration without starting.
    fn config_test(&self, _cx: &Cx) -> Option<ConfigTest> {
        None
    }

    /// Known ways of becoming more than an account is, reaching what is not its own, or locking fluxdb out; for this version.
    fn attacks(&self, _cx: &Cx) -> Vec<Attack> {
        Vec::new()
    }

    /// When the server reads the file with the system account's password.
    fn password_file(&self, _version: &str) -> PasswordFile {
        PasswordFile::Absent
    }

    /// How the system account is brought back when the server refuses it.
    ///
    /// # Errors
    /// As [`Engine::launch`].
    fn repair(&self, _cx: &Cx) -> Result<Repair, render::RenderError> {
        Ok(Repair::Never("no way is known"))
    }

    /// What answers without a password and cannot be closed.
    fn open_paths(&self, _version: &str) -> &'static [OpenPath] {
        &[]
    }

    /// Paths of this engine's HTTP ports that the suite asks for without a password, beside those that it asks every server.
    fn sensitive_paths(&self, _version: &str) -> &'static [&'static str] {
        &[]
    }

    /// Present when an initialised data directory can be copied for the next instance.
    fn seed(&self) -> Option<&dyn Seed> {
        None
    }

    /// Asks, as the system account, for what identifies this server and its system account: identifiers and password verifiers. The
    /// first value of each answer differs between two copies of a template. Needed where [`Engine::seed`] is.
    fn identifiers(&self, _cx: &Cx) -> Vec<Call> {
        Vec::new()
    }

    /// Present when users can be made inside the server.
    fn users(&self) -> Option<&dyn Users> {
        None
    }

    /// The same for one version.
    fn users_in(&self, version: &str) -> Option<&dyn Users> {
        self.users().filter(|u| !u.not_in().contains(&version))
    }

    /// Present when named databases can be made inside the server.
    fn databases(&self) -> Option<&dyn Databases> {
        None
    }

    /// Present when parameters can be changed.
    fn settings(&self) -> Option<&dyn Settings> {
        None
    }

    /// Present when the server says numbers about itself.
    fn metrics(&self) -> Option<&dyn Metrics> {
        None
    }
}
