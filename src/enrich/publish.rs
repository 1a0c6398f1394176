//! To the bus, and the mark that it was.

use futures_util::future::join_all;

use super::{
    Enricher,
    incoming::Opened,
    settle::{Ending, Fate},
};
use crate::{
    cloud_event::Published,
    message::Reason,
    metrics::Metric,
    ports::{Bus, Clock, Entry, Ledger, Parts, PortError, PublishedMark, Written},
};

/// An event whose outgoing form is settled.
pub(super) struct Ready {
    pub(super) position: usize,
    pub(super) detail: String,
    /// Whether the ledger stores the detail. It need not where every copy of the message leads to the same one.
    pub(super) stored: bool,
}

impl<P: Parts> Enricher<P> {
    /// Publishes what is ready, and marks what the bus took.
    pub(super) async fn publish(&self, ready: Vec<Ready>, opened: &[Opened]) -> Vec<(usize, Ending)> {
        let (entries, published): (Vec<Entry>, Vec<Published>) = ready
            .iter()
            .map(|event| {
                let published = Published::read(&event.detail);
                let trace = opened.get(event.position).and_then(|message| message.incoming.trace.clone());
                (Entry { detail_type: published.detail_type.clone(), detail: event.detail.clone(), trace }, published)
            })
            .unzip();
        let results = self.bus.publish(&entries).await;
        let marks = ready.iter().zip(published).zip(results).map(async |((event, published), result)| {
            let ending = match result {
                Ok(()) => self.mark_published(event, &published, opened).await,
                Err(PortError::Invalid { call, cause }) => {
                    Ending::Failed { reason: Reason::InvalidEntry, cause: format!("{call}: {cause}") }
                }
                Err(error) => error.into(),
            };
            (event.position, ending)
        });
        join_all(marks).await
    }

    async fn mark_published(&self, event: &Ready, published: &Published, opened: &[Opened]) -> Ending {
        let Some(message) = opened.get(event.position) else {
            return Ending::Done(Fate::Published);
        };
        let identity = message.identity();
        let published_at_ms = self.clock.now_ms();
        let now_s = published_at_ms / 1000;
        let marked = if event.stored {
            let expires_at_s = self.expires_at_s(now_s);
            let mark = PublishedMark { now_ms: published_at_ms, expires_at_s, summary: &published.summary };
            self.ledger.published(&identity.key, &mark).await
        } else {
            self.ledger.published_unstored(&identity, now_s, self.expires_at_s(now_s)).await
        };
        match marked {
            // Refused: a twin marked it.
            Ok(Written::Yes | Written::Refused) => {
                if let Some(status) = published.enrichment_status {
                    self.metrics.count(Metric::Enrichments { status: status.as_str() });
                }
                if let Some(created_at_ms) = message.created_at_ms {
                    self.metrics.measure(Metric::PublishLatency, created_at_ms, published_at_ms);
                }
                Ending::Done(Fate::Published)
            }
            Err(error) => error.into(),
        }
    }
}
