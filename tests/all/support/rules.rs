//! Rules of a bus, each with a queue behind it.

use aws_sdk_eventbridge::types::Target;
use aws_sdk_sqs::types::QueueAttributeName;

use super::stack::Aws;

/// A queue that gets what a pattern lets through.
pub(crate) struct Rule {
    bus: String,
    name: String,
    /// The queue's URL.
    pub(crate) queue: String,
}

/// The one target of these rules.
const TARGET_ID: &str = "queue";

impl Rule {
    /// Makes a rule and its queue, both of that name.
    pub(crate) async fn create(aws: &Aws, bus: &str, name: &str, pattern: &str) -> Self {
        let (queue, arn) = create_queue(aws, name).await;
        aws.events.put_rule().name(name).event_bus_name(bus).event_pattern(pattern).send().await.expect("the rule is made");
        let target = Target::builder().id(TARGET_ID).arn(arn).build().expect("a target");
        aws.events.put_targets().rule(name).event_bus_name(bus).targets(target).send().await.expect("the target is set");
        Self { bus: bus.to_owned(), name: name.to_owned(), queue }
    }

    /// Takes rule and queue away.
    pub(crate) async fn delete(self, aws: &Aws) {
        let remove = aws.events.remove_targets().rule(&self.name).event_bus_name(&self.bus).ids(TARGET_ID);
        remove.send().await.expect("the target is removed");
        aws.events.delete_rule().name(&self.name).event_bus_name(&self.bus).send().await.expect("the rule is removed");
        aws.sqs.delete_queue().queue_url(&self.queue).send().await.expect("the queue is removed");
    }
}

/// URL and ARN of a new queue.
pub(crate) async fn create_queue(aws: &Aws, name: &str) -> (String, String) {
    let create = aws.sqs.create_queue().queue_name(name).attributes(QueueAttributeName::VisibilityTimeout, "360");
    let create = create.attributes(QueueAttributeName::MaximumMessageSize, "1048576");
    let url = create.send().await.expect("the queue is made").queue_url.expect("its URL");
    let ask = aws.sqs.get_queue_attributes().queue_url(&url).attribute_names(QueueAttributeName::QueueArn);
    let answer = ask.send().await.expect("its attributes");
    let arn = answer.attributes().and_then(|attributes| attributes.get(&QueueAttributeName::QueueArn)).expect("its ARN");
    (url, arn.clone())
}
