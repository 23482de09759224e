//! What a step works on: the request, or the response with its request.

use tollgate_plugin::{BodyError, Reason, Refused, Request, Response};

pub(crate) enum Message<'a> {
    Request(&'a mut Request),
    Response(&'a mut Request, &'a mut Response),
}

impl Message<'_> {
    pub(crate) fn request(&mut self) -> &mut Request {
        match self {
            Self::Request(request) | Self::Response(request, _) => request,
        }
    }

    /// A value by its name; `-` stands for none.
    pub(crate) fn show(&mut self, what: &str) -> String {
        let (kind, name) = what.split_once(':').unwrap_or((what, ""));
        let value = match kind {
            "id" => Some(self.request().id()),
            "route" => Some(self.request().route()),
            "address" => Some(self.request().peer().address),
            "tls" => self.request().peer().tls.map(|tls| tls.version),
            "server-name" => self.request().peer().tls.and_then(|tls| tls.server_name),
            "client-certificate" => self
                .request()
                .peer()
                .tls
                .and_then(|tls| tls.client_certificate)
                .map(|certificate| certificate.alternative_names.join(" ")),
            "method" => Some(self.request().method()),
            "scheme" => Some(self.request().scheme()),
            "authority" => Some(self.request().authority()),
            "path" => Some(self.request().path()),
            "query" => self.request().query(),
            "param" => self.request().param(name),
            "attribute" => self.request().attribute(name),
            "request-header" => self.request().header(name),
            "header" => match self {
                Self::Request(request) => request.header(name),
                Self::Response(_, response) => response.header(name),
            },
            "lines" => Some(self.lines(name)),
            "status" => match self {
                Self::Request(_) => None,
                Self::Response(_, response) => Some(response.status().to_string()),
            },
            "body" => Some(shown(&self.body())),
            _ => Some(format!("what is `{kind}`?")),
        };
        value.unwrap_or_else(|| "-".to_owned())
    }

    /// How many lines a header has.
    fn lines(&self, name: &str) -> String {
        let lines = match self {
            Self::Request(request) => request.header_lines(name),
            Self::Response(_, response) => response.header_lines(name),
        };
        lines.len().to_string()
    }

    fn body(&self) -> Result<Vec<u8>, BodyError> {
        match self {
            Self::Request(request) => request.body(),
            Self::Response(_, response) => response.body(),
        }
    }

    pub(crate) fn set_body(&mut self, body: &str) -> Result<(), Refused> {
        match self {
            Self::Request(request) => request.set_body(body),
            Self::Response(_, response) => response.set_body(body),
        }
    }

    pub(crate) fn set_header(&mut self, name: &str, value: &str) -> Result<(), Refused> {
        match self {
            Self::Request(request) => request.set_header(name, value),
            Self::Response(_, response) => response.set_header(name, value),
        }
    }

    pub(crate) fn append_header(&mut self, name: &str, value: &str) -> Result<(), Refused> {
        match self {
            Self::Request(request) => request.append_header(name, value),
            Self::Response(_, response) => response.append_header(name, value),
        }
    }

    pub(crate) fn remove_header(&mut self, name: &str) -> Result<(), Refused> {
        match self {
            Self::Request(request) => request.remove_header(name),
            Self::Response(_, response) => response.remove_header(name),
        }
    }

    pub(crate) fn set_status(&mut self, status: u16) -> Result<(), Refused> {
        match self {
            Self::Request(_) => Ok(()),
            Self::Response(_, response) => response.set_status(status),
        }
    }
}

/// Short bodies as they are, others by their length, and why there is none.
pub(crate) fn shown(body: &Result<Vec<u8>, BodyError>) -> String {
    match body {
        Ok(body) if body.len() <= 64 => String::from_utf8_lossy(body).into_owned(),
        Ok(body) => format!("{} bytes", body.len()),
        Err(BodyError::TooLarge(limit)) => format!("too-large {limit}"),
        Err(BodyError::TimedOut) => "timed-out".to_owned(),
        Err(BodyError::Aborted) => "aborted".to_owned(),
        Err(BodyError::NotGranted) => "not-granted".to_owned(),
    }
}

pub(crate) fn verdict(result: Result<(), Refused>) -> String {
    let word = match result.map_err(|refused| refused.reason) {
        Ok(()) => "ok",
        Err(Reason::Invalid(_)) => "invalid",
        Err(Reason::Reserved) => "reserved",
        Err(Reason::NotGranted) => "not-granted",
        Err(Reason::Unknown) => "unknown",
    };
    word.to_owned()
}
