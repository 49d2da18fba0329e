//! The frames of one camera that have results.

use std::collections::VecDeque;
use std::sync::Arc;

use super::findings::{Findings, FindingsError};
use super::zones::{self, Corner, Zone};
use crate::camera::Timestamp;

/// The most frames of a camera whose results are kept: half a minute at 30 frames per second.
pub const MAX_ENTRIES: usize = 1024;

/// The most memory for the results that are kept for a camera, in bytes.
pub const MAX_BYTES: usize = 1 << 20;

/// What an entry takes besides its findings, in bytes. So empty results are limited as well.
const ENTRY_BYTES: usize = 128;

/// A frame that has results.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The number of the frame.
    pub sequence: u64,
    /// When it was captured.
    pub timestamp: Timestamp,
    /// All its results so far.
    pub findings: Findings,
    /// Increases with each change to the results of the camera.
    pub(super) revision: u64,
    /// The generation of the guest that attached them.
    generation: u64,
}

impl Entry {
    fn memory(&self) -> usize {
        ENTRY_BYTES + self.findings.memory()
    }
}

/// The frames of one camera that have results.
#[derive(Debug, Default)]
pub(super) struct Entries {
    /// Ordered by revision.
    entries: VecDeque<Arc<Entry>>,
    /// The memory that they take together.
    bytes: usize,
    /// The revision of the newest entry, 0 before the first.
    revision: u64,
    /// The newest generation that has attached results or set zones.
    generation: u64,
    /// The zones that this generation has set, or those of older ones before it does anything.
    zones: Vec<Zone>,
}

impl Entries {
    /// Adds results to those of a frame, if it has some of the same generation. Returns the entry, or `None` if a newer
    /// generation has attached results to this camera.
    ///
    /// # Errors
    ///
    /// Fails if the results of the frame exceed a limit together, and changes nothing then.
    pub(super) fn attach(
        &mut self,
        sequence: u64,
        timestamp: Timestamp,
        findings: Findings,
        generation: u64,
    ) -> Result<Option<Arc<Entry>>, FindingsError> {
        if generation < self.generation {
            return Ok(None);
        }
        // Those of an older generation belong to another detector.
        let keeps_zones = generation == self.generation;
        // Usually, the results are those of a recent frame.
        let position = self.entries.iter().rposition(|entry| entry.sequence == sequence);
        let existing = position.and_then(|position| self.entries.get(position));
        let findings = match existing {
            Some(existing) if existing.generation == generation => existing.findings.clone().merged(findings)?,
            _ => findings,
        };
        if let Some(replaced) = position.and_then(|position| self.entries.remove(position)) {
            self.bytes -= replaced.memory();
        }
        self.generation = generation;
        if !keeps_zones {
            self.zones.clear();
        }
        self.revision += 1;
        let entry = Arc::new(Entry { sequence, timestamp, findings, revision: self.revision, generation });
        self.bytes += entry.memory();
        self.entries.push_back(entry.clone());
        while self.entries.len() > MAX_ENTRIES || self.bytes > MAX_BYTES {
            let Some(oldest) = self.entries.pop_front() else { break };
            self.bytes -= oldest.memory();
        }
        Ok(Some(entry))
    }

    /// Replaces the zones with this label, which were checked, unless a newer generation has attached results or set
    /// zones.
    ///
    /// # Errors
    ///
    /// Fails if there would be too many zones, and changes nothing then.
    pub(super) fn set_zones(
        &mut self,
        label: &str,
        zones: Vec<Vec<Corner>>,
        generation: u64,
    ) -> Result<(), FindingsError> {
        if generation < self.generation {
            return Ok(());
        }
        let mut all = if generation == self.generation { self.zones.clone() } else { Vec::new() };
        zones::replace(&mut all, label, zones)?;
        (self.generation, self.zones) = (generation, all);
        Ok(())
    }

    /// The zones of the camera.
    pub(super) fn zones(&self) -> &[Zone] {
        &self.zones
    }

    /// Returns the oldest entry that is newer than this revision.
    pub(super) fn after(&self, revision: u64) -> Option<Arc<Entry>> {
        let position = self.entries.partition_point(|entry| entry.revision <= revision);
        self.entries.get(position).cloned()
    }

