//! How a request's body, query, path and headers become typed values, and what is said when they cannot.

use std::str::FromStr;

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use http_body_util::LengthLimitError;
use serde::de::DeserializeOwned;
use serde_path_to_error::{Path as ErrorPath, Segment};

use super::problem::Failure;
use crate::domain::error::FieldError;
use crate::domain::{Error, ErrorKind, InstanceId, OperationId, TokenId};

/// Longest text of a parser that is passed on; it may quote what was sent.
const MAX_DETAIL_CHARS: usize = 300;

/// A JSON body. Syntax errors are 400 with line and column; wrong types and unknown fields 422 with a JSON pointer.
pub struct Json<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Json<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, _: &S) -> Result<Self, Failure> {
        require_json(request.headers())?;
        parse_json(&read_body(request).await?).map(Json).map_err(Failure::from)
    }
}

/// The whole body, as far as the limit of the server allows.
///
/// # Errors
/// 413 (`body_too_large`), or 400 when the client stops sending.
pub async fn read_body(request: Request) -> Result<Bytes, Failure> {
    axum::body::to_bytes(request.into_body(), usize::MAX).await.map_err(|e| {
        let mut cause: Option<&dyn std::error::Error> = Some(&e);
        while let Some(error) = cause {
            if error.is::<LengthLimitError>() {
                return too_large();
            }
            cause = error.source();
        }
        Error::new(ErrorKind::Malformed, "body_incomplete", "The request body could not be read to its end.").into()
    })
}

/// The refusal of a body over the limit.
pub fn too_large() -> Failure {
    Failure::of_http(
        StatusCode::PAYLOAD_TOO_LARGE,
        "body_too_large",
        "The request body is larger than [server] body_limit_bytes allows.",
    )
}

fn require_json(headers: &HeaderMap) -> Result<(), Failure> {
    let given = headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let essence = given.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json")) {
        return Ok(());
    }
    Err(Failure::of_http(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "unsupported_media_type",
        "Send the body as JSON, with the header `Content-Type: application/json`.",
    ))
}

fn parse_json<T: DeserializeOwned>(body: &[u8]) -> Result<T, Error> {
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let value = serde_path_to_error::deserialize(&mut deserializer).map_err(|e| {
        let pointer = pointer(e.path(), &e.inner().to_string());
        json_error(e.inner(), pointer)
    })?;
    deserializer.end().map_err(|e| json_error(&e, String::new()))?;
    // A list would be taken for the fields in their order; no document of ours says so.
    if body.iter().find(|b| !b.is_ascii_whitespace()) != Some(&b'{') {
        return Err(invalid(String::new(), "the body must be a JSON object"));
    }
    Ok(value)
}

fn json_error(error: &serde_json::Error, pointer: String) -> Error {
    use serde_json::error::Category;
    let text = error.to_string();
    let text = text.rsplit_once(" at line ").map_or(text.as_str(), |(text, _)| text);
    match error.classify() {
        Category::Data => invalid(pointer, text),
        Category::Syntax | Category::Eof | Category::Io => Error::new(
            ErrorKind::Malformed,
            "malformed_json",
            format!("The body is not JSON: {text} at line {} column {}.", error.line(), error.column()),
        ),
    }
}

/// The query string. What is wrong or unknown is 422 with `?name`.
pub struct Query<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Failure> {
        parse_query(parts.uri.query().unwrap_or_default()).map(Query).map_err(Failure::from)
    }
}

fn parse_query<T: DeserializeOwned>(query: &str) -> Result<T, Error> {
    let pairs = serde_urlencoded::Deserializer::new(form_urlencoded::parse(query.as_bytes()));
    serde_path_to_error::deserialize(pairs).map_err(|e| {
        let text = e.inner().to_string();
        invalid(format!("?{}", pointer(e.path(), &text).trim_start_matches('/')), &text)
    })
}

