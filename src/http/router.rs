//! Every route of the API: the table of contents.

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::response::Redirect;
use axum::routing::get;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::routes::{audit, images, instances, operations, settings, system, tokens};
use super::{Http, docs, idempotency, middleware, openapi};
use crate::api::BASE;

/// The routes with their descriptions.
pub fn routes() -> OpenApiRouter<Http> {
    OpenApiRouter::with_openapi(openapi::base())
        // System
        .routes(routes!(system::status))
        .routes(routes!(system::requirements))
        .routes(routes!(system::system_info))
        .routes(routes!(system::podman_status))
        .routes(routes!(system::podman_install))
        .routes(routes!(system::engines))
        .routes(routes!(system::engine))
        .routes(routes!(system::skus))
        // Instances
        .routes(routes!(instances::list, instances::create))
        .routes(routes!(instances::get, instances::patch, instances::delete))
        .routes(routes!(instances::start))
        .routes(routes!(instances::stop))
        .routes(routes!(instances::restart))
        .routes(routes!(instances::connection_string))
        .routes(routes!(settings::settings, settings::update_settings))
        // Operations
        .routes(routes!(operations::list))
        .routes(routes!(operations::get))
        .routes(routes!(operations::cancel))
        .routes(routes!(operations::events))
        // Platform
        .routes(routes!(tokens::list, tokens::create))
        .routes(routes!(tokens::delete))
        .routes(routes!(audit::list))
        .routes(routes!(images::list))
        .routes(routes!(images::pull))
        .routes(routes!(images::build))
}

/// The routes with all that goes around them.
pub fn service(http: Http) -> Router {
    let (api, described) = routes().split_for_parts();
    let api = api
        .route_layer(from_fn_with_state(http.clone(), idempotency::replay))
        .merge(docs::routes(openapi::complete(described)));
    Router::new()
        .nest(BASE, api)
        .route("/", get(async || Redirect::temporary(docs::PATH)))
        .fallback(middleware::not_found)
        .method_not_allowed_fallback(middleware::method_not_allowed)
        .layer(from_fn_with_state(http.server.clone(), middleware::around))
        .with_state(http)
}
