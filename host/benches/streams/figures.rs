//! Medians, percentiles and ratios.

use std::time::Duration;

/// The measurements of several servers in several rounds.
pub struct Rounds<T> {
    /// Of each round, one measurement for each server.
    rounds: Vec<Vec<T>>,
    /// The index of the server to compare with.
    baseline: usize,
}

impl<T> Rounds<T> {
    /// Measures each server once in each round, so that all servers see the same conditions. Ratios compare with the
    /// server at index `baseline`.
    pub fn measure<S>(count: usize, servers: &[S], baseline: usize, measure: impl Fn(&S) -> T) -> Self {
        Self { rounds: (0..count).map(|_| servers.iter().map(&measure).collect()).collect(), baseline }
    }

    /// Returns the median of a server's figure.
    pub fn median(&self, server: usize, figure: impl Fn(&T) -> f64) -> f64 {
        median(self.of(server).map(figure))
    }

    /// Returns the median of the ratio of a server's figure to the baseline's in the same round.
    pub fn ratio(&self, server: usize, figure: impl Fn(&T) -> f64) -> f64 {
        median(self.rounds.iter().map(|round| figure(&round[server]) / figure(&round[self.baseline])))
    }

    /// Returns all measurements of a server.
    pub fn of(&self, server: usize) -> impl Iterator<Item = &T> {
        self.rounds.iter().map(move |round| &round[server])
    }
}

/// Returns the median.
pub fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<_> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Converts to milliseconds.
pub fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}