fn invalid(pointer: String, text: &str) -> Error {
    let detail: String = text.chars().take(MAX_DETAIL_CHARS).collect();
    let mut error =
        Error::new(ErrorKind::Invalid, "invalid_request", format!("{}: {detail}", cut(&pointer, MAX_DETAIL_CHARS)));
    error.fields.push(FieldError { pointer, detail });
    error
}

fn cut(text: &str, chars: usize) -> String {
    text.chars().take(chars).collect()
}

/// The JSON pointer of a parser's path. A field that is missing or given twice is named by the text only.
fn pointer(path: &ErrorPath, text: &str) -> String {
    let mut out = String::new();
    let mut last = String::new();
    for segment in path.iter() {
        last = match segment {
            Segment::Seq { index } => index.to_string(),
            Segment::Map { key } => key.clone(),
            Segment::Enum { .. } | Segment::Unknown => continue,
        };
        push(&mut out, &last);
    }
    let named = ["missing field `", "duplicate field `"].iter().find_map(|start| text.strip_prefix(start));
    if let Some((name, _)) = named.and_then(|rest| rest.split_once('`'))
        && name != last
    {
        push(&mut out, name);
    }
    out
}

fn push(pointer: &mut String, token: &str) {
    pointer.push('/');
    pointer.push_str(&token.replace('~', "~0").replace('/', "~1"));
}

/// An id in the path. What is no id cannot be found: 404.
pub struct Id<T>(pub T);

/// What an id is the id of, for the answer 404.
pub trait Named: FromStr {
    /// A noun.
    const NOUN: &'static str;
}

impl Named for InstanceId {
    const NOUN: &'static str = "instance";
}

impl Named for OperationId {
    const NOUN: &'static str = "operation";
}

impl Named for TokenId {
    const NOUN: &'static str = "token";
}

impl<S: Send + Sync, T: Named> FromRequestParts<S> for Id<T> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        let Word(text) = Word::from_request_parts(parts, state).await?;
        text.parse().map(Id).map_err(|_| Error::not_found(T::NOUN).into())
    }
}

/// The one path parameter, as text. What is not UTF-8 cannot be found: 404.
pub struct Word(pub String);

impl<S: Send + Sync> FromRequestParts<S> for Word {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        let found = axum::extract::Path::<String>::from_request_parts(parts, state).await;
        found.map(|axum::extract::Path(text)| Word(text)).map_err(|_| Error::not_found("thing").into())
    }
}

/// `If-Match`: the version that the caller has read. `None` when absent or `*`.
pub struct IfMatch(pub Option<u64>);

impl<S: Send + Sync> FromRequestParts<S> for IfMatch {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Failure> {
        let Some(text) = text_header(&parts.headers, &header::IF_MATCH)? else { return Ok(Self(None)) };
        if text == "*" {
            return Ok(Self(None));
        }
        let tag = text.strip_prefix("W/").unwrap_or(text);
        let inner = tag.strip_prefix('"').and_then(|t| t.strip_suffix('"')).filter(|t| !t.contains('"'));
        match inner {
            // A tag that we never gave matches nothing, and a weak one never matches: no row has version 0.
            Some(tag) if !text.starts_with("W/") => Ok(Self(Some(tag.parse().unwrap_or(0)))),
            Some(_) => Ok(Self(Some(0))),
            // An empty list of tags is a list of which none matches.
            None if text.is_empty() => Ok(Self(Some(0))),
            None => {
                Err(bad_header(&header::IF_MATCH, "one entity tag in double quotes, as an ETag header gave it, or *"))
            }
        }
    }
}

/// A header's text, trimmed.
///
/// # Errors
/// 400 (`malformed_header`) for what is not visible ASCII or given twice.
pub fn text_header<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a str>, Failure> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(bad_header(name, "given once"));
    }
    value.to_str().map(|text| Some(text.trim())).map_err(|_| bad_header(name, "visible ASCII"))
}

