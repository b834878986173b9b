//! API tokens.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;

use crate::api::{CreateToken, CreatedToken, Page, Token};
use crate::app::App;
use crate::domain::TokenId;
use crate::http::Http;
use crate::http::auth::Writer;
use crate::http::changes::to_the_end;
use crate::http::extract::{self, Id};
use crate::http::problem::Failure;

/// The tokens that the caller may see, without their secrets.
#[utoipa::path(get, path = "/tokens", tag = "Tokens", security(("bearer" = ["databases:write"])),
    responses((status = 200, description = "The tokens", body = Page<Token>)))]
pub async fn list(State(app): State<Arc<App>>, writer: Writer) -> Result<Json<Page<Token>>, Failure> {
    Ok(Json(app.list_tokens(&writer).await?))
}

/// Makes a token. Its secret is shown in this answer only.
#[utoipa::path(post, path = "/tokens", tag = "Tokens", security(("bearer" = ["databases:write"])),
    request_body(content = CreateToken, examples(
        ("reader" = (summary = "May look at one project for 30 days", value = json!({
            "name": "dashboard", "permissions": ["databases:read"], "projects": ["web"], "expires_in_days": 30}))),
    )),
    responses((status = 201, description = "Made", body = CreatedToken)))]
pub async fn create(
    State(http): State<Http>,
    writer: Writer,
    extract::Json(request): extract::Json<CreateToken>,
) -> Result<(StatusCode, Json<CreatedToken>), Failure> {
    let act = |app: Arc<App>, caller: Arc<_>| async move { app.create_token(&caller, request).await };
    Ok((StatusCode::CREATED, Json(to_the_end(&http, &writer, None, |_| StatusCode::CREATED, act).await?)))
}

/// Removes a token; it stops working at once.
#[utoipa::path(delete, path = "/tokens/{id}", tag = "Tokens", security(("bearer" = ["databases:write"])),
    params(("id" = TokenId, Path)),
    responses((status = 204, description = "Removed")))]
pub async fn delete(State(http): State<Http>, writer: Writer, Id(id): Id<TokenId>) -> Result<StatusCode, Failure> {
    let act = move |app: Arc<App>, caller: Arc<_>| async move { app.delete_token(&caller, id).await };
    to_the_end(&http, &writer, None, |()| StatusCode::NO_CONTENT, act).await?;
    Ok(StatusCode::NO_CONTENT)
}
