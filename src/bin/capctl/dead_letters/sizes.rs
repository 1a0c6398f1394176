//! How many messages a queue has, as far as SQS tells.

use aws_sdk_sqs::{Client, types::QueueAttributeName};

use crate::{aws, output::Failure};

/// About how many messages a queue has, those included that somebody works on or that wait for their time.
pub(crate) async fn count(client: &Client, url: &str) -> Result<u64, Failure> {
    Ok(sizes(client, url).await?.all())
}

/// About how many messages a queue has.
pub(crate) struct Sizes {
    pub(super) visible: u64,
    /// Somebody has received them and not given them back yet.
    pub(crate) hidden: u64,
    delayed: u64,
}

impl Sizes {
    pub(crate) fn all(&self) -> u64 {
        self.visible.saturating_add(self.hidden).saturating_add(self.delayed)
    }
}

pub(super) async fn sizes(client: &Client, url: &str) -> Result<Sizes, Failure> {
    use QueueAttributeName::{
        ApproximateNumberOfMessages as Visible, ApproximateNumberOfMessagesDelayed as Delayed,
        ApproximateNumberOfMessagesNotVisible as NotVisible,
    };
    let request = client.get_queue_attributes().queue_url(url).set_attribute_names(Some(vec![Visible, NotVisible, Delayed]));
    let answer = request.send().await.map_err(|error| aws::failure("SQS.GetQueueAttributes", &error))?;
    let known = answer.attributes.unwrap_or_default();
    let number = |name| known.get(&name).and_then(|text| text.parse().ok()).unwrap_or_default();
    Ok(Sizes { visible: number(Visible), hidden: number(NotVisible), delayed: number(Delayed) })
}
