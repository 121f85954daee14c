//! What was seen of the engine while it worked: the most of each figure.

use crate::chaos::leaks::State;

#[derive(Default)]
pub struct Watch {
    most: State,
    last: State,
    looks: u64,
}

impl Watch {
    pub fn see(&mut self, state: &State) {
        self.looks += 1;
        self.last = *state;
        let most = &mut self.most;
        for (most, now) in [
            (&mut most.sessions, state.sessions),
            (&mut most.queries, state.queries),
            (&mut most.waiting, state.waiting),
            (&mut most.descriptors, state.descriptors),
            (&mut most.threads, state.threads),
            (&mut most.resident, state.resident),
            (&mut most.shared, state.shared),
            (&mut most.file, state.file),
            (&mut most.segments, state.segments),
            (&mut most.spill_files, state.spill_files),
            (&mut most.backends, state.backends),
        ] {
            *most = now.max(*most);
        }
    }

    /// Whether a query was seen to spill.
    pub fn spilled(&self) -> bool {
        self.most.spill_files > 0
    }

    pub fn last(&self) -> String {
        format!("{}, {} spill files", self.last.footprint(), self.last.spill_files)
    }

    pub fn summary(&self) -> String {
        let most = &self.most;
        format!(
            "the most of each in {} looks: {}, {} sessions, {} segments, {} queries, {} waiting, {} spill files, {} backends",
            self.looks,
            most.footprint(),
            most.sessions,
            most.segments,
            most.queries,
            most.waiting,
            most.spill_files,
            most.backends
        )
    }
}
