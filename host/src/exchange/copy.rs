//! A copy of an exchange's request, to look at.

use std::{sync::Arc, time::Instant};

use super::{Exchange, State};

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
            answered_by: None,
            error: None,
            tunnel: None,
            ended: true,
        };
        Self { state: Some(Box::new(state)) }
    }
}
