//! What plugins count and observe themselves: series with labels of their own, so many for each
//! use and no more. A plugin may take a label's value from a request; the bound is what keeps a
//! client from making series without end.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use parking_lot::{Mutex, RwLock};
use prometheus::{
    Histogram, HistogramOpts, IntCounter, IntCounterVec, Opts,
    core::{Collector, Desc},
    proto::MetricFamily,
};

const EVENTS: (&str, &str) = ("tollgate_plugin_events_total", "What plugins count.");
const OBSERVATIONS: (&str, &str) =
    ("tollgate_plugin_observations", "What plugins observe, in units of their own.");

/// For values of any unit, from thousandths to ten thousands.
const BUCKETS: [f64; 15] = [
    0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 50.0, 100.0, 500.0, 1000.0, 5000.0,
    10_000.0,
];

/// Longest name of a metric or label, in bytes.
const MAX_NAME: usize = 64;

/// Longest value of a label, in bytes; the rest of a longer one is cut off.
const MAX_VALUE: usize = 128;

/// Labels of one series, beside the gateway's.
const MAX_LABELS: usize = 8;

/// Labels that are not a plugin's to set.
const RESERVED: [&str; 3] = ["plugin", "metric", "le"];

/// Pairs of names and values, ordered by name.
type Labels = Vec<(String, String)>;

/// All series of plugins, by the name of the use.
#[derive(Clone)]
pub(crate) struct PluginSeries {
    uses: Arc<Mutex<BTreeMap<String, Arc<UseSeries>>>>,
    dropped: IntCounterVec,
    descriptions: Arc<[Desc]>,
}

/// The series of one use, over all its instances and generations.
pub(crate) struct UseSeries {
    plugin: String,
    series: RwLock<HashMap<String, Series>>,
    dropped: IntCounterVec,
    is_full: AtomicBool,
}

enum Series {
    Counter(IntCounter),
    Histogram(Histogram),
}

/// What plugins wanted to tell and was dropped; the label in metrics.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Dropped {
    LogLines,
    /// Counts and observations beyond the use's number of series.
    Series,
    /// Those with a name, label or value that no metric can have.
    Invalid,
}

impl PluginSeries {
    pub(super) fn new(dropped: IntCounterVec) -> prometheus::Result<Self> {
        let description = |(name, help): (&str, &str)| {
            let labels = vec!["plugin".to_owned(), "metric".to_owned()];
            Desc::new(name.to_owned(), help.to_owned(), labels, HashMap::new())
        };
        let descriptions = Arc::new([description(EVENTS)?, description(OBSERVATIONS)?]);
        Ok(Self { uses: Arc::default(), dropped, descriptions })
    }

    pub(crate) fn of(&self, plugin: &str) -> Arc<UseSeries> {
        let mut uses = self.uses.lock();
        let new = || {
            Arc::new(UseSeries {
                plugin: plugin.to_owned(),
                series: RwLock::default(),
                dropped: self.dropped.clone(),
                is_full: AtomicBool::new(false),
            })
        };
        Arc::clone(uses.entry(plugin.to_owned()).or_insert_with(new))
    }
}

impl Collector for PluginSeries {
    fn desc(&self) -> Vec<&Desc> {
        self.descriptions.iter().collect()
    }

    /// Families of one name are joined by the registry.
    fn collect(&self) -> Vec<MetricFamily> {
        let uses: Vec<_> = self.uses.lock().values().map(Arc::clone).collect();
        let collect = |series: &Series| match series {
            Series::Counter(counter) => counter.collect(),
            Series::Histogram(histogram) => histogram.collect(),
        };
        let each = |used: &Arc<UseSeries>| -> Vec<MetricFamily> {
            used.series.read().values().flat_map(collect).collect()
        };
        uses.iter().flat_map(each).collect()
    }
}

impl UseSeries {
    /// Adds to a counter; `most`: series that the use may have.
    pub(crate) fn count(&self, most: usize, metric: &str, labels: Labels, by: u64) {
        self.record(most, EVENTS.0, metric, labels, |series| {
            if let Series::Counter(counter) = series {
                counter.inc_by(by);
            }
        });
    }

