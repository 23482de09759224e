//! A guest at work, and how it ended.

use std::sync::Arc;

use tokio::{
    sync::oneshot::{self, error::TryRecvError},
    task::AbortHandle,
    time::timeout,
};

use super::{HANDLE, Service};
use crate::{plugin::hook::HookError, worker};

/// How a guest ended.
pub(super) type Outcome = Result<(), HookError>;

/// A guest at work. It is ended with this, unless it was left to itself before.
pub(super) struct Running {
    task: AbortHandle,
    stage: Stage,
    service: Arc<Service>,
}

enum Stage {
    AtWork(oneshot::Receiver<Outcome>),
    Ended(Outcome),
    /// Nobody cares any more.
    Left,
}

impl Running {
    pub(super) fn new(
        task: AbortHandle,
        outcome: oneshot::Receiver<Outcome>,
        service: Arc<Service>,
    ) -> Self {
        Self { task, stage: Stage::AtWork(outcome), service }
    }

    /// Why the guest gave no response, once it has ended.
    pub(super) async fn failure(&mut self) -> HookError {
        if let Stage::AtWork(outcome) = &mut self.stage {
            self.stage = Stage::Ended(outcome.await.unwrap_or_else(|_| Err(gone())));
        }
        match &self.stage {
            Stage::Ended(Err(error)) => error.clone(),
            _ => HookError::NoResponse("it ended without a response".into()),
        }
    }

    /// How it has failed so far.
    pub(super) fn has_failed(&mut self) -> Option<HookError> {
        self.look();
        match &self.stage {
            Stage::Ended(outcome) => outcome.clone().err(),
            Stage::AtWork(_) | Stage::Left => None,
        }
    }

    fn look(&mut self) {
        let Stage::AtWork(outcome) = &mut self.stage else { return };
        match outcome.try_recv() {
            Ok(outcome) => self.stage = Stage::Ended(outcome),
            Err(TryRecvError::Closed) => self.stage = Stage::Ended(Err(gone())),
            Err(TryRecvError::Empty) => {}
        }
    }

    /// Counts a failure after the response's head, and gives what to call it.
    pub(super) fn count(&self, error: &HookError) -> String {
        self.service.count(error);
        self.service.name().to_owned()
    }

    /// Its response is complete: what else it has begun it may end by itself, within its limits.
    pub(super) fn leave(&mut self) {
        // Most are through at this point.
        self.look();
        let (task, service) = (self.task.clone(), Arc::clone(&self.service));
        let outcome = match std::mem::replace(&mut self.stage, Stage::Left) {
            Stage::AtWork(outcome) => outcome,
            Stage::Ended(Err(error)) => return tell(&service, &error),
            Stage::Ended(Ok(())) | Stage::Left => return,
        };
        worker::spawn(async move {
            let limit = service.patience();
            match timeout(limit, outcome).await {
                Ok(Ok(Err(error))) => tell(&service, &error),
                Ok(_) => {}
                Err(_) => {
                    task.abort();
                    tell(&service, &HookError::TimedOut(limit));
                }
            }
        });
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if !matches!(self.stage, Stage::Left) {
            self.task.abort();
        }
    }
}

/// The guest's task has ended without a word, which only a panic of the gateway's own brings about.
fn gone() -> HookError {
    HookError::Trapped("it was ended".into())
}

/// Of a failure that no exchange is left to hear of.
fn tell(service: &Service, error: &HookError) {
    service.count(error);
    let (plugin, kind) = (service.name(), error.kind());
    tracing::warn!(plugin, hook = HANDLE, kind, %error, "a component failed after its response");
}
