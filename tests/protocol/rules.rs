//! What the product decides by, and how a test takes a piece of it away.

use capillary_events::ledger::writes::{
    CLAIM, Condition, MARK_FAILED_STORED, MARK_FAILED_UNSTORED, MARK_PUBLISHED, MARK_PUBLISHED_UNSTORED, STORE,
};

/// The conditions of all writes. By default those of the product.
#[derive(Debug, Clone)]
pub(crate) struct Rules {
    /// W1.
    pub(crate) claim: Condition<'static>,
    /// X1.
    pub(crate) store: Condition<'static>,
    /// P2.
    pub(crate) mark_published: Condition<'static>,
    /// P2 of what is not stored.
    pub(crate) mark_published_unstored: Condition<'static>,
    /// D2.
    pub(crate) mark_failed_stored: Condition<'static>,
    /// D2 where nothing is stored.
    pub(crate) mark_failed_unstored: Condition<'static>,
    /// What an implementer got wrong.
    pub(crate) slips: Vec<Slip>,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            claim: CLAIM,
            store: STORE,
            mark_published: MARK_PUBLISHED,
            mark_published_unstored: MARK_PUBLISHED_UNSTORED,
            mark_failed_stored: MARK_FAILED_STORED,
            mark_failed_unstored: MARK_FAILED_UNSTORED,
            slips: Vec::new(),
        }
    }
}

impl Rules {
    /// The product's, but for these.
    pub(crate) fn with(slips: &[Slip]) -> Self {
        Self { slips: slips.to_vec(), ..Self::default() }
    }

    pub(crate) fn slip(&self, slip: Slip) -> bool {
        self.slips.contains(&slip)
    }
}

/// A mistake that is easily made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Slip {
    /// X2 does not ask whether the snapshot is as it was read.
    FoundSnapshotUnchecked,
    /// X2 does not ask whether there is still none.
    MissingSnapshotUnchecked,
    /// A refused claim is not compared with one's own.
    ClaimIdUnread,
    /// X1 leaves `leaseUntil` in the row.
    LeaseKept,
    /// A row's fingerprint is not compared, by nobody.
    FingerprintUnread,
    PublishBeforeStore,
    MarkBeforePublish,
    MarkFailedBeforeDeadLetter,
    DeleteBeforeMark,
    FetchBeforeLook,
    /// FAILED is taken for the end.
    FailedReadAsDone,
    /// FAILED forgets what was stored.
    FailedForgetsDetail,
    /// Only what changed is stored; the entity's state is that of the snapshot at the time of publishing.
    OnlyTheChangeStored,
    /// What is stored may be forgotten before it is published.
    StoredRowsExpire,
    /// So may what is stored in a row that failed, while its message can still come back.
    FailedRowsExpireEarly,
    /// Marking as published does not prolong the row.
    ExpiryNeverMoved,
    TombstoneOverwritable,
    VersionFromOne,
    /// A difference under equal stamps counts at once.
    NoWaitForReplicas,
    /// What the event says of its changes is published as it is.
    EventBelieved,
}