    /// Adds a value to a histogram. Infinities and what is no number are dropped.
    pub(crate) fn observe(&self, most: usize, metric: &str, labels: Labels, value: f64) {
        if !value.is_finite() {
            return self.note_dropped(Dropped::Invalid);
        }
        self.record(most, OBSERVATIONS.0, metric, labels, |series| {
            if let Series::Histogram(histogram) = series {
                histogram.observe(value);
            }
        });
    }

    pub(crate) fn note_dropped(&self, what: Dropped) {
        let what = match what {
            Dropped::LogLines => "log_lines",
            Dropped::Series => "series",
            Dropped::Invalid => "invalid",
        };
        self.dropped.with_label_values(&[self.plugin.as_str(), what]).inc();
    }

    fn record(
        &self,
        most: usize,
        family: &'static str,
        metric: &str,
        labels: Labels,
        record: impl Fn(&Series),
    ) {
        let Some(labels) = valid(metric, labels) else {
            return self.note_dropped(Dropped::Invalid);
        };
        let key = key(family, metric, &labels);
        if let Some(series) = self.series.read().get(&key) {
            return record(series);
        }
        let mut all = self.series.write();
        if !all.contains_key(&key) && all.len() >= most {
            drop(all);
            return self.is_over(most);
        }
        match self.make(family, metric, labels) {
            Ok(new) => record(all.entry(key).or_insert(new)),
            Err(_) => self.note_dropped(Dropped::Invalid),
        }
    }

    fn is_over(&self, most: usize) {
        self.note_dropped(Dropped::Series);
        if !self.is_full.swap(true, Ordering::Relaxed) {
            let plugin = self.plugin.as_str();
            tracing::warn!(
                plugin,
                most,
                "a plugin has as many series as it may; others are dropped"
            );
        }
    }

    fn make(&self, family: &str, metric: &str, labels: Labels) -> prometheus::Result<Series> {
        let mut labels: HashMap<_, _> = labels.into_iter().collect();
        labels.insert("plugin".to_owned(), self.plugin.clone());
        labels.insert("metric".to_owned(), metric.to_owned());
        Ok(if family == EVENTS.0 {
            let options = Opts::new(EVENTS.0, EVENTS.1).const_labels(labels);
            Series::Counter(IntCounter::with_opts(options)?)
        } else {
            let options = HistogramOpts::new(OBSERVATIONS.0, OBSERVATIONS.1).const_labels(labels);
            Series::Histogram(Histogram::with_opts(options.buckets(BUCKETS.to_vec()))?)
        })
    }
}

/// The labels in one order, long values cut; `None` where a metric cannot have them.
fn valid(metric: &str, mut labels: Labels) -> Option<Labels> {
    let is_word = |name: &str| {
        !name.is_empty()
            && name.len() <= MAX_NAME
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    };
    let is_label = |name: &str| {
        is_word(name)
            && !name.starts_with(|first: char| first.is_ascii_digit())
            && !name.starts_with("__")
            && !RESERVED.contains(&name)
    };
    labels.sort();
    let is_valid = is_word(metric)
        && labels.len() <= MAX_LABELS
        && labels.iter().all(|(name, _)| is_label(name))
        && labels.windows(2).all(|pair| pair[0].0 != pair[1].0);
    for (_, value) in &mut labels {
        value.truncate(value.floor_char_boundary(MAX_VALUE));
    }
    is_valid.then_some(labels)
}

/// Names hold no line break, and a value ends where its length says.
fn key(family: &str, metric: &str, labels: &Labels) -> String {
    let mut key = format!("{family}\n{metric}");
    for (name, value) in labels {
        key.push_str(&format!("\n{name}\n{}\n{value}", value.len()));
    }
    key
}

#[cfg(test)]
mod tests {
    use prometheus::Registry;

    use super::*;