    /// Returns the entry of the frame with this number.
    pub(super) fn of_frame(&self, sequence: u64) -> Option<Arc<Entry>> {
        self.entries.iter().rfind(|entry| entry.sequence == sequence).cloned()
    }

    /// Returns the newest entry.
    pub(super) fn newest(&self) -> Option<Arc<Entry>> {
        self.entries.back().cloned()
    }

    /// The revision of the newest entry, 0 before the first.
    pub(super) fn revision(&self) -> u64 {
        self.revision
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::findings::{BoundingBox, MAX_BOXES, MAX_ENTRY_BYTES, Number, Text};

    fn number(value: f64) -> Findings {
        Findings { numbers: vec![Number { name: "n".into(), value }], ..Findings::default() }
    }

    fn attach(entries: &mut Entries, sequence: u64, findings: Findings, generation: u64) -> bool {
        entries.attach(sequence, Timestamp::now(), findings, generation).unwrap().is_some()
    }

    fn value_of(entries: &Entries, sequence: u64) -> Option<f64> {
        Some(entries.of_frame(sequence)?.findings.numbers[0].value)
    }

    #[test]
    fn entries_follow_in_the_order_of_their_results() {
        let mut entries = Entries::default();
        for sequence in [5, 3, 8, 5] {
            assert!(attach(&mut entries, sequence, number(sequence as f64), 1));
        }
        let mut revision = 0;
        let mut order = Vec::new();
        while let Some(entry) = entries.after(revision) {
            revision = entry.revision;
            order.push(entry.sequence);
        }
        assert_eq!(order, [3, 8, 5], "each frame once, with its last results");
        assert_eq!(entries.newest().unwrap().sequence, 5);
    }

    #[test]
    fn a_newer_generation_replaces_results_and_an_older_one_is_ignored() {
        let mut entries = Entries::default();
        assert!(attach(&mut entries, 1, number(1.0), 1));
        assert!(attach(&mut entries, 2, number(1.0), 1));
        assert!(attach(&mut entries, 2, Findings::default(), 2));
        assert!(!attach(&mut entries, 3, number(1.0), 1));
        assert_eq!(value_of(&entries, 1), Some(1.0), "earlier results stay");
        assert!(entries.of_frame(2).unwrap().findings.numbers.is_empty());
        assert!(entries.of_frame(3).is_none());
    }

    #[test]
    fn the_limit_is_on_memory_and_not_on_the_length_of_texts() {
        let mut entries = Entries::default();
        let boxed = || BoundingBox { label: "a".into(), score: 1.0, left: 0.0, top: 0.0, width: 1.0, height: 1.0 };
        let many = Findings { boxes: (0..MAX_BOXES).map(|_| boxed()).collect(), ..Findings::default() };
        for sequence in 0..200 {
            attach(&mut entries, sequence, many.clone(), 1);
        }
        let boxes = entries.entries.len() * MAX_BOXES;
        // A label of one byte takes the least chunk of the allocator.
        assert!(boxes * (size_of::<BoundingBox>() + 32) <= MAX_BYTES, "{boxes} boxes are kept");
    }

    #[test]
    fn the_oldest_entries_are_dropped_first() {
        let mut entries = Entries::default();
        for sequence in 0..MAX_ENTRIES as u64 + 2 {
            attach(&mut entries, sequence, Findings::default(), 1);
        }
        assert!(entries.of_frame(1).is_none() && entries.of_frame(2).is_some());
        assert_eq!(entries.entries.len(), MAX_ENTRIES);
        // Long results take more room.
        let text = Text { name: "t".into(), value: "x".repeat(MAX_ENTRY_BYTES - 1) };
        for sequence in 5000..5100 {
            attach(&mut entries, sequence, Findings { texts: vec![text.clone()], ..Findings::default() }, 1);
        }
        assert!(entries.bytes <= MAX_BYTES && entries.entries.len() < 100);
        assert_eq!(entries.bytes, entries.entries.iter().map(|entry| entry.memory()).sum::<usize>());
    }
}
