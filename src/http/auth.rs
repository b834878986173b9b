//! Who is calling, and whether they may: the only two ways to a [`Caller`].

use std::net::{IpAddr, SocketAddr};
use std::ops::Deref;
use std::sync::Arc;

use axum::extract::{ConnectInfo, FromRef, FromRequestParts, MatchedPath};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, header};

use super::problem::Failure;
use crate::api::BASE;
use crate::app::caller::IdempotencyKey;
use crate::app::{App, Caller, Permission};
use crate::domain::{Error, ErrorKind};

/// Longest `User-Agent` that is kept.
const MAX_USER_AGENT_CHARS: usize = 200;

/// A caller with `databases:read`.
#[derive(Clone, Debug)]
pub struct Reader(Arc<Caller>);

/// A caller with `databases:write`.
#[derive(Clone, Debug)]
pub struct Writer(Arc<Caller>);

impl Deref for Reader {
    type Target = Caller;

    fn deref(&self) -> &Caller {
        &self.0
    }
}

impl Writer {
    /// The caller, to take along into work that outlives the request.
    pub fn caller(&self) -> Arc<Caller> {
        Arc::clone(&self.0)
    }

    /// The same caller with a key to reserve.
    pub fn with_key(&self, key: IdempotencyKey) -> Self {
        Self(Arc::new(Caller { idempotency: Some(key), ..Caller::clone(&self.0) }))
    }
}

impl Deref for Writer {
    type Target = Caller;

    fn deref(&self) -> &Caller {
        &self.0
    }
}

impl<S> FromRequestParts<S> for Reader
where
    S: Send + Sync,
    Arc<App>: FromRef<S>,
{
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        let caller = caller(parts, &Arc::from_ref(state)).await?;
        caller.require(Permission::Read).map_err(|e| too_few_permissions(e, Permission::Read))?;
        Ok(Self(Arc::new(caller)))
    }
}

impl<S> FromRequestParts<S> for Writer
where
    S: Send + Sync,
    Arc<App>: FromRef<S>,
{
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        if let Some(known) = parts.extensions.get::<Writer>() {
            return Ok(known.clone());
        }
        let app: Arc<App> = Arc::from_ref(state);
        let caller = caller(parts, &app).await?;
        if let Err(error) = caller.require(Permission::Write) {
            app.audit_refusal(&caller, None, &error).await;
            return Err(too_few_permissions(error, Permission::Write));
        }
        Ok(Self(Arc::new(caller)))
    }
}

async fn caller(parts: &Parts, app: &App) -> Result<Caller, Failure> {
    let ip = peer(parts)?;
    let token = bearer(&parts.headers);
    let identity = app.authenticate(token, ip).await.map_err(|e| unknown(e, token.is_some()))?;
    Ok(Caller {
        identity,
        ip: ip.to_string(),
        user_agent: user_agent(&parts.headers),
        route: route(parts),
        idempotency: None,
    })
}

fn peer(parts: &Parts) -> Result<IpAddr, Error> {
    let info = parts.extensions.get::<ConnectInfo<SocketAddr>>();
    // A caller through IPv4-mapped IPv6 is the same caller.
    info.map(|ConnectInfo(a)| a.ip().to_canonical()).ok_or_else(|| Error::internal("a request came without an address"))
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.trim().split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

fn user_agent(headers: &HeaderMap) -> String {
    let text = headers.get(header::USER_AGENT).and_then(|v| v.to_str().ok()).unwrap_or_default();
    text.chars().take(MAX_USER_AGENT_CHARS).collect()
}

/// Method and path template: `POST /databases/{id}/start`.
fn route(parts: &Parts) -> String {
    let path = parts.extensions.get::<MatchedPath>().map_or("", MatchedPath::as_str);
    format!("{} {}", parts.method, path.strip_prefix(BASE).unwrap_or(path))
}

/// RFC 6750: a request without a token is told the scheme only, one with a token that it is no good.
fn unknown(error: Error, had_token: bool) -> Failure {
    if error.kind != ErrorKind::Unauthenticated {
        return error.into();
    }
    let challenge =
        if had_token { "Bearer realm=\"fluxdb\", error=\"invalid_token\"" } else { "Bearer realm=\"fluxdb\"" };
    Failure::with_header(error, header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge))
}

fn too_few_permissions(error: Error, needed: Permission) -> Failure {
    let challenge = match needed {
        Permission::Read => "Bearer realm=\"fluxdb\", error=\"insufficient_scope\", scope=\"databases:read\"",
        Permission::Write => "Bearer realm=\"fluxdb\", error=\"insufficient_scope\", scope=\"databases:write\"",
    };
    Failure::with_header(error, header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge))
}
