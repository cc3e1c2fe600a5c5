//! What the log hears of anchors: changes only, or each anchored record would make the next one.

use super::Error;
use crate::audit::{Draft, Kind};
use std::collections::HashSet;

/// Which anchors work, as the log has been told.
#[derive(Debug, Default)]
pub(in crate::audit) struct Told {
    works: HashSet<String>,
    fails: HashSet<String>,
}

impl Told {
    /// Records that an anchor began to work, or to fail.
    pub(in crate::audit) fn tell(
        &mut self,
        append: &dyn Fn(Draft),
        target: &str,
        size: u64,
        failure: Option<Error>,
    ) {
        let Some(why) = failure else {
            self.fails.remove(target);
            if self.works.insert(target.to_owned()) {
                append(Draft::new(Kind::AnchorOk).member("size", &size).member("target", target));
            }
            return;
        };
        self.works.remove(target);
        if self.fails.insert(target.to_owned()) {
            let reason: String = why.to_string().chars().take(300).collect();
            tracing::error!("a checkpoint is not anchored: {reason}");
            let draft = Draft::new(Kind::AnchorFail).member("reason", &reason);
            append(draft.member("size", &size).member("target", target));
        }
    }
}
