//! `tollgate explain`.

use http::{HeaderMap, HeaderName, HeaderValue, Method};

use super::{ConfigArgument, Outcome, given, print};
use crate::explain::explain;

#[derive(clap::Args)]
#[command(
    after_help = "Example: tollgate explain GET https://api.example.com/orders/7 -H 'x-version: 2'"
)]
pub(super) struct Arguments {
    #[command(flatten)]
    config: ConfigArgument,
    /// The request's method, in capitals
    #[arg(value_parser = method)]
    method: Method,
    /// A whole URL such as `https://api.example.com/orders/7?page=2`, or a path
    url: String,
    /// A request header field, as `name: value`; may be repeated
    #[arg(short = 'H', long = "header", value_name = "FIELD", value_parser = field)]
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl Arguments {
    pub(super) fn run(self) -> Outcome {
        let config = given::load(&self.config.config)?;
        let headers: HeaderMap = self.headers.into_iter().collect();
        print(&explain(&config, &self.method, &self.url, &headers)?)
    }
}

fn method(text: &str) -> Result<Method, String> {
    if text.bytes().any(|byte| byte.is_ascii_lowercase()) {
        let capitals = text.to_ascii_uppercase();
        return Err(format!("methods are in capitals: `{capitals}`"));
    }
    text.parse().map_err(|_| "is not a method such as `GET`".to_owned())
}

fn field(text: &str) -> Result<(HeaderName, HeaderValue), String> {
    let (name, value) = text.split_once(':').ok_or("a header field is `name: value`")?;
    let name = name.trim().parse().map_err(|_| format!("`{name}` is not a field name"))?;
    let value = value.trim().parse().map_err(|_| format!("`{value}` is not a field value"))?;
    Ok((name, value))
}
