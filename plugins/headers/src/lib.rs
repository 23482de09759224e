//! Sets, appends, removes and renames headers of requests and responses.

mod config;
#[cfg(test)]
mod tests;

use tollgate_plugin::{Error, Phases, Plugin, Request, Response, Verdict, plugin};

use crate::config::Headers;

#[plugin(schema = "config.schema.json")]
impl Plugin for Headers {
    type Config = Self;

    fn new(config: Self) -> Result<Self, Error> {
        let mut faults = Vec::new();
        for (key, changes) in [("request", &config.request), ("response", &config.response)] {
            faults.extend(changes.faults().into_iter().map(|fault| format!("{key}.{fault}")));
        }
        Error::if_any(&faults)?;
        Ok(config)
    }

    fn phases(&self) -> Phases {
        Phases::NONE
            .and_if(!self.request.is_empty(), Phases::REQUEST)
            .and_if(!self.response.is_empty(), Phases::RESPONSE)
    }

    fn on_request(&self, request: &mut Request) -> Result<Verdict, Error> {
        let changes = &self.request;
        for name in &changes.remove {
            request.own_header(name, None)?;
        }
        for (old, new) in &changes.rename {
            let lines = request.header_lines(old.as_str());
            if let Some((first, rest)) = lines.split_first() {
                request.own_header(new, Some(first))?;
                for line in rest {
                    request.append_header(new.as_str(), line)?;
                }
                request.own_header(old, None)?;
            }
        }
        for (name, value) in &changes.set {
            match value.constant() {
                Some(value) => request.own_header(name, Some(value))?,
                None => request.own_header(name, value.render(request).as_deref())?,
            }
        }
        for (name, value) in &changes.append {
            if let Some(value) = value.render(request) {
                request.append_header(name.as_str(), &value)?;
            }
        }
        Ok(Verdict::Next)
    }

    fn on_response(&self, request: &mut Request, response: &mut Response) -> Result<(), Error> {
        let changes = &self.response;
        for name in &changes.remove {
            response.remove_header(name.as_str())?;
        }
        for (old, new) in &changes.rename {
            let lines = response.header_lines(old.as_str());
            if let Some((first, rest)) = lines.split_first() {
                response.set_header(new.as_str(), first)?;
                for line in rest {
                    response.append_header(new.as_str(), line)?;
                }
                response.remove_header(old.as_str())?;
            }
        }
        for (name, value) in &changes.set {
            let rendered = value.constant().map_or_else(|| value.render(request), |_| None);
            match value.constant().or(rendered.as_deref()) {
                Some(value) => response.set_header(name.as_str(), value)?,
                None => response.remove_header(name.as_str())?,
            }
        }
        for (name, value) in &changes.append {
            if let Some(value) = value.render(request) {
                response.append_header(name.as_str(), &value)?;
            }
        }
        Ok(())
    }
}
