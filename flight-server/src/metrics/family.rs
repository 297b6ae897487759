//! Family: figures of one name, and all of them as text.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

/// What kind of figures a family has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    /// Only grows, until its process ends.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Counts by upper bounds.
    Histogram,
}

/// Figures of one name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Family {
    name: String,
    help: String,
    kind: Kind,
    samples: Vec<Sample>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Sample {
    /// What follows the family's name: `_bucket`, `_sum`, `_count`, or nothing.
    suffix: String,
    labels: Vec<(String, String)>,
    value: f64,
}

impl Family {
    pub(crate) fn new(kind: Kind, name: &str, help: &str) -> Self {
        Self { name: name.to_owned(), help: help.to_owned(), kind, samples: Vec::new() }
    }

    /// A gauge of one figure.
    pub(crate) fn gauge(name: &str, help: &str, value: f64) -> Self {
        Self::new(Kind::Gauge, name, help).with(&[], value)
    }

    /// A counter of one figure.
    pub(crate) fn counter(name: &str, help: &str, value: f64) -> Self {
        Self::new(Kind::Counter, name, help).with(&[], value)
    }

    /// Adds a figure.
    pub(crate) fn with(mut self, labels: &[(&str, &str)], value: f64) -> Self {
        self.push("", labels, value);
        self
    }

    /// Makes a histogram: `counts` has one number for each bound, of what is above the bound before, and one for the rest.
    pub(crate) fn histogram(name: &str, help: &str, bounds: &[f64], counts: &[u64], sum: f64) -> Self {
        let mut family = Self::new(Kind::Histogram, name, help);
        let mut so_far = 0;
        for (index, bound) in bounds.iter().enumerate() {
            so_far += counts.get(index).copied().unwrap_or(0);
            family.push("_bucket", &[("le", &bound.to_string())], figure(so_far));
        }
        let all = figure(counts.iter().sum());
        family.push("_bucket", &[("le", "+Inf")], all);
        family.push("_sum", &[], sum);
        family.push("_count", &[], all);
        family
    }

    fn push(&mut self, suffix: &str, labels: &[(&str, &str)], value: f64) {
        let labels = labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        self.samples.push(Sample { suffix: suffix.to_owned(), labels, value });
    }

    /// Says of all figures which process they are of.
    fn of(mut self, process: &str) -> Self {
        for sample in &mut self.samples {
            sample.labels.insert(0, ("worker".to_owned(), process.to_owned()));
        }
        self
    }
}

/// A count as a figure: exact up to 2^53.
pub(crate) fn figure(count: u64) -> f64 {
    #[expect(clippy::as_conversions, reason = "the text of Prometheus has no other numbers")]
    let figure = count as f64;
    figure
}

/// Puts the figures of several processes together, each with the name of its process.
pub(crate) fn merged(processes: Vec<(String, Vec<Family>)>) -> Vec<Family> {
    let mut all: BTreeMap<String, Family> = BTreeMap::new();
    for (process, families) in processes {
        for family in families {
            let family = family.of(&process);
            match all.get_mut(&family.name) {
                Some(known) => known.samples.extend(family.samples),
                None => drop(all.insert(family.name.clone(), family)),
            }
        }
    }
    all.into_values().collect()
}

/// Writes figures as Prometheus reads them.
pub(crate) fn text(families: &[Family]) -> String {
    let mut text = String::new();
    for Family { name, help, kind, samples } in families {
        let kind = match kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        };
        // Writing to a text can't fail.
        let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
        for Sample { suffix, labels, value } in samples {
            let labels: Vec<String> =
                labels.iter().map(|(name, value)| format!("{name}=\"{}\"", escaped(value))).collect();
            let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
            let _ = writeln!(text, "{name}{suffix}{labels} {value}");
        }
    }
    text
}

fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_of_processes_stand_together_under_one_name() {
        let families = |value| {
            vec![
                Family::gauge("b_running", "Queries that run.", value),
                Family::histogram("a_seconds", "How long.", &[0.5, 1.0], &[3, 0, 1], 4.5),
            ]
        };
        let all = merged(vec![("1.1".to_owned(), families(2.0)), ("2.1".to_owned(), families(7.0))]);
        let text = text(&all);
        assert_eq!(text.matches("# TYPE a_seconds histogram").count(), 1);
        for line in [
            r#"a_seconds_bucket{worker="1.1",le="0.5"} 3"#,
            r#"a_seconds_bucket{worker="1.1",le="1"} 3"#,
            r#"a_seconds_bucket{worker="2.1",le="+Inf"} 4"#,
            r#"a_seconds_sum{worker="2.1"} 4.5"#,
            r#"b_running{worker="2.1"} 7"#,
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
        }
    }

    #[test]
    fn labels_are_escaped() {
        let family = Family::new(Kind::Counter, "x_total", "X.").with(&[("how", "a\"b\\c\n")], 1.0);
        assert!(text(&[family]).ends_with("x_total{how=\"a\\\"b\\\\c\\n\"} 1\n"));
    }
}
