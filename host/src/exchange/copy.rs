//! Copies of an exchange's request, to look at.

use std::{sync::Arc, time::Instant};

use http::{Request, request::Parts};

use super::{Exchange, State, View};
use crate::body::{Body, BodyError};

impl Exchange {
    /// A copy that comes to no end of its own: it is in no metric and no log. It has the body only
    /// where that is held whole; what streams is there once.
    pub(crate) fn copy(&self) -> Self {
        let state = State {
            generation: Arc::clone(&self.generation),
            client: Arc::clone(&self.client),
            route: self.route.clone(),
            params: self.params,
            request: self.request.clone(),
            request_body: self.request_body.copy(),
            progress: None,
            target: self.target.clone(),
            upstream: self.upstream.clone(),
            id: self.id.clone(),
            started: self.started,
            deadline: self.deadline,
            clock: Instant::now(),
            recode: self.recode,
            common: self.common.copy(),
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
        };
        Self { state: Some(Box::new(state)) }
    }

    /// The exchange for the chunk hooks of one of its bodies: the heads as they are now, and the
    /// same attributes. It does not end with it.
    pub(crate) fn view(&mut self) -> Self {
        let state = State {
            generation: Arc::clone(&self.generation),
            client: Arc::clone(&self.client),
            route: self.route.clone(),
            params: self.params,
            request: head(&self.request),
            request_body: Body::Broken(BodyError::ClientAborted),
            progress: None,
            target: self.target.clone(),
            recode: None,
            upstream: self.upstream.clone(),
            id: self.id.clone(),
            started: self.started,
            deadline: self.deadline,
            clock: self.clock,
            common: self.common.share(),
            view: Some(View::default()),
            reached: self.reached,
            canaries: self.canaries.clone(),
            trials: self.trials.clone(),
            suspended: Vec::new(),
            held_back: false,
            response: None,
            answered_by_plugin: None,
            answered_by: self.answered_by.clone(),
            error: None,
            tunnel: None,
            ended: true,
        };
        Self { state: Some(Box::new(state)) }
    }
}

/// A head without its extensions, which belong to the connection.
pub(super) fn head(head: &Parts) -> Parts {
    let (mut copy, ()) = Request::new(()).into_parts();
    copy.method = head.method.clone();
    copy.uri = head.uri.clone();
    copy.version = head.version;
    copy.headers = head.headers.clone();
    copy
}