/// The refusal of a header that cannot be read.
pub fn bad_header(name: &HeaderName, rule: &str) -> Failure {
    Error::new(ErrorKind::Malformed, "malformed_header", format!("The header {name} has to be {rule}.")).into()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::api::CreateInstance;

    fn refused(body: &str) -> Error {
        match parse_json::<CreateInstance>(body.as_bytes()) {
            Ok(_) => panic!("{body} was accepted"),
            Err(e) => e,
        }
    }

    #[test]
    fn the_pointer_names_the_field() {
        for (body, pointer) in [
            (r#"{"name":"a","engine":"postgresql","nam/e~":1}"#, "/nam~1e~0"),
            (r#"{"name":"a","engine":"postgresql","storage_gib":"8"}"#, "/storage_gib"),
            (r#"{"name":"a","engine":"postgresql","storage_gib":-1}"#, "/storage_gib"),
            (r#"{"name":"a","engine":"postgresql","storage_gib":1e3}"#, "/storage_gib"),
            (r#"{"name":"a","engine":"postgresql","labels":{"a":1}}"#, "/labels/a"),
            (r#"{"name":"a"}"#, "/engine"),
            (r#"{"name":"a","name":"b","engine":"postgresql"}"#, "/name"),
            (r#"[]"#, ""),
            (r#""x""#, ""),
        ] {
            let error = refused(body);
            assert_eq!(error.kind, ErrorKind::Invalid, "{body}");
            assert_eq!(error.fields[0].pointer, pointer, "{body}: {error:?}");
        }
    }

    #[test]
    fn what_is_no_json_has_line_and_column() {
        let deep = format!("{{\"labels\":{}", "[".repeat(100_000));
        for body in ["", "{", "{\"name\":\"a\",}", "{} {}", "nul", "\u{feff}{}", "{'name':1}"] {
            let error = refused(body);
            assert!(error.kind == ErrorKind::Malformed || error.fields[0].pointer == "/name", "{body}: {error:?}");
        }
        assert!(refused("{\n  \"name\": }").public.contains("line 2 column"));
        assert_ne!(refused(&deep).kind, ErrorKind::Internal);
    }

    #[test]
    fn a_long_text_is_not_sent_back() {
        let error = refused(&format!("{{\"storage_gib\":\"{}\"}}", "x".repeat(10_000)));
        assert!(error.public.len() < 1000);
    }

    #[test]
    fn a_query_parameter_is_named() {
        #[derive(Debug, serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        #[allow(dead_code)]
        struct Q {
            limit: Option<u32>,
        }
        for (query, pointer) in
            [("limit=x", "?limit"), ("limit=", "?limit"), ("zz=1", "?zz"), ("limit=1&limit=2", "?limit")]
        {
            let error = parse_query::<Q>(query).unwrap_err();
            assert_eq!(error.fields[0].pointer, pointer, "{error:?}");
        }
        assert_eq!(parse_query::<Q>("").unwrap().limit, None);
    }

    #[tokio::test]
    async fn if_match_takes_one_tag() {
        async fn read(value: &str) -> Result<Option<u64>, Failure> {
            let request = Request::builder().header("if-match", value).body(()).unwrap();
            let (mut parts, ()) = request.into_parts();
            IfMatch::from_request_parts(&mut parts, &()).await.map(|IfMatch(v)| v)
        }
        assert_eq!(read("\"7\"").await.unwrap(), Some(7));
        assert_eq!(read("*").await.unwrap(), None);
        assert_eq!(read("W/\"7\"").await.unwrap(), Some(0));
        assert_eq!(read("\"x\"").await.unwrap(), Some(0));
        assert_eq!(read("").await.unwrap(), Some(0));
        assert!(read("7").await.is_err());
        assert!(read("\"1\", \"2\"").await.is_err());
    }

    #[test]
    fn a_list_is_no_object() {
        let error = parse_json::<crate::api::PatchInstance>(b" [null, null]").expect_err("a list");
        assert_eq!(error.kind, crate::domain::ErrorKind::Invalid);
        assert!(parse_json::<crate::api::PatchInstance>(b" {} ").is_ok());
    }
}
