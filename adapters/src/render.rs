//! Template and tuning to file text, strict about undefined names.

use minijinja::syntax::SyntaxConfig;
use minijinja::{Environment, UndefinedBehavior, Value};

/// A template that cannot be rendered with the values its adapter gives.
#[derive(Debug)]
pub struct RenderError {
    /// The template's file name.
    pub template: &'static str,
    /// What minijinja said.
    pub reason: String,
}

impl std::fmt::Display for RenderError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "template {}: {}", self.template, self.reason)
    }
}

impl std::error::Error for RenderError {}

/// Renders one template.
///
/// # Errors
/// Undefined names and syntax errors.
pub fn render(template: &crate::Template, values: &Value) -> Result<String, RenderError> {
    let mut env = Environment::new();
    env.set_undefined_behavior(UndefinedBehavior::Strict);
    let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).keep_trailing_newline(true).build();
    env.set_syntax(syntax.map_err(|e| RenderError { template: template.name, reason: e.to_string() })?);
    env.render_str(template.source, values)
        .map_err(|e| RenderError { template: template.name, reason: format!("{e:#}") })
}
