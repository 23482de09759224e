//! What a gateway's admin server says.

use serde_json::Value;

use crate::{Gateway, Reply, client, wait};

impl Gateway {
    /// `GET` from the admin server.
    pub async fn admin(&self, path: &str) -> Reply {
        client::get(self.admin, path, &[("host", "localhost")]).await
    }

    /// `GET /status`.
    pub async fn status(&self) -> Value {
        self.admin("/status").await.json()
    }

    /// The number of the running generation.
    pub async fn generation(&self) -> u64 {
        self.status().await["generation"].as_u64().expect("a number")
    }

    /// `POST /reload`: waits for its end, and gives the answer.
    pub async fn reload(&self) -> Reply {
        client::send(self.admin, client::request("POST", "/reload", &[("host", "localhost")], ""))
            .await
    }

    /// Reloads, and fails the test where that is refused.
    pub async fn reload_well(&self) {
        let reply = self.reload().await;
        assert_eq!(reply.status, 200, "{}", reply.text());
    }

    /// Waits until this generation, or a later one, runs.
    pub async fn generation_reaches(&self, number: u64) {
        wait::until(&format!("generation {number}"), async || {
            (self.generation().await >= number).then_some(())
        })
        .await;
    }

    /// Waits until so many reloads have failed.
    pub async fn failed_reloads_reach(&self, number: u64) {
        wait::until(&format!("{number} failed reloads"), async || {
            let failed = self.metric("tollgate_reloads_total", &[("result", "failure")]).await;
            (failed >= number as f64).then_some(())
        })
        .await;
    }

    /// A metric's value, the sum of all series with these labels; 0 where there is none.
    pub async fn metric(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let text = self.admin("/metrics").await.text();
        let labels: Vec<_> =
            labels.iter().map(|(name, value)| format!("{name}=\"{value}\"")).collect();
        let series = text.lines().filter_map(|line| {
            let (series, value) = line.rsplit_once(' ')?;
            let (found, rest) = series.split_once('{').unwrap_or((series, ""));
            let fits = found == name && labels.iter().all(|label| rest.contains(label));
            fits.then(|| value.parse::<f64>().expect("a number"))
        });
        series.sum()
    }
}
