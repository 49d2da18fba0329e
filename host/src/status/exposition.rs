//! Prometheus' text format, version 0.0.4.
//!
//! Libraries for it count themselves, or write OpenMetrics, whose names of counters `promtool` objects to. All that is
//! needed here is to write numbers that others have counted.

use std::fmt::Write as _;

/// The content type of the format.
pub(super) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What a metric is.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    /// A number that only increases. Its name ends in `_total`.
    Counter,
    /// Any number.
    Gauge,
    /// Cumulative buckets, with a sum and a count.
    Histogram,
}

/// The names and values of labels.
pub(super) type Labels<'a> = [(&'a str, &'a str)];

/// Metrics in the text format.
#[derive(Default)]
pub(super) struct Exposition {
    text: String,
    /// The name of the metric whose samples follow.
    name: &'static str,
}

impl Exposition {
    /// Begins a metric. Its samples must follow, each with other labels.
    pub(super) fn metric(&mut self, name: &'static str, kind: Kind, help: &str) -> &mut Self {
        let kind = match kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        };
        self.name = name;
        self.write(&format!("# HELP {name} {help}\n# TYPE {name} {kind}\n"));
        self
    }

    /// Adds a sample of the metric.
    pub(super) fn sample(&mut self, labels: &Labels<'_>, value: f64) -> &mut Self {
        self.sample_with_suffix("", labels, value)
    }

    /// Adds a sample of a part of the metric, such as `_sum`.
    pub(super) fn sample_with_suffix(&mut self, suffix: &str, labels: &Labels<'_>, value: f64) -> &mut Self {
        let labels: Vec<_> = labels.iter().map(|(name, value)| format!("{name}=\"{}\"", escape(value))).collect();
        let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
        self.write(&format!("{}{suffix}{labels} {value}\n", self.name));
        self
    }

    /// The text of all metrics.
    pub(super) fn into_text(self) -> String {
        self.text
    }

    fn write(&mut self, text: &str) {
        // Writing to a string cannot fail.
        let _ = self.text.write_str(text);
    }
}

/// Escapes the value of a label.
fn escape(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_labels_are_escaped() {
        let mut exposition = Exposition::default();
        exposition.metric("a_total", Kind::Counter, "Help.").sample(&[("b", "\"\\\n"), ("c", "ä")], 1.5);
        exposition.metric("d", Kind::Gauge, "Other.").sample(&[], 0.0);
        assert_eq!(
            exposition.into_text(),
            "# HELP a_total Help.\n# TYPE a_total counter\na_total{b=\"\\\"\\\\\\n\",c=\"ä\"} 1.5\n\
             # HELP d Other.\n# TYPE d gauge\nd 0\n"
        );
    }
}