    fn series() -> PluginSeries {
        let dropped = Opts::new("dropped", "Of a test.");
        let dropped = IntCounterVec::new(dropped, &["plugin", "kind"]).expect("a metric");
        PluginSeries::new(dropped).expect("it is sound")
    }

    fn labels(pairs: &[(&str, &str)]) -> Labels {
        pairs.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect()
    }

    fn dropped(series: &PluginSeries, kind: &str) -> u64 {
        series.dropped.with_label_values(&["p", kind]).get()
    }

    #[test]
    fn series_are_told_apart_by_metric_and_labels_in_any_order() {
        let series = series();
        let used = series.of("p");
        used.count(10, "hits", labels(&[("a", "1"), ("b", "2")]), 3);
        used.count(10, "hits", labels(&[("b", "2"), ("a", "1")]), 4);
        used.count(10, "hits", labels(&[("a", "1")]), 5);
        used.count(10, "hits", labels(&[]), 6);
        used.observe(10, "hits", labels(&[("a", "1")]), 0.02);
        let registry = Registry::new();
        registry.register(Box::new(series)).expect("nothing else is there");
        let text = prometheus::TextEncoder::new().encode_to_string(&registry.gather());
        let text = text.expect("text");
        for line in [
            r#"tollgate_plugin_events_total{a="1",b="2",metric="hits",plugin="p"} 7"#,
            r#"tollgate_plugin_events_total{a="1",metric="hits",plugin="p"} 5"#,
            r#"tollgate_plugin_events_total{metric="hits",plugin="p"} 6"#,
            r#"tollgate_plugin_observations_bucket{a="1",metric="hits",plugin="p",le="0.05"} 1"#,
            r#"tollgate_plugin_observations_sum{a="1",metric="hits",plugin="p"} 0.02"#,
        ] {
            assert!(text.lines().any(|own| own == line), "{line} in\n{text}");
        }
        assert_eq!(text.matches("# TYPE").count(), 2, "{text}");
    }

    #[test]
    fn a_use_has_so_many_series_and_those_go_on() {
        let series = series();
        let used = series.of("p");
        for number in 0..1000 {
            used.count(20, "hits", labels(&[("client", &number.to_string())]), 1);
        }
        assert_eq!((series.collect().len(), dropped(&series, "series")), (20, 980));
        used.count(20, "hits", labels(&[("client", "3")]), 1);
        assert_eq!(dropped(&series, "series"), 980);
        series.of("other").count(20, "hits", Labels::new(), 1);
        assert_eq!(series.collect().len(), 21, "others have their own");
    }

    #[test]
    fn what_no_metric_can_have_is_dropped() {
        let series = series();
        let used = series.of("p");
        let long = "x".repeat(65);
        for name in ["", "a-b", "1a", "__a", "plugin", "metric", "le", "a b", "ä", &long] {
            used.count(10, "hits", labels(&[(name, "1")]), 1);
        }
        used.count(10, "hits", labels(&[("a", "1"), ("a", "2")]), 1);
        used.count(10, "hits", (0..9).map(|n| (format!("l{n}"), String::new())).collect(), 1);
        for metric in ["", "a.b", &long] {
            used.count(10, metric, Labels::new(), 1);
        }
        for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            used.observe(10, "hits", Labels::new(), value);
        }
        assert_eq!((series.collect().len(), dropped(&series, "invalid")), (0, 18));
    }

    #[test]
    fn a_long_value_is_cut_and_none_passes_for_another() {
        let series = series();
        let used = series.of("p");
        used.count(10, "hits", labels(&[("a", &"ä".repeat(100))]), 1);
        used.count(10, "hits", labels(&[("a", "1\nb\n1\n2")]), 1);
        used.count(10, "hits", labels(&[("a", "1"), ("b", "2")]), 1);
        let families = series.collect();
        assert_eq!(families.len(), 3);
        let values = families.iter().flat_map(|family| family.get_metric()[0].get_label());
        assert!(values.into_iter().all(|label| label.value().len() <= MAX_VALUE));
    }
}
