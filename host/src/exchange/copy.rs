//! Copies of an exchange's request, to look at.

use std::{sync::Arc, time::Instant};

use http::{Request, request::Parts};

use super::{Exchange, State, View, common::Common};
use crate::body::{Body, BodyError};

impl Exchange {
    /// A copy that comes to no end of its own: it is in no metric and no log. It has the body only
    /// where that is held whole; what streams is there once.
    pub(crate) fn copy(&self) -> Self {
        let (request, body) = (self.request.clone(), self.request_body.copy());
        let state = self.beside(request, body, self.common.copy());
        let state = State { clock: Instant::now(), recode: self.recode, ..state };
        Self { state: Some(Box::new(state)) }
    }

    /// The exchange for the chunk hooks of one of its bodies: the heads as they are now, and the
    /// same attributes. It does not end with it.
    pub(crate) fn view(&mut self) -> Self {
        let (request, body) = (head(&self.request), Body::Broken(BodyError::ClientAborted));
        let common = self.common.share();
        let state = State {
            view: Some(View::default()),
            reached: self.reached,
            canaries: self.canaries.clone(),
            trials: self.trials.clone(),
            answered_by: self.answered_by.clone(),
            ..self.beside(request, body, common)
        };
        Self { state: Some(Box::new(state)) }
    }
}

impl State {
    /// One that has no end of its own, with what is known of the exchange by its route.
    fn beside(&self, request: Parts, request_body: Body, common: Common) -> Self {
        Self {
            generation: Arc::clone(&self.generation),
            client: Arc::clone(&self.client),
            route: self.route.clone(),
            params: self.params,
            request,
            asks_for_head: self.asks_for_head,
            is_doubtful: self.is_doubtful,
            request_body,
            progress: None,
            target: self.target.clone(),
            recode: None,
            upstream: self.upstream.clone(),
            id: self.id.clone(),
            started: self.started,
            deadline: self.deadline,
            clock: self.clock,
            common,
            view: None,
            reached: 0,
            canaries: Vec::new(),
            trials: Vec::new(),
            suspended: Vec::new(),
            held_back: false,
            response: None,
            answered_by_plugin: None,
            answered_by: None,
            error: None,
            tunnel: None,
            ended: true,
        }
    }
}

/// A head without its extensions, which belong to the connection.
fn head(head: &Parts) -> Parts {
    let (mut copy, ()) = Request::new(()).into_parts();
    copy.method = head.method.clone();
    copy.uri = head.uri.clone();
    copy.version = head.version;
    copy.headers = head.headers.clone();
    copy
}
