//! Takes over the upstreams that did not change, and makes the others.

use std::{collections::HashMap, sync::Arc};

use futures_util::{StreamExt as _, stream};

use super::{
    Builder, Failure, Generation,
    build::{Findings, tls_faults},
};
use crate::{
    config::{self, Config},
    reload::Stamps,
    upstream::Upstream,
};

/// Upstreams whose names are looked up at one time.
const RESOLVED_AT_ONCE: usize = 8;

impl Builder {
    pub(super) async fn upstreams(
        &self,
        config: &Config,
        previous: Option<&Generation>,
        stamps: &Stamps,
    ) -> Result<HashMap<String, Arc<Upstream>>, Failure> {
        let mut upstreams = HashMap::new();
        let mut new = Vec::new();
        let mut found = Findings::default();
        for (name, wanted) in &config.upstreams {
            let before = previous.and_then(|previous| previous.upstreams.get(name).cloned());
            // One whose certificates have changed is made anew.
            let running = previous
                .filter(|previous| stamps.agree(&previous.stamps, wanted.tls.as_ref()))
                .and(before.as_ref())
                .filter(|running| running.config == *wanted);
            let upstream = match running {
                Some(running) => Arc::clone(running),
                None => {
                    let Some(upstream) = found.keep(self.new_upstream(config, wanted)) else {
                        continue;
                    };
                    let upstream = Arc::new(upstream);
                    new.push((Arc::clone(&upstream), before));
                    upstream
                }
            };
            upstreams.insert(name.clone(), upstream);
        }
        let upstreams = found.or(Some(upstreams))?;
        let watch = |(upstream, before): (Arc<Upstream>, Option<Arc<Upstream>>)| async move {
            self.resolver.watch(&upstream, before.as_deref()).await;
        };
        stream::iter(new).for_each_concurrent(RESOLVED_AT_ONCE, watch).await;
        Ok(upstreams)
    }

    fn new_upstream(
        &self,
        config: &Config,
        wanted: &Arc<config::Upstream>,
    ) -> Result<Upstream, Failure> {
        let made = Upstream::new(wanted, &self.metrics, self.workers);
        made.map_err(|faults| Failure(tls_faults(config, faults)))
    }
}
